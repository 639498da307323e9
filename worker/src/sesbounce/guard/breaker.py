"""Asks whether the sender of a mail may go on sending, and keeps the answers for some seconds."""

import logging
from typing import TYPE_CHECKING, Protocol

from sesbounce.errors import ConfigurationError, SendingStopped, SesBounceError
from sesbounce.guard.cache import Cache

if TYPE_CHECKING:
    import sqlalchemy as sa

# Mail of this stream passes a stop. `sesbounce.policy.gate` says so as well, and loads more.
CRITICAL = "critical"

log = logging.getLogger("sesbounce.guard")


class Sending(Protocol):
    """Whether mail may be sent; `sesbounce.client.SendingAnswer` is one."""

    @property
    def may_send(self) -> bool | None:
        """Whether it may; None where the counts can't tell."""

    @property
    def why(self) -> str:
        """The answer in one sentence."""


class AsksSending(Protocol):
    """Answers for the mail of an address or domain."""

    def __call__(self, identity: str | None, /) -> Sending:
        """The answer; without an identity, that for all senders.

        Raises:
            SesBounceError: there is no answer.
        """


class Breaker:
    """Lets no mail pass whose sender is stopped. Threads may share it."""

    def __init__(self, ask: AsksSending, *, sends_on_error: bool, cache_seconds: float) -> None:
        self._ask = ask
        self._sends_on_error = sends_on_error
        self._cache: Cache[Sending] = Cache(cache_seconds)

    def demand(self, sender: str | None) -> None:
        """Let a mail pass, or raise.

        What the counts can't tell passes, and the log says why.

        Args:
            sender: the address that the mail is from; None if it is not known.

        Raises:
            SendingStopped: its identity, or the account that it belongs to, is stopped.
            SesBounceError: there is no answer, and errors are not to pass.
        """
        answer = self._answer(sender)
        if answer and answer.may_send is False:
            raise SendingStopped(sender or "the account", answer.why)

    def _answer(self, sender: str | None) -> Sending | None:
        key = sender or ""
        if known := self._cache.get([key]).get(key):
            return known
        asked = self._cache.clock()
        try:
            # Of a bounce, the sender is empty: its mail counts for the whole account.
            answer = self._ask(sender or None)
        except ConfigurationError:
            raise
        except SesBounceError as error:
            if not self._sends_on_error:
                raise
            log.error("The guard can't tell whether the sender is stopped: %s", error)  # noqa: TRY400
            return None
        if answer.may_send is None:
            log.warning("The guard can't tell whether the sender is stopped: %s", answer.why)
        self._cache.put({key: answer}, asked)
        return answer


def by_database(database: "str | sa.Engine | None") -> AsksSending:
    """Answers of a database: an engine, a URL, or None for `SESBOUNCE_DATABASE_URL`."""

    def ask(identity: str | None, /) -> Sending:
        from sesbounce.client import may_send  # noqa: PLC0415  it loads SQLAlchemy

        return may_send(identity, database)

    return ask
