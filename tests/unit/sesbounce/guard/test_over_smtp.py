"""A real connection of smtplib to a server that takes mail on the loopback."""

import smtplib
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

import pytest

from sesbounce import guard
from tests.unit.sesbounce.guard.asked import Suppressing

JANE, MARY, ANN = "jane@example.com", "mary@example.com", "ann@example.com"
RECIPIENTS: list[str] = []


class Server(socketserver.StreamRequestHandler):
    """Takes every mail, and writes its recipients down."""

    def handle(self) -> None:
        self.wfile.write(b"220 ready\r\n")
        while line := self.rfile.readline():
            if line.lower().startswith(b"rcpt to:"):
                RECIPIENTS.append(line[8:].strip().decode().strip("<>"))
            if line.lower().startswith(b"data"):
                self.wfile.write(b"354 go on\r\n")
                while self.rfile.readline() != b".\r\n":
                    pass
            self.wfile.write(b"221 bye\r\n" if line.lower().startswith(b"quit") else b"250 ok\r\n")


@contextmanager
def smtp_server() -> Iterator[smtplib.SMTP]:
    """A connection to such a server."""
    RECIPIENTS.clear()
    with socketserver.TCPServer(("127.0.0.1", 0), Server) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with smtplib.SMTP("127.0.0.1", server.server_address[1]) as plain:
                yield plain
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def connection() -> Iterator[smtplib.SMTP]:
    with smtp_server() as plain:
        yield guard.smtp(plain, on_error="refuse", answers=Suppressing(JANE))


def test_the_suppressed_are_returned_as_refused(connection: smtplib.SMTP) -> None:
    message = EmailMessage()
    message["From"], message["To"] = "me@example.com", f"Jane <{JANE}>, {MARY}"
    message["Bcc"] = ANN
    assert connection.send_message(message) == {JANE: (550, b"5.7.1 hard bounce")}
    assert RECIPIENTS == [MARY, ANN]
    assert connection.sendmail("me@example.com", [MARY], "Hello") == {}


def test_who_gets_the_mail_is_asked_about_and_not_who_is_named(connection: smtplib.SMTP) -> None:
    named = [f"{JANE} <{MARY}>", f"Ann <{ANN}>"]
    refused = connection.sendmail("me@example.com", named, "Hello")
    assert (list(refused), RECIPIENTS) == ([named[0]], [ANN])


@pytest.mark.parametrize(
    "several",
    [
        f"Jane <{JANE}>, Ann <{ANN}>",
        f"{JANE}, Ann <{ANN}>",
        f"{JANE}, success@simulator.amazonses.com",
    ],
)
def test_several_addresses_in_one_text_are_not_mailed_if_one_is_suppressed(
    connection: smtplib.SMTP, several: str
) -> None:
    # The smtplib of older Pythons sends such a text to the first of them, a newer one as it is.
    with pytest.raises(guard.Suppressed, match=r"hard bounce|it is no address"):
        connection.sendmail("me@example.com", [several], "Hello")
    assert RECIPIENTS == []


def test_nobody_left_is_an_exception_and_the_next_mail_is_sent(connection: smtplib.SMTP) -> None:
    with pytest.raises(guard.Suppressed, match=JANE):
        connection.sendmail("me@example.com", JANE, "Hello")
    assert RECIPIENTS == []
    connection.sendmail("me@example.com", ANN, "Hello")
    assert RECIPIENTS == [ANN]
