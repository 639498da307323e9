"""Does what the routes are for, by the code that the commands use; each call takes a thread."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple, TypeVar

import msgspec
import sqlalchemy as sa
import structlog
from msgspec import UNSET

from sesbounce.errors import AddressError
from sesbounce.feedback.address import parse
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.feedback.recording import Recording
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.statistics import count, grouping
from sesbounce.operations.undo import Undoing, undo
from sesbounce.policy.gate import SendingAnswer
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.server import cursors
from sesbounce.server import messages as m
from sesbounce.server.access import ANYONE, Caller
from sesbounce.server.problems import invalid_parameter
from sesbounce.store.acts import Act, Done
from sesbounce.store.addresses import names_of
from sesbounce.store.deciding import EventFilter
from sesbounce.store.engine import answering
from sesbounce.store.gate import may_send
from sesbounce.store.listing import known_events
from sesbounce.store.lookup import Answer, Filter, Lookup
from sesbounce.store.pages import ListPlace, LogFilter, LogPlace, events_page, suppressed_page
from sesbounce.store.result import Recorded
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope

_T = TypeVar("_T")

log = structlog.get_logger()


def now() -> datetime:
    """This moment, UTC."""
    return datetime.now(UTC)


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request that was read and permitted.

    Attributes:
        address: the address in the path; empty where the route has none.
        query: the parameters, as the struct of the route.
        body: the body, as the struct of the route; None where there is none.
        caller: who asks.
        request_id: the Idempotency-Key; None where the request has none.
    """

    address: str = ""
    query: Any = None
    body: Any = None
    caller: Caller = ANYONE
    request_id: str | None = None


class BulkDecision(NamedTuple):
    """A decision about several addresses.

    Attributes:
        reason: the decision.
        act: the word for it in the audit.
        subject: what selected the addresses.
        note: the person's note.
    """

    reason: Reason
    act: Act
    subject: str
    note: str


class DecidedAll(NamedTuple):
    """What decisions about several addresses led to.

    Attributes:
        at: when they were made, UTC.
        by: who made them, as the events say.
        number: how many there are.
        statements_rejected: whether the sender's database rejected a statement, which the worker
            then retries.
    """

    at: datetime
    by: str
    number: int
    statements_rejected: bool


class Service:
    """Answers calls from one database.

    Every method raises `StoreError` if the database can't answer.
    """

    def __init__(
        self,
        engine: sa.Engine,
        store: Store,
        hash_keys: HashKeys,
        clock: Callable[[], datetime] = now,
    ) -> None:
        self.engine = engine
        self.clock = clock
        self._store = store
        self._hash_keys = hash_keys
        self.lookup = Lookup(engine, hash_keys)

    def health(self, _call: Call) -> m.Health:
        """Say that the database answers."""
        with answering("the database can't answer"), self.engine.connect() as connection:
            connection.execute(sa.select(1))
        return m.Health()

    def check(self, call: Call) -> m.Answers:
        """Answer for several addresses, in their order."""
        given, stream = call.body.addresses, call.body.stream
        found = self.lookup.answers(given, self.clock(), stream)
        return m.Answers([_checked(address, found[address]) for address in given])

    def verdict(self, call: Call) -> Answer:
        """Answer for one address.

        Raises:
            AddressError: the text is not an address, and no event is known about this text.
        """
        return self.lookup.check(call.address, self.clock(), _value(call.query.stream))

    def suppress(self, call: Call) -> m.Decided:
        """Suppress an address, by a person's decision.

        Raises:
            AddressError: the text is not an address.
        """
        body = call.body or m.DecisionBody()
        return self._decide(Reason.SUPPRESSED_BY_HAND, call, body.by, body.note)

    def allow(self, call: Call) -> m.Decided:
        """Allow an address, by a person's decision.

        Raises:
            AddressError: the text is not an address.
        """
        query = call.query
        return self._decide(Reason.ALLOWED_BY_HAND, call, _value(query.by), _value(query.note))

    def suppressions(self, call: Call) -> m.SuppressionPage:
        """Read a page of the suppressed addresses.

        Raises:
            RequestError: the filter's domain is not a domain, or the cursor can't be used.
        """
        query: m.ListQuery = call.query
        filters = _filters("suppressions", query)
        wanted = Filter(
            reason=_value(query.reason),
            domain=_value(query.domain),
            since=_time(query.since, "since"),
            stream=_value(query.stream),
        )
        after = _place(query.cursor, filters, ListPlace)
        if after:
            since = _time(after.since, "cursor") or after.since
            after = msgspec.structs.replace(after, since=since)
        try:
            found, place = suppressed_page(self.engine, self.clock(), wanted, query.limit, after)
        except AddressError as error:
            raise invalid_parameter(str(error), "domain") from error
        return m.SuppressionPage(found, cursors.cursor(place, filters))

    def events(self, call: Call) -> m.EventPage:
        """Read a page of the event log.

        Raises:
            RequestError: the cursor can't be used.
        """
        query: m.EventsQuery = call.query
        wanted = LogFilter(
            kind=_value(query.kind),
            reason=_value(query.reason),
            since=_time(query.since, "since"),
            until=_time(query.until, "until"),
            wanted=_attribution(query),
        )
        return self._events(wanted, query, _filters("events", query))

    def address_events(self, call: Call) -> m.EventPage:
        """Read a page of the events of one address, in any spelling.

        Raises:
            RequestError: the cursor can't be used.
            AddressError: the text is not an address, and no event is known about this text.
        """
        address = parse(call.address)
        names = list(names_of([address.key], self._hash_keys))
        page = self._events(LogFilter(names=names), call.query, ["events of", address.key])
        if not (address.parsed or page.events):
            raise AddressError(f"{call.address!r} is no address")
        return page

    def stats(self, call: Call) -> m.Statistics:
        """Count events."""
        query: m.StatsQuery = call.query
        counts = count(
            self.engine,
            grouping(query.by),
            _time(query.since, "since"),
            _time(query.until, "until"),
            query.limit,
            _attribution(query),
        )
        return m.Statistics(counts)

    def incidents(self, _call: Call) -> m.IncidentList:
        """Read the incidents."""
        return m.IncidentList(Incidents(self._store).all())

    def sending(self, call: Call) -> SendingAnswer:
        """Say whether mail may be sent; the numbers and notes are for those who may read."""
        query: m.SendingQuery = call.query
        answer = may_send(
            self.engine, self.clock(), identity=_value(query.identity), stream=_value(query.stream)
        )
        if call.caller.permits(Scope.READ):
            return answer
        return msgspec.structs.replace(answer, senders=())

    def _events(self, wanted: LogFilter, query: Any, filters: Any) -> m.EventPage:
        after: int | None = _place(query.cursor, filters, LogPlace)
        found, place = events_page(self.engine, wanted, query.limit, after)
        return m.EventPage(found, cursors.cursor(place, filters))

    def _decide(self, reason: Reason, call: Call, by: str | None, note: str | None) -> m.Decided:
        """Record a decision, once for each Idempotency-Key of a caller."""
        at = self.clock()
        identity = call.request_id and f"{call.caller.id} {call.request_id}"
        decision = decide(
            call.address, reason, at, by=_who(by, call.caller), note=note, request=identity
        )
        known = identity is not None and self._is_known(decision)
        done = Recorded() if known else self._store.record([decision], at)
        _warn(done.rejected)
        return m.Decided(
            answer=self.lookup.check(call.address, at),
            # A request with the same key may have recorded it meanwhile.
            recorded=not known and not done.duplicates,
            statements_rejected=bool(done.rejected),
        )

    def decide_all(
        self, made: BulkDecision, addresses: Sequence[str], call: Call, by: str | None
    ) -> DecidedAll:
        """Record one decision about each of several addresses: about all of them, or about none.

        Raises:
            AddressError: a text is not an address.
        """
        at, who = self.clock(), _who(by, call.caller)
        decisions = [
            decide(address, made.reason, at, by=who, note=made.note) for address in addresses
        ]
        done = Done(
            act=made.act,
            at=at,
            by=who,
            subject=made.subject,
            note=made.note,
            number=len(decisions),
        )
        rejected = self._store.record(decisions, at, done).rejected
        _warn(rejected)
        return DecidedAll(at, who, len(decisions), bool(rejected))

    def undo(
        self,
        decisions: Mapping[str, str],
        call: Call,
        by: str | None,
        note: str,
        subject: str | None = None,
    ) -> DecidedAll:
        """Undo those decisions that still count.

        Args:
            decisions: the dedupe key of the decision, by the name of its address in the tables.
            call: who undoes them; with the address, if all are about one, which may be forgotten.
            by: the person, as far as it is known beyond that.
            note: what the log says about it.
            subject: what selected them, if one act made them all.
        """
        at, who = self.clock(), _who(by, call.caller)
        many = Done(act=Act.BULK_UNDONE, at=at, by=who, subject=subject or "", note=note)
        undoing = Undoing(
            decisions=decisions,
            at=at,
            by=who,
            note=note,
            done=None if subject is None else many,
            plain_addresses={n: call.address for n in decisions if call.address not in ("", n)},
        )
        undone = undo(self._store, undoing)
        _warn(undone.rejected)
        return DecidedAll(at, who, len(undone.addresses), bool(undone.rejected))

    def _is_known(self, decision: Recording) -> bool:
        """Whether the log holds a decision, maybe of an address that was forgotten since."""
        (event,) = decision.events
        hashes = self._hash_keys.hashes(event.address)
        names = [event.dedupe_key, *(hashed.digest(event.dedupe_key) for hashed in hashes)]
        return bool(known_events(self.engine, names))


def _checked(given: str, answer: Answer) -> m.Checked:
    readable = answer.may_mail or parse(given).parsed
    values = msgspec.structs.asdict(answer)
    return m.Checked(**values, given=given, problem=None if readable else "it is no address")


def _warn(rejected: Iterable[str]) -> None:
    """Log what the sender's database rejects; the worker retries it."""
    for problem in rejected:
        log.warning("statement rejected", problem=problem)


def _who(by: str | None, caller: Caller) -> str:
    """The source of a decision: the person, as far as given, and the caller."""
    if caller.name is None:
        return by or "HTTP API"
    return f"{by} ({caller.name})" if by else caller.name


def _attribution(query: m.EventsQuery | m.StatsQuery) -> EventFilter:
    return EventFilter(
        configuration_set=_value(query.configuration_set),
        identity=_value(query.identity),
        region=_value(query.region),
        account_id=_value(query.account_id),
        tenant=_value(query.tenant),
        sender=_value(query.sender),
        tags=tuple((name, value) for name, _, value in (tag.partition("=") for tag in query.tag)),
    )


def _filters(route: str, query: msgspec.Struct) -> Any:
    """What a cursor belongs to: the route and the query without its place."""
    values = msgspec.structs.asdict(msgspec.structs.replace(query, cursor=UNSET))
    del values["limit"], values["cursor"]
    return [route, {name: value for name, value in values.items() if value is not UNSET}]


def _place(cursor: str | msgspec.UnsetType, filters: Any, kind: Any) -> Any:
    """The place of a cursor; None where the request has none. An empty text is a bad cursor."""
    return None if cursor is UNSET else cursors.place(cursor, filters, kind)


def _value(given: _T | msgspec.UnsetType) -> _T | None:
    return None if isinstance(given, msgspec.UnsetType) else given


def _time(given: datetime | msgspec.UnsetType, name: str) -> datetime | None:
    """A time of a request, in UTC."""
    if isinstance(given, msgspec.UnsetType):
        return None
    try:
        return given.astimezone(UTC)
    except OverflowError:
        raise invalid_parameter("the year must be one from 1 to 9999 in UTC", name) from None
