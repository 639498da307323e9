"""Asks the HTTP API whether addresses may be mailed, and has it record decisions."""

import time
import uuid
from collections.abc import Iterable, Iterator, Mapping, Sequence
from ssl import SSLContext
from typing import Any, Self, TypeVar
from urllib.parse import quote, urlencode

import msgspec

from sesbounce.api_client.place import find_place
from sesbounce.api_client.replies import checked
from sesbounce.api_client.transport import Request, Transport
from sesbounce.errors import AddressError, ApiError, ApiUnavailableError
from sesbounce.feedback.address import LONGEST_LINE, as_list, parse
from sesbounce.policy.answer import Answer, no_address

_T = TypeVar("_T")

# The server takes so many addresses at once, and 4 MiB.
_MOST_ADDRESSES = 10_000
_MOST_BYTES = 3 * 1024 * 1024
_SHORTEST_PAUSE = 1.0


class _Checked(Answer, frozen=True, kw_only=True):
    given: str


class _Answers(msgspec.Struct, frozen=True):
    answers: list[_Checked]


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """What a decision led to.

    Attributes:
        answer: whether the address may be mailed now.
        recorded: whether this request recorded the decision; false if an earlier request with the
            same key did.
        statements_rejected: whether the database rejected a strike-off or restore statement, which
            the worker then retries.
    """

    answer: Answer
    recorded: bool
    statements_rejected: bool


class SendingAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """Whether mail may be sent.

    Attributes:
        may_send: whether it may; None where the counts can't tell.
        state: the worst state of the senders: `ok`, `warn`, `stop` or `unknown`.
        why: the answer in one sentence.
    """

    may_send: bool | None
    state: str
    why: str


class ApiClient:
    """A client of `sesbounce serve`. Threads may share it.

    Its methods raise:

    * ConfigurationError: the server rejects the token (as `ApiAccessError`, which is an ApiError,
      too).
    * ApiUnavailableError: the server or its database can't answer at the moment.
    * ApiError: there is no answer that can be used, for another reason. An answer that is not
      understood as a whole never means that an address may be mailed.
    """

    def __init__(
        self,
        url: str | None = None,
        token: str | None = None,
        *,
        timeout: float = 10.0,
        patience: float = 5.0,
        context: SSLContext | None = None,
    ) -> None:
        """Prepare a client; nothing is connected yet.

        Args:
            url: where `sesbounce serve` answers, by https; by http on this machine alone. Without
                it, `SESBOUNCE_API_URL` counts.
            token: the token. Without it, `SESBOUNCE_API_TOKEN` counts.
            timeout: seconds for each step of connecting, and for each reply.
            patience: seconds that a call may wait, all in all, if the server asks it to come back
                later (`Retry-After`).
            context: how TLS is spoken; None for the authorities that the system trusts.

        Raises:
            ConfigurationError: the URL or the token is missing or wrong.
        """
        place, token = find_place(url, token)
        self._headers = {"Accept": "application/json", "User-Agent": "sesbounce"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"
        self._transport = Transport(place, timeout, context)
        self._patience = patience

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the idle connections; the next call opens a new one."""
        self._transport.close()

    def may_mail(self, addresses: Iterable[str], stream: str | None = None) -> dict[str, bool]:
        """Whether each address may be mailed now, with one request for each 10,000 addresses.

        Args:
            addresses: in any spelling, with or without a display name.
            stream: the stream of the mail; without it, an address that is suppressed in any
                stream may not be mailed.

        Returns:
            True or False by address, in the spelling that was given. A text that is not an address
            may not be mailed.

        Raises:
            TypeError: `addresses` is one address, a dict, or holds what is no text.
        """
        return {given: one.may_mail for given, one in self.answers(addresses, stream).items()}

    def answers(self, addresses: Iterable[str], stream: str | None = None) -> dict[str, Answer]:
        """Answer as `may_mail` does, with the reason, the times and the verdict in one sentence."""
        given = list(dict.fromkeys(as_list(addresses)))
        found: dict[str, Answer] = {}
        for chunk in _chunks([address for address in given if _fits(address)]):
            found.update(self._check(chunk, stream))
        return {
            address: found[address] if _fits(address) else no_address(parse(address).key)
            for address in given
        }

    def may_send(self, identity: str | None = None, stream: str | None = None) -> SendingAnswer:
        """Whether mail may be sent, by the sender's rates of hard bounces and complaints.

        Args:
            identity: the address or domain that the mail is from; None for all senders.
            stream: the stream of the mail; `critical` passes a stop.
        """
        given = {"identity": identity, "stream": (stream or "").strip() or None}
        path = f"/v1/sending{_query(given)}"
        return self._call(Request("GET", path, None, self._headers), SendingAnswer)

    def suppress(
        self,
        address: str,
        *,
        note: str | None = None,
        by: str | None = None,
        key: str | None = None,
    ) -> Decision:
        """Suppress an address until somebody allows it.

        The path of this request holds the address.

        Args:
            address: in any spelling.
            note: the reason for the decision.
            by: the person who decides.
            key: the identity of the decision (1 to 255 characters): a second call with it records
                nothing. Without it, each call is a decision of its own, however often it is sent.

        Raises:
            AddressError: the text is no address.
            ValueError: the key or the note can't be sent.
        """
        body = msgspec.json.encode({"note": note, "by": by})
        return self._decide("PUT", address, "", body, key)

    def allow(
        self,
        address: str,
        *,
        note: str | None = None,
        by: str | None = None,
        key: str | None = None,
    ) -> Decision:
        """Allow an address, whatever is recorded against it so far; as `suppress` does."""
        return self._decide("DELETE", address, _query({"note": note, "by": by}), None, key)

    def _check(self, addresses: Sequence[str], stream: str | None) -> dict[str, Answer]:
        wanted = (stream or "").strip() or None
        body = msgspec.json.encode({"addresses": addresses, "stream": wanted})
        request = Request("POST", "/v1/check", body, self._headers)
        answers = self._call(request, _Answers).answers
        if [answer.given for answer in answers] != list(addresses):
            raise ApiError(
                "the HTTP API has not answered for the addresses that it was asked about"
            )
        return {answer.given: _bare(answer) for answer in answers}

    def _decide(
        self, method: str, address: str, query: str, body: bytes | None, key: str | None
    ) -> Decision:
        if not parse(address).parsed:
            raise AddressError(f"{address!r} is no address")
        path = f"/v1/suppressions/{quote(address, safe='')}{query}"
        headers = self._headers | {"Idempotency-Key": key or uuid.uuid4().hex}
        return self._call(Request(method, path, body, headers), Decision)

    def _call(self, request: Request, kind: type[_T]) -> _T:
        """Send a request, and wait and retry as long as the server asks for it."""
        # Only the waiting counts: a server whose database is away asks for 5 seconds.
        left = self._patience
        while True:
            try:
                return checked(self._transport.exchange(request), kind)
            except ApiUnavailableError as error:
                if error.retry_after is None:
                    raise
                pause = max(error.retry_after, _SHORTEST_PAUSE)
                if pause > left:
                    raise
            left -= pause
            time.sleep(pause)


def _query(given: Mapping[str, str | None]) -> str:
    """The query of a URL, with the question mark; empty where nothing is given."""
    query = urlencode({name: value for name, value in given.items() if value is not None})
    return query and f"?{query}"


def _fits(address: str) -> bool:
    """Whether the server can take a text; any other text is no address."""
    if len(address) > LONGEST_LINE:
        return False
    try:
        address.encode()
    except UnicodeEncodeError:  # a half of a character
        return False
    return True


def _chunks(addresses: Iterable[str]) -> Iterator[list[str]]:
    """The addresses in lists that the server takes at once."""
    chunk: list[str] = []
    size = 0
    for address in addresses:
        length = len(msgspec.json.encode(address)) + 1
        if len(chunk) == _MOST_ADDRESSES or size + length > _MOST_BYTES:
            yield chunk
            chunk, size = [], 0
        chunk.append(address)
        size += length
    if chunk:
        yield chunk


def _bare(answer: _Checked) -> Answer:
    values: dict[str, Any] = msgspec.structs.asdict(answer)
    del values["given"]
    return Answer(**values)
