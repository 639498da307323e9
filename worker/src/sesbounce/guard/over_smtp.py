"""Guards connections of `smtplib`."""

import smtplib
from collections.abc import Sequence
from typing import Any, TypeVar, Unpack

from sesbounce.guard.asking import Guard, Options
from sesbounce.guard.recipients import kept, sender_in_headers

Connection = TypeVar("Connection", bound=smtplib.SMTP)

# 5.7.1: delivery not authorized, message refused (RFC 3463, 3.8).
_CODE = 550


def smtp(connection: Connection, **options: Unpack[Options]) -> Connection:
    """Let `sendmail` and `send_message` of a connection ask before they send.

    They drop the recipients that may not be mailed, and return them with those that the server
    refused, as smtplib does: `{"jane@example.com": (550, b"5.7.1 …")}`. They raise `Suppressed`
    if nobody is left, and with `breaker` `SendingStopped` if the sender is stopped.

    Args:
        connection: an `smtplib.SMTP`, or one of its subclasses.
        options: `on_error` is required; see `Options`.

    Returns:
        The same connection.

    Raises:
        TypeError: `on_error` is missing.
        ConfigurationError: an option has a value that does not exist.
    """
    guard, send = Guard(**options), connection.sendmail

    # send_message calls it, too.
    def sendmail(
        from_addr: str, to_addrs: str | Sequence[str], *args: Any, **more: Any
    ) -> dict[str, tuple[int, bytes]]:
        if guard.asks_about_senders:
            guard.demand_sending(_sender(args[0] if args else more.get("msg")) or from_addr)
        recipients = [to_addrs] if isinstance(to_addrs, str) else list(to_addrs)
        # What smtplib sends: of `x@a.example <jane@b.example>` it takes the first address.
        envelope = {who: smtplib.quoteaddr(who).strip("<>") for who in recipients}
        why = guard.refused(envelope.values())
        refused = {who: why[address] for who, address in envelope.items() if address in why}
        left = kept({"to": recipients}, refused)["to"]
        dropped = {who: (_CODE, f"5.7.1 {text}".encode()) for who, text in refused.items()}
        return dropped | send(from_addr, left, *args, **more)

    connection.sendmail = sendmail  # type: ignore[method-assign]
    return connection


def _sender(message: object) -> str | None:
    """The address in the header From of a message, as smtplib takes it."""
    data = message.encode("utf-8", "replace") if isinstance(message, str) else message
    return sender_in_headers(data) if isinstance(data, bytes) else None
