"""What the guards of Django, anymail and Flask-Mailman have in common: their messages are alike."""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from sesbounce.errors import ConfigurationError, SendingStopped, SesBounceError, Suppressed
from sesbounce.guard.asking import Guard, shared
from sesbounce.guard.recipients import everybody, kept

log = logging.getLogger("sesbounce.guard")


class Message(Protocol):
    """A message of Django or Flask-Mailman."""

    from_email: str | None
    to: list[str]
    cc: list[str]
    bcc: list[str]


def configured(settings: Mapping[str, Any] | None, name: str) -> tuple[str, Guard]:
    """The path of the backend that sends, and the guard, from a framework's setting.

    Args:
        settings: `BACKEND`, `ON_ERROR`, and the other `Options` in upper case.
        name: the name of the setting.

    Raises:
        ConfigurationError: the setting is missing, or an option is.
    """
    options = {key.lower(): value for key, value in (settings or {}).items()}
    try:
        return options.pop("backend"), shared(**options)
    except KeyError:
        raise ConfigurationError(f'{name} names no backend that sends: {{"BACKEND": …}}') from None
    except TypeError as error:
        raise ConfigurationError(f"{name}: {error}") from error


def drop(message: Message, refused: Mapping[str, str]) -> None:
    """Take the refused recipients out of a message.

    Raises:
        Suppressed: nobody is left; the message stays as it is.
    """
    left = kept(_groups(message), refused)
    message.to, message.cc, message.bcc = left["to"], left["cc"], left["bcc"]


def sender_of(message: Message) -> str | None:
    """The address that a message is from; None if it does not say."""
    return message.from_email or None


def recipients(messages: Iterable[Message]) -> list[str]:
    """All recipients of some messages."""
    return [recipient for message in messages for recipient in everybody(_groups(message))]


def send_messages(
    guard: Guard,
    send: Callable[[list[Any]], int | None],
    messages: Sequence[Any],
    *,
    fail_silently: bool,
) -> int:
    """Send those messages of which a recipient is left, and then raise `Suppressed` for the others.

    With a breaker it leaves out the messages whose sender is stopped as well.

    Args:
        guard: the guard.
        send: sends messages, and returns how many it has sent.
        messages: the messages; recipients are taken out of them.
        fail_silently: whether the guard logs what it would raise.

    Returns:
        How many messages were sent.

    Raises:
        Suppressed: of some messages nobody is left; the others were sent.
        SendingStopped: the senders of some messages are stopped; the others were sent.
        SesBounceError: the database can't answer; nothing was sent.
    """
    try:
        stops = [_stop(guard, message) for message in messages]
        passing = [m for m, stop in zip(messages, stops, strict=True) if not stop]
        refused = guard.refused(recipients(passing))
    except ConfigurationError:
        raise
    except SesBounceError as error:
        if not fail_silently:
            raise
        log.error("The guard sends none of %d mails: %s", len(messages), error)  # noqa: TRY400
        return 0
    left: list[Any] = []
    nobody: dict[str, str] = {}
    for message in passing:
        try:
            drop(message, refused)
            left.append(message)
        except Suppressed as error:
            nobody |= error.refused
    sent = (send(left) if left else 0) or 0
    stopped = next((stop for stop in stops if stop), None)
    if not fail_silently and (stopped or nobody):
        raise stopped or Suppressed(nobody, sent=sent)
    if stopped:
        log.warning("Of %d mails the sender is stopped.", len(messages) - len(passing))
    if nobody:
        log.warning(
            "Of %d mails nobody is left; %d others were sent.", len(passing) - len(left), sent
        )
    return sent


def _stop(guard: Guard, message: Message) -> SendingStopped | None:
    """What the breaker raises for a message; None if it passes."""
    try:
        guard.demand_sending(sender_of(message))
    except SendingStopped as stopped:
        return stopped
    return None


def _groups(message: Message) -> dict[str, Sequence[str]]:
    """The recipients; empty ones are none, as in the frameworks."""
    groups = {"to": message.to, "cc": message.cc, "bcc": message.bcc}
    return {name: [one for one in group or () if one] for name, group in groups.items()}
