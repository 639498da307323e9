"""The HTTP API behind a real socket, in a thread of the test."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sesbounce.server.serving import make_server
from tests.ports import LOOPBACK
from tests.support import until


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an application by uvicorn, as `sesbounce serve` does; gives its URL."""
    server = make_server(app, 5)
    with socket.create_server((LOOPBACK, 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        try:
            until(lambda: server.started or not thread.is_alive())
            assert server.started
            yield f"http://{LOOPBACK}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()
