"""A server in a container of a Docker engine on this machine."""

from collections.abc import Iterator
from contextlib import contextmanager

from docker.errors import DockerException
from testcontainers.core.container import DockerContainer

from tests.databases.errors import ServerError
from tests.databases.products import Product, Started
from tests.ports import LOOPBACK


@contextmanager
def container(product: Product, password: str) -> Iterator[Started]:
    port = product.url.port or 0
    server = DockerContainer(product.image, env={product.password_variable: password})
    server.with_command(list(product.options))
    # docker-py's own way to say: any port of this address alone.
    server.ports[f"{port}/tcp"] = (LOOPBACK, None)  # type: ignore[assignment]
    try:
        try:
            server.start()
            published = server.get_exposed_port(port)
        except (DockerException, TimeoutError) as error:
            raise ServerError(f"{product.title} does not start in a container: {error}") from error
        yield Started(published, lambda: _alive(server), lambda: _log(server))
    finally:
        server.stop()


def _alive(server: DockerContainer) -> bool:
    server.reload()
    return server.status == "running"


def _log(server: DockerContainer) -> str:
    return b"".join(server.get_logs()).decode(errors="replace")
