"""Asks whether recipients may be mailed, keeps the answers for some seconds, and reports."""

import functools
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Literal, Protocol, Required, Self, TypedDict

from sesbounce.errors import ConfigurationError, SesBounceError
from sesbounce.feedback.address import as_list, parse
from sesbounce.guard.breaker import CRITICAL, AsksSending, Breaker, by_database
from sesbounce.guard.cache import Cache
from sesbounce.guard.recipients import is_simulator
from sesbounce.variables import API_URL

if TYPE_CHECKING:
    import sqlalchemy as sa

    from sesbounce.api_client import ApiClient

OnError = Literal["refuse", "send"]

CACHE_SECONDS = 10.0

log = logging.getLogger("sesbounce.guard")


class Answer(Protocol):
    """Whether an address may be mailed; `sesbounce.client.Answer` is one."""

    @property
    def may_mail(self) -> bool:
        """Whether the sender may mail the address."""

    @property
    def why(self) -> str:
        """The verdict in one sentence."""


class Answers(Protocol):
    """Answers for several addresses at once."""

    def __call__(self, addresses: Sequence[str], /) -> Mapping[str, Answer]:
        """The answer for each address, by the spelling that was given.

        Raises:
            SesBounceError: there is no answer.
        """


class Options(TypedDict, total=False):
    """How a guard asks; the keyword arguments of all functions that make one.

    Attributes:
        on_error: what the guard does when the database or the API can't answer: `refuse` raises
            the error before anything is sent, `send` lets the mail pass and logs the error.
        stream: the stream of the mail; see `sesbounce.client.may_mail`.
        database: an engine or a URL of the database to ask. Without it and `api`,
            `SESBOUNCE_API_URL` counts if it is set, else `SESBOUNCE_DATABASE_URL`.
        api: the URL of the HTTP API to ask, or a client of it.
        token: the token for that URL; without it, `SESBOUNCE_API_TOKEN` counts.
        answers: answers instead of a database or an API.
        on_dropped: is called with the address and the reason, in one sentence, of each recipient
            that gets no mail. Without it, the guard logs how many there were.
        cache_seconds: for how long an answer counts, and so after how many seconds at most a
            verdict takes effect; 0 asks each time.
        breaker: whether the guard raises `SendingStopped` for a mail whose sender is stopped (see
            docs/gate.md). Mail of the stream `critical` passes.
        sending: answers about senders instead of a database or an API.
    """

    on_error: Required[OnError]
    stream: str | None
    database: "str | sa.Engine | None"
    api: "str | ApiClient | None"
    token: str | None
    answers: Answers | None
    on_dropped: Callable[[str, str], object] | None
    cache_seconds: float
    breaker: bool
    sending: AsksSending | None


class Guard:
    """Knows which recipients may not be mailed. Threads may share it."""

    def __init__(  # noqa: PLR0913  the options of all functions that make a guard
        self,
        *,
        on_error: OnError,
        stream: str | None = None,
        database: "str | sa.Engine | None" = None,
        api: "str | ApiClient | None" = None,
        token: str | None = None,
        answers: Answers | None = None,
        on_dropped: Callable[[str, str], object] | None = None,
        cache_seconds: float = CACHE_SECONDS,
        breaker: bool = False,
        sending: AsksSending | None = None,
    ) -> None:
        if on_error not in {"refuse", "send"}:
            raise ConfigurationError(f'on_error is "refuse" or "send", not {on_error!r}')
        if answers and (database or api or token or stream):
            raise ConfigurationError("pass answers alone, or database or api, and stream")
        if database and (api or token):
            raise ConfigurationError("pass database, or api and token, and not both")
        self._sends_on_error = on_error == "send"
        asks_api = not answers and (api or token or (not database and _names_an_api()))
        client = _client(api, token) if asks_api else None
        if client:
            answers = _by_api(client, stream)
        self._answers = answers or _by_database(database, stream)
        self._on_dropped = on_dropped
        self._cache: Cache[Answer] = Cache(cache_seconds)
        self._breaker: Breaker | None = None
        if breaker and (stream or "").strip() != CRITICAL:
            if answers and not (sending or client):
                raise ConfigurationError("pass sending as well: answers do not know the senders")
            self._breaker = Breaker(
                sending or (client.may_send if client else by_database(database)),
                sends_on_error=self._sends_on_error,
                cache_seconds=cache_seconds,
            )

    def __deepcopy__(self, _memo: object) -> Self:
        # Django's backend for tests copies each message, with the connection that it knows.
        return self

    @property
    def asks_about_senders(self) -> bool:
        """Whether `demand_sending` asks."""
        return self._breaker is not None

    def demand_sending(self, sender: str | None) -> None:
        """Let a mail pass, unless its sender is stopped; without a breaker, all mails pass.

        Args:
            sender: the address that the mail is from; None if it is not known.

        Raises:
            SendingStopped: the sender is stopped.
            SesBounceError: the database or the API can't answer, and `on_error` is `refuse`.
        """
        if self._breaker:
            self._breaker.demand(sender)

    def refused(self, recipients: Iterable[str]) -> dict[str, str]:
        """Why recipients may not be mailed: a sentence for each of them, by their spelling.

        The guard reports them, too: to `on_dropped`, or as a line of the log without addresses.

        Raises:
            SesBounceError: there is no answer, and `on_error` is `refuse`.
            ConfigurationError: a setting is wrong or missing, whatever `on_error` is.
            TypeError: `recipients` is one address, a dict, or holds what is no text.
        """
        parsed = {recipient: parse(recipient) for recipient in as_list(recipients)}
        asked = {
            recipient: address.key
            for recipient, address in parsed.items()
            if not (address.parsed and is_simulator(address.key))
        }
        answers = self._answered(asked)
        refused = {
            recipient: answers[key].why
            for recipient, key in asked.items()
            if key in answers and not answers[key].may_mail
        }
        self._report(refused, len(parsed))
        return refused

    def _answered(self, keys: Mapping[str, str]) -> dict[str, Answer]:
        """The answers, by key; those that nobody can give are missing."""
        known = self._cache.get(keys.values())
        spelling = {key: recipient for recipient, key in keys.items() if key not in known}
        if not spelling:
            return known
        asked = self._cache.clock()
        try:
            found = self._answers(list(spelling.values()))
        except ConfigurationError:
            raise
        except SesBounceError as error:
            if not self._sends_on_error:
                raise
            log.error("The guard lets a mail pass that it could not check: %s", error)  # noqa: TRY400
            return known
        fresh = {key: found[recipient] for key, recipient in spelling.items()}
        self._cache.put(fresh, asked)
        return known | fresh

    def _report(self, refused: Mapping[str, str], recipients: int) -> None:
        if self._on_dropped:
            for recipient, why in refused.items():
                self._on_dropped(recipient, why)
        elif refused:
            log.warning("The guard drops %d of %d recipients.", len(refused), recipients)


shared = functools.lru_cache(maxsize=64)(Guard)
"""The guard for these options, the same on each call, so that its cache outlives a connection."""


def _by_database(database: "str | sa.Engine | None", stream: str | None) -> Answers:
    def ask(addresses: Sequence[str], /) -> Mapping[str, Answer]:
        from sesbounce.client import answers  # noqa: PLC0415  it loads SQLAlchemy

        return answers(addresses, database, stream)

    return ask


def _names_an_api() -> bool:
    return bool(os.environ.get(API_URL, "").strip())


def _client(api: "str | ApiClient | None", token: str | None) -> "ApiClient":
    from sesbounce.api_client import ApiClient  # noqa: PLC0415  only some guards need it

    if not isinstance(api, ApiClient):
        return ApiClient(api, token)
    if token:
        raise ConfigurationError("pass the token to the client of the API that you pass")
    return api


def _by_api(client: "ApiClient", stream: str | None) -> Answers:
    return lambda addresses, /: client.answers(addresses, stream)
