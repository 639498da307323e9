"""A server that replies as a test says, byte by byte, and keeps what it was asked."""

import socket
import socketserver
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.listening import listening

_PART = 50


class Asked(NamedTuple):
    """A request, and the number of its connection."""

    line: str
    headers: dict[str, str]
    body: bytes
    connection: int


def reply(
    body: bytes = b"", status: str = "200 OK", kind: str = "application/json", more: str = ""
) -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


class Scripted:
    """Gives its replies one after the other, and the last one from then on.

    Attributes:
        replies: what it replies; an empty one closes the connection.
        pause: seconds after each part of a reply, of 50 bytes; 0 sends it whole.
        asked: what it was asked.
        sockets: its connections, in their order.
    """

    def __init__(self, *replies: bytes, context: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.pause = 0.0
        self.sockets: list[socket.socket] = []
        scripted = self

        class Handler(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                scripted.sockets.append(self.request)
                scripted.talk(self.request, len(scripted.sockets))

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True

            def get_request(self) -> tuple[socket.socket, object]:
                connection, address = super().get_request()
                if context:
                    connection = context.wrap_socket(connection, server_side=True)
                return connection, address

            def handle_error(self, *_: object) -> None:
                pass

        self.server = Server(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]
        self.url = f"{'https' if context else 'http'}://localhost:{self.port}"

    def talk(self, connection: socket.socket, number: int) -> None:
        with connection.makefile("rb") as file:
            while line := file.readline():
                headers: dict[str, str] = {}
                while (header := file.readline().decode().strip()) != "":
                    name, _, value = header.partition(":")
                    headers[name.lower()] = value.strip()
                body = file.read(int(headers.get("content-length", 0)))
                self.asked.append(Asked(line.decode().strip(), headers, body, number))
                said = self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]
                if not said:
                    return
                self.send(connection, said)
                if b"Connection: close" in said:
                    return

    def send(self, connection: socket.socket, said: bytes) -> None:
        if not self.pause:
            connection.sendall(said)
            return
        for start in range(0, len(said), _PART):
            connection.sendall(said[start : start + _PART])
            time.sleep(self.pause)


@contextmanager
def scripted(*replies: bytes, context: ssl.SSLContext | None = None) -> Iterator[Scripted]:
    made = Scripted(*replies, context=context)
    with listening(made.server):
        yield made
