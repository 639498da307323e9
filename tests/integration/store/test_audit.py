"""The audit on each kind of database: all that people did, once, in pages."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.dead_letters.acting import subject_of
from sesbounce.dead_letters.examining import Wanted
from sesbounce.feedback.address import parse
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.erasure import forget
from sesbounce.operations.incident_rows import changed, new
from sesbounce.operations.incidents import Incidents
from sesbounce.operations.undo import Undoing, undo
from sesbounce.policy.gate import SenderName
from sesbounce.policy.incident import Incident
from sesbounce.policy.sending import Resume
from sesbounce.privacy.keyed_hash import HashKeys
from sesbounce.store import audit, tokens
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.store.audit import AuditEntry, AuditFilter, audit_entries, audit_page
from sesbounce.store.engine import open_database, write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.sending import insert_resume
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope, Token
from tests.stored import DAY, decoded, make_members, rows, store
from tests.support import AT

KEYS = HashKeys(["k" * 32])
ALLOW, SUPPRESS = Reason.ALLOWED_BY_HAND, Reason.SUPPRESSED_BY_HAND
HER_HASH = KEYS.hashes("u0@example.com")[0].pseudonym
MINUTE = timedelta(minutes=1)


@pytest.fixture
def engine(database_url: str) -> Iterator[sa.Engine]:
    engine = open_database(database_url)
    make_members(engine)
    yield engine
    engine.dispose()


@pytest.fixture
def recording(engine: sa.Engine) -> Store:
    """A store with something of everything, at three times; not all in the order of their times."""
    made = store(engine, keys=KEYS)
    for minute in (2, 0, 1):
        at = AT + minute * MINUTE
        made.record([decoded(Scenario.SUCCESS, day / 9, f"{day}@x.org") for day in range(9)], at)
        bulk = [
            decide(f"u{n}@example.com", ALLOW, at, by="mary", note=f"{minute}") for n in range(5)
        ]
        made.record(bulk, at, done_at(at, Act.BULK_ALLOWED, subject="domain=x.org", number=5))
        made.record([decide(f"v{minute}@example.com", SUPPRESS, at, by="ann")], at)
    (event,) = decide("v0@example.com", SUPPRESS, AT, by="ann").events
    undo(
        made,
        Undoing(
            decisions={event.address: event.dedupe_key}, at=AT + 3 * MINUTE, by="mary", note="wrong"
        ),
    )
    _about_incidents(made)
    with write(engine) as connection:
        resume = Resume(AT + MINUTE, "ann", "asked ann@example.com")
        insert_resume(connection, SenderName("1", "eu-west-1", ""), resume)
    for name in ("crm", "shop"):
        at = AT + MINUTE
        made_token = Token(name=name, scopes=(Scope.CHECK,), created_at=AT, created_by="mary")
        tokens.create(engine, made_token)
        tokens.revoke(engine, [name], at, "ann")
    wanted = Wanted(before=AT, codes=("B", "A"), understood=False, ids=("x", "y"))
    subject = subject_of("feedback-dlq", wanted)
    record_alone(engine, done_at(AT, Act.LETTERS_DELETED, subject=subject, number=7))
    forget(made, KEYS, [parse("u0@example.com")], AT + MINUTE, "ann")
    return made


def done_at(at: datetime, act: Act, **more: Any) -> Done:
    return Done(act=act, at=at, by="mary", **more)


def _about_incidents(made: Store) -> None:
    incidents = Incidents(made)
    google = Incident(provider="google", begins=AT - DAY, ends=None)
    row = incidents.save(new(google, AT, IncidentStatus.CONFIRMED, "all down", "ann"), AT)
    for minute, changes in (
        (1, {"ends_at": AT, "note": "up since noon"}),
        (2, {"ends_at": AT - MINUTE}),
        (3, {"status": IncidentStatus.WITHDRAWN}),
        (4, {"status": IncidentStatus.CONFIRMED}),
    ):
        at = AT + minute * MINUTE
        row = incidents.save(changed(row, at, decided_by="mary", **changes), at, row)


def whole(engine: sa.Engine, **wanted: Any) -> list[AuditEntry]:
    found, further = audit_page(engine, AuditFilter(**wanted), 1000, None)
    assert further is None
    return found


def in_pages(engine: sa.Engine, size: int, wanted: AuditFilter) -> Iterator[AuditEntry]:
    entries, place = audit_page(engine, wanted, size, None)
    yield from entries
    while place:
        entries, place = audit_page(engine, wanted, size, place)
        assert len(entries) <= size
        yield from entries


def test_it_holds_all_that_was_done(engine: sa.Engine, recording: Store) -> None:
    found = whole(engine)
    assert found == sorted(found, key=lambda one: one.at, reverse=True)
    # Those that one act about many consists of have no entries beside it. But `forget` erases who
    # decided about an address, too.
    allowed = [one for one in found if one.act == Act.ALLOWED]
    assert [(one.subject, one.by, one.note) for one in allowed] == [(HER_HASH, None, None)] * 3
    each = whole(engine, act=Act.ALLOWED)
    assert len(each) == 15
    assert whole(engine, act=Act.ALLOWED, by="mary") == [one for one in each if one.by]
    filters = "before=2026-11-20T12:00:00Z code=A code=B understood=no ids=2"
    others = [e for e in found if e.act not in {Act.ALLOWED, Act.BULK_ALLOWED}]
    assert [(e.act, e.subject, e.by, e.note, e.number, e.at) for e in others] == [
        (act, subject, by, note, number, AT + minute * MINUTE)
        for act, subject, by, note, number, minute in (
            ("incident_opened", "1: google", "mary", None, None, 4),
            ("incident_withdrawn", "1: google", "mary", None, None, 3),
            ("undone", "v0@example.com", "mary", "wrong", None, 3),
            ("incident_changed", "1: google", "mary", None, None, 2),
            ("suppressed", "v2@example.com", "ann", None, None, 2),
            ("forgotten", HER_HASH, "ann", None, None, 1),
            ("incident_closed", "1: google", "mary", "up since noon", None, 1),
            ("suppressed", "v1@example.com", "ann", None, None, 1),
            ("resumed", "1/eu-west-1", "ann", "asked ann@example.com", None, 1),
            ("token_revoked", "shop", "ann", None, None, 1),
            ("token_revoked", "crm", "ann", None, None, 1),
            ("letters_deleted", f"feedback-dlq {filters}", "mary", None, 7, 0),
            ("incident_opened", "1: google", "ann", "all down", None, 0),
            ("suppressed", "v0@example.com", "ann", None, None, 0),
            ("token_made", "shop", "mary", "check", None, 0),
            ("token_made", "crm", "mary", "check", None, 0),
        )
    ]
    bulk = [(e.at - AT, e.subject, e.number) for e in found if e.act == Act.BULK_ALLOWED]
    assert bulk == [(minute * MINUTE, "domain=x.org", 5) for minute in (2, 1, 0)]
    assert list(audit_entries(engine, AuditFilter())) == found


def test_pages_lose_and_repeat_nothing(
    engine: sa.Engine, recording: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    filters: list[dict[str, Any]] = [{}, {"by": "ann"}, {"by": "mary"}, {"since": AT + MINUTE}]
    filters += [{"act": Act.SUPPRESSED}, {"act": Act.FORGOTTEN}, {"act": Act.ALLOWED}]
    filters += [{"act": Act.UNDONE}, {"act": Act.ALLOWED, "by": "ann"}]
    expected = [whole(engine, **wanted) for wanted in filters]
    assert all(expected[:-1])
    for passed in (1, 4, 20_000):
        monkeypatch.setattr(audit, "_DECISIONS_AT_ONCE", passed)
        monkeypatch.setattr(audit, "_EVENTS_AT_ONCE", passed)
        monkeypatch.setattr(audit, "_SECONDS", 0)
        for wanted, entries in zip(filters, expected, strict=True):
            for size in (1, 3, 8):
                assert list(in_pages(engine, size, AuditFilter(**wanted))) == entries


def test_a_forgotten_address_is_in_no_name_and_no_note(engine: sa.Engine, recording: Store) -> None:
    ann = "ann@example.com"
    incidents = Incidents(recording)
    apple = Incident(provider="apple", begins=AT, ends=None)
    incidents.save(new(apple, AT, IncidentStatus.SUSPECTED, f"as {ann} says", f"<{ann}>"), AT)
    made_token = Token(name="her", scopes=(Scope.CHECK,), created_at=AT, created_by=ann)
    tokens.create(engine, made_token)
    tokens.revoke(engine, ["her"], AT, f"Ann <{ann.upper()}>")
    done = forget(recording, KEYS, [parse(ann)], AT, "mary")
    # The incident and its act, the resume, and the token; nothing is known of the address itself.
    assert done.mentions == 4
    assert done.addresses[0].name is None
    held = rows(engine, "SELECT note, opened_by, decided_by FROM feedback_incident WHERE id = 2")
    assert held == [("as [forgotten] says", "<[forgotten]>", "<[forgotten]>")]
    assert ann not in repr(whole(engine)).lower()
    token = next(one for one in tokens.all_tokens(engine) if one.name == "her")
    assert (token.created_by, token.revoked_by) == ("[forgotten]", "Ann <[forgotten]>")
    assert "asked [forgotten]" in [entry.note for entry in whole(engine)]
    assert forget(recording, KEYS, [parse(ann)], AT, "mary").mentions == 0
