"""The extras of the package: `pip install sesbounce` brings the client and the guard alone."""

from collections.abc import Iterator
from contextlib import contextmanager

from sesbounce.errors import MissingExtraError

MODULES = {
    "worker": (
        *("alembic", "boto3", "botocore", "cryptography", "markupsafe", "prometheus_client"),
        *("pydantic", "pydantic_settings", "structlog", "urllib3"),
    ),
    "server": (
        *("alembic", "anyio", "cryptography", "jinja2", "markupsafe", "pydantic"),
        *("pydantic_settings", "starlette", "structlog", "uvicorn"),
    ),
    "postgresql": ("psycopg",),
    "mysql": ("cryptography", "pymysql"),
}
"""The modules that each extra brings, as far as sesbounce imports them."""


@contextmanager
def needed_by(what: str, extra: str = "worker") -> Iterator[None]:
    """Turn the error of an import in the block into one line that says what to install.

    Args:
        what: what needs the module; the error message begins with it.
        extra: the extra that is named where several bring the module.

    Raises:
        MissingExtraError: a module is not installed that an extra brings.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        module = (error.name or "").partition(".")[0]
        bringing = [name for name, modules in MODULES.items() if module in modules]
        if not bringing:
            raise
        raise MissingExtraError(
            f"{what} needs {module}, which is not installed",
            extra if extra in bringing else bringing[0],
        ) from error
