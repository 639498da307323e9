import json
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from scripts.local.ses_messages import Scenario
from sesbounce.cli import main
from sesbounce.feedback.decode import decode
from sesbounce.feedback.extract import Event
from sesbounce.feedback.recording import Recording
from sesbounce.lists.files import event_of, read_list
from sesbounce.operations.statistics import By, Counts, count
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests import stored
from tests.stored import DAY
from tests.support import AT, bounce, mail, said


def sesbounce(*arguments: str) -> Result:
    return CliRunner().invoke(main, [*arguments], catch_exceptions=False)


@pytest.fixture
def store(engine: sa.Engine, url: str, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("SESBOUNCE_DATABASE_URL", url)
    return stored.store(engine, StrikeOff())


def told(
    scenario: Scenario, mail_id: str, who: str = "jane@example.com", day: float = 0
) -> Recording:
    return decode(json.dumps(said(scenario, mail(who, mail_id), at=AT + day * DAY)))


def too_large(mail_id: str) -> Recording:
    """A bounce for which the mail is at fault."""
    message = bounce("Transient", "MessageTooLarge")
    message["mail"]["messageId"] = mail_id
    return decode(json.dumps(message))


def only(counts: list[Counts]) -> Counts:
    (one,) = counts
    return one


def imported(text: str) -> list[Event]:
    rows = list(read_list(text.splitlines(keepends=True)).rows)
    return [event_of(entry, "sesbounce", AT, AT) for row in rows for entry in row.entries]


def test_each_kind_is_counted_and_rates_are_of_the_mails_that_ended(
    store: Store, engine: sa.Engine
) -> None:
    messages = [told(Scenario.SUCCESS, f"d{n}", f"{n}@example.com") for n in range(5)]
    messages += [
        told(Scenario.BOUNCE, "b"),
        told(Scenario.MAILBOX_FULL, "s"),
        told(Scenario.SUPPRESSIONLIST, "r", "mary@example.com"),
        told(Scenario.COMPLAINT, "c"),
        too_large("l"),
    ]
    store.record(messages + messages, AT)
    found = only(count(engine, By.DAY))
    # The complaint's mail was delivered first, of which the last message does not tell.
    assert found == Counts(
        group="2026-11-20",
        hard=1,
        soft=1,
        sender=1,
        other=1,
        complaints=1,
        deliveries=5,
        bounce_rate=1 / 9,
        complaint_rate=1 / 9,
    )


def test_no_rate_is_made_up_where_no_delivery_is_known(store: Store, engine: sa.Engine) -> None:
    store.record([told(Scenario.BOUNCE, "b"), told(Scenario.COMPLAINT, "c")], AT)
    found = only(count(engine, By.DAY))
    assert (found.hard, found.complaints) == (1, 1)
    assert (found.bounce_rate, found.complaint_rate) == (None, None)


def test_the_simulator_is_counted_and_in_no_rate(store: Store, engine: sa.Engine) -> None:
    simulator = [
        told(scenario, f"s-{scenario}", f"{scenario}@simulator.amazonses.com")
        for scenario in (Scenario.BOUNCE, Scenario.COMPLAINT, Scenario.SUCCESS)
    ]
    real = [told(Scenario.SUCCESS, "d1"), told(Scenario.SUCCESS, "d2")]
    store.record([*simulator, *real, told(Scenario.BOUNCE, "b")], AT)
    found = only(count(engine, By.DAY))
    assert (found.hard, found.complaints, found.deliveries) == (2, 1, 3)
    assert (found.bounce_rate, found.complaint_rate) == (1 / 3, 0)


def test_what_was_imported_is_counted_and_in_no_rate(store: Store, engine: sa.Engine) -> None:
    text = f"address,reason,since\na@example.com,no_such_mailbox,{AT.isoformat()}\n"
    message = Recording(imported(text))
    store.record([message, told(Scenario.SUCCESS, "d")], AT)
    found = only(count(engine, By.DAY))
    assert (found.hard, found.bounce_rate) == (1, 0)


def test_a_complaint_that_names_several_counts_once(store: Store, engine: sa.Engine) -> None:
    message = said(Scenario.COMPLAINT)
    message["complaint"]["complainedRecipients"] = [
        {"emailAddress": f"{n}@example.com"} for n in range(3)
    ]
    store.record([decode(json.dumps(message)), told(Scenario.COMPLAINT, "another")], AT)
    assert only(count(engine, By.DAY)).complaints == 2


@pytest.fixture
def various(store: Store) -> None:
    messages = [
        told(Scenario.SUCCESS, "1", "a@one.example", -2),
        told(Scenario.BOUNCE, "2", '"odd@quoted"@one.example', -1),
        told(Scenario.BOUNCE, "3", "b@one.example"),
        told(Scenario.MAILBOX_FULL, "4", "c@two.example"),
    ]
    odd = said(Scenario.BOUNCE, mail("d@two.example", "5"))
    odd["mail"]["source"] = "other@example.org"
    store.record([*messages, decode(json.dumps(odd))], AT)


@pytest.mark.usefixtures("various")
class TestGroups:
    @pytest.mark.parametrize(
        ("by", "expected"),
        [
            (By.DAY, {"2026-11-18": 0, "2026-11-19": 1, "2026-11-20": 2}),
            (By.DOMAIN, {"one.example": 2, "two.example": 1}),
            (By.REASON, {"no_such_mailbox": 3, "delivered": 0, "mailbox_full": 0}),
            (By.SENDER, {"sender@example.com": 2, "other@example.org": 1}),
        ],
    )
    def test_by(self, engine: sa.Engine, by: By, expected: dict[str, int]) -> None:
        found = count(engine, by)
        assert {one.group: one.hard for one in found} == expected
        if by is By.DAY:
            assert [one.group for one in found] == list(expected)

    def test_from_until_and_the_most_alone(self, engine: sa.Engine) -> None:
        days = [one.group for one in count(engine, By.DAY, since=AT - DAY, until=AT)]
        assert days == ["2026-11-19"]
        assert [one.group for one in count(engine, By.DAY, limit=2)] == ["2026-11-19", "2026-11-20"]
        assert only(count(engine, By.DOMAIN, limit=1)).group in {"one.example", "two.example"}

    def test_for_people_and_for_programs(self) -> None:
        result = sesbounce("stats", "--by", "domain", "--since", "2026-11-19")
        assert result.exit_code == 0
        head, one, _two = result.stdout.splitlines()
        # No rates, because no mail was delivered.
        assert head.split() == ["hard", "soft", "other", "complaints", "deliveries", "domain"]
        assert one.split() == ["2", "0", "0", "0", "0", "one.example"]
        lines = sesbounce("stats", "--json").stdout.splitlines()
        counts: list[dict[str, Any]] = [json.loads(line) for line in lines]
        assert counts[0]["group"] == "2026-11-18"
        assert (counts[0]["deliveries"], counts[0]["bounce_rate"]) == (1, 0.0)


def test_the_sender_s_own_faults_have_a_column_where_there_are_any(store: Store) -> None:
    store.record([too_large("l"), told(Scenario.BOUNCE, "b", day=-1)], AT)
    head, before, day = sesbounce("stats").stdout.splitlines()
    assert head.split()[:4] == ["hard", "soft", "sender", "other"]
    assert before.split()[-1] == "2026-11-19"
    assert day.split() == ["0", "0", "1", "0", "0", "0", "2026-11-20"]
    (line,) = sesbounce("stats", "--by", "reason", "--json", "--limit", "1").stdout.splitlines()
    assert json.loads(line)["sender"] == 0


def tagged(store: Store) -> None:
    """Record a hard bounce of each of two mailings."""
    for name in ("spring", "autumn"):
        message = said(
            schema="event", about=mail(f"{name}@example.com", name, configuration_set=name)
        )
        message["mail"]["tags"] |= {"campaign": [name], "ses:tenant-name": ["shop"]}
        store.record([decode(json.dumps(message), tags=("campaign",))], AT)


def test_groups_and_filters_of_the_attribution(store: Store) -> None:
    tagged(store)
    head, autumn, _spring = sesbounce("stats", "--by", "tag:campaign").stdout.splitlines()
    assert head.endswith(" tag:campaign")
    assert autumn.split() == ["1", "0", "0", "0", "0", "autumn"]
    found = sesbounce("stats", "--by", "configuration-set", "--tag", "campaign=spring")
    assert [line.split()[-1] for line in found.stdout.splitlines()] == [
        "configuration-set",
        "spring",
    ]
    wanted = ["--tenant", "shop", "--region", "us-east-1", "--identity", "sender@example.com"]
    wanted += ["--account", "000000000000"]
    wanted += ["--sender", "sender@example.com", "--configuration-set", "autumn"]
    (line,) = sesbounce("stats", "--json", *wanted).stdout.splitlines()
    assert json.loads(line)["hard"] == 1
    assert sesbounce("stats", *wanted, "--tag", "campaign=spring").stdout == "No event matches.\n"


def test_an_export_of_one_mailing(store: Store) -> None:
    tagged(store)
    lines = sesbounce("export", "--tag", "campaign=spring", "--tenant", "shop").stdout.splitlines()
    assert [line.partition(",")[0] for line in lines] == ["address", "spring@example.com"]
    assert len(sesbounce("export").stdout.splitlines()) == 3
    assert sesbounce("export", "--json", "--region", "eu-west-1").stdout == ""
    assert sesbounce("export", "--json", "--account", "210987654321").stdout == ""


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("stats", "--by", "colour"), "'colour' is not one of day, reason, domain, sender, "),
        (("stats", "--by", "tag:"), "'' is not a name that a tag can have"),
        (("stats", "--by", 'tag:a"b'), "'a\"b' is not a name that a tag can have"),
        (("stats", "--tag", "campaign"), "'campaign' is not NAME=VALUE"),
        (("export", "--tag", "a b=c"), "'a b' is not a name that a tag can have"),
        (
            ("stats", "--since", "2026-11-20", "--until", "2026-11-20"),
            "--since must be before --until",
        ),
    ],
)
def test_wrong_groups_and_filters(store: Store, arguments: list[str], problem: str) -> None:
    result = sesbounce(*arguments)
    assert result.exit_code == 2
    assert problem in " ".join(result.stderr.split())


def test_an_empty_log(store: Store) -> None:
    assert sesbounce("stats").stdout == "No event is recorded.\n"
    assert sesbounce("stats", "--json").stdout == ""
    assert sesbounce("stats", "--since", "2026-11-20").stdout == "No event matches.\n"
    assert sesbounce("stats", "--until", "2026-11-20").stdout == "No event matches.\n"
