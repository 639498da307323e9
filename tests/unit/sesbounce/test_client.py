import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from sesbounce import client, guard
from sesbounce.errors import ConfigurationError, SchemaError, StoreError
from sesbounce.feedback.decode import decode
from sesbounce.policy.verdict import Policy
from sesbounce.store.lookup import Lookup
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.support import AT, mail, said


@pytest.fixture
def jane_has_bounced(engine: sa.Engine) -> None:
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    store.record([decode(json.dumps(said()))], AT)


@pytest.fixture(autouse=True)
def engines_of_its_own() -> Iterator[None]:
    yield
    client.close()


@pytest.mark.usefixtures("jane_has_bounced")
def test_each_address_is_answered_as_it_was_written(engine: sa.Engine) -> None:
    asked = ["jane@example.com", "Jane <JANE@example.com>", "mary@example.com", "no address"]
    assert client.may_mail(asked, engine) == {
        "jane@example.com": False,
        "Jane <JANE@example.com>": False,
        "mary@example.com": True,
        "no address": False,
    }
    answers = client.answers(asked, engine)
    assert {text: one.may_mail for text, one in answers.items()} == client.may_mail(asked, engine)
    assert answers["jane@example.com"].why.startswith("hard")
    assert client.may_mail([], engine) == {}


@pytest.mark.parametrize("recorded", [0, 1, 2, 3])
def test_what_stands_around_an_address_makes_no_difference_to_who_asks(
    engine: sa.Engine, recorded: int
) -> None:
    spellings = [
        "jane@example.com",
        "\ufeffja\u200bne@example.com\u00a0",
        "rfc822; jane@example.com",
        "jane@example.com (Jane);",
    ]
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    store.record([decode(json.dumps(said(about=mail(spellings[recorded]))))], AT)
    assert not any(client.may_mail(spellings, engine).values())
    with engine.connect() as connection:
        query = sa.text("SELECT address FROM suppressed")
        assert connection.scalars(query).all() == ["jane@example.com"]


@pytest.mark.parametrize("bounced", ["jane@example.com/x", "Jane <Jane@example.com?x>", "Jane"])
def test_what_can_be_no_address_may_not_be_mailed_and_its_bounce_is_found(
    engine: sa.Engine, bounced: str
) -> None:
    store = Store(engine, Policy(), StrikeOff())
    store.prepare()
    asked = [bounced, bounced.upper(), "mary@example.com/x", "mary@exam!ple.com", "mary@[x"]
    assert not any(client.may_mail(asked, engine).values())
    assert {one.why for one in client.answers(asked, engine).values()} == {"it is no address"}
    store.record([decode(json.dumps(said(about=mail(bounced))))], AT)
    assert not any(client.may_mail(asked, engine).values())
    answers = client.answers(asked, engine)
    assert [one.why.partition(":")[0] for one in answers.values()] == (
        ["hard bounce"] * 2 + ["it is no address"] * 3
    )
    (event,) = Lookup(engine).why(bounced)
    assert event.original == bounced


def test_a_database_without_the_schema_says_what_makes_it(tmp_path: Path) -> None:
    """Also where the package has no migrations, which would compare the versions."""
    file = tmp_path / "app.sqlite3"
    file.touch()
    ask = guard.Guard(on_error="refuse", database=f"sqlite:///{file}", breaker=True)
    calls: list[Callable[[], object]] = [
        lambda: client.may_mail(["jane@example.com"], f"sqlite:///{file}"),
        lambda: client.may_send(None, f"sqlite:///{file}"),
        lambda: ask.refused(["jane@example.com"]),
        lambda: ask.demand_sending("me@example.com"),
    ]
    for call in calls:
        with pytest.raises(SchemaError, match=r"no such table.* run `sesbounce db upgrade`"):
            call()


@pytest.mark.usefixtures("jane_has_bounced")
def test_a_thousand_addresses_are_one_query(engine: sa.Engine) -> None:
    queries: list[str] = []
    sa.event.listen(engine, "before_cursor_execute", lambda *call: queries.append(call[2]))
    asked = [f"{n}@example.com" for n in range(999)] + ["jane@example.com"]
    answered = client.may_mail(asked, engine)
    assert (len(answered), sum(answered.values())) == (1000, 999)
    assert len([query for query in queries if query.startswith("SELECT")]) == 1


@pytest.mark.usefixtures("jane_has_bounced")
def test_the_database_is_the_worker_s_unless_told_otherwise(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    assert client.may_mail(["jane@example.com"]) == {"jane@example.com": False}
    with pytest.raises(StoreError, match="there is no database"):
        client.may_mail(["jane@example.com"], "sqlite:////nowhere/x.sqlite3")


@pytest.mark.usefixtures("jane_has_bounced")
def test_each_call_reads_the_environment(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    assert client.may_mail(["jane@example.com"]) == {"jane@example.com": False}
    monkeypatch.setenv("SESBOUNCE_DATABSE_URL", url)
    with pytest.raises(ConfigurationError, match="use SESBOUNCE_DATABASE_URL"):
        client.may_mail(["jane@example.com"])
    monkeypatch.delenv("SESBOUNCE_DATABSE_URL")
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", "sqlite:////nowhere/x.sqlite3")
    with pytest.raises(StoreError, match="there is no database"):
        client.may_mail(["jane@example.com"])


@pytest.mark.usefixtures("jane_has_bounced")
def test_closed_connections_are_opened_by_the_next_call(url: str) -> None:
    for _ in range(2):
        assert client.may_mail(["jane@example.com"], url) == {"jane@example.com": False}
        (engine,) = client._engines.values()
        client.close()
        assert engine.pool.checkedin() == 0  # type: ignore[attr-defined]
    assert client._engines == {}


@pytest.mark.usefixtures("jane_has_bounced")
def test_a_process_uses_and_closes_no_connection_of_the_one_that_has_forked_it(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.may_mail(["jane@example.com"], url)
    (inherited,) = client._engines.values()
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        assert client.may_mail(["jane@example.com"], url) == {"jane@example.com": False}
        assert [engine is inherited for engine in client._engines.values()] == [True, False]
        client.close()
        assert [*client._engines.values()] == [inherited]
    assert inherited.pool.checkedin() == 1  # type: ignore[attr-defined]


def test_a_url_that_is_passed_has_no_password_from_the_settings(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same URL in the settings may have one: the two share no connections."""
    opened: list[object] = []

    def open_database(url: str, *, passwords: object, **_: object) -> Any:
        opened.append((url, passwords is not None))
        raise StoreError("nobody is there")

    monkeypatch.setattr(client, "open_database", open_database)
    url = "postgresql://me@db.example.com/mail"
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    monkeypatch.setenv("SESBOUNCE_DATABASE_PASSWORD_FROM", "rds-iam")
    client._engines[url, False, os.getpid()] = sa.create_engine("sqlite://")
    with pytest.raises(StoreError):
        client.may_mail(["jane@example.com"])
    assert opened == [(url, True)]


def test_parse_brings_any_spelling_to_the_key_of_the_tables() -> None:
    assert client.parse("Jane <JANE@bücher.example>").key == "jane@xn--bcher-kva.example"


@pytest.mark.parametrize(
    ("passed", "problem"),
    [
        ("jane@example.com", "may_mail\\(\\[address\\]\\); this is one str"),
        (b"jane@example.com", "this is one bytes"),
        ({"email": "jane@example.com"}, "this is one dict"),
        (None, "this is one NoneType"),
        (1, "this is one int"),
        (["mary@example.com", b"jane@example.com"], "number 2 is a bytes"),
        ([None], "number 1 is a NoneType"),
        ([("jane@example.com",)], "number 1 is a tuple"),
    ],
)
def test_what_is_no_list_of_texts_is_a_type_error(
    engine: sa.Engine, passed: Any, problem: str
) -> None:
    for ask in (client.may_mail, client.answers):
        with pytest.raises(TypeError, match=problem):
            ask(passed, engine)


@pytest.mark.usefixtures("jane_has_bounced")
@pytest.mark.parametrize("kind", [list, tuple, set, iter, lambda them: (one for one in them)])
def test_addresses_come_in_any_iterable(engine: sa.Engine, kind: Callable[..., Any]) -> None:
    expected = {"jane@example.com": False, "mary@example.com": True}
    assert client.may_mail(kind(["jane@example.com", "mary@example.com"]), engine) == expected


@pytest.mark.usefixtures("jane_has_bounced")
def test_what_is_no_text_may_not_be_mailed(engine: sa.Engine) -> None:
    broken = b"m\xfcller@example.com".decode(errors="surrogateescape")
    assert client.may_mail([broken], engine) == {broken: False}
