"""The overview: each number, each state of a sender, and what it says where nothing is known."""

import re
from datetime import date, datetime, timedelta
from types import SimpleNamespace

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console import overview
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.incident import Incident
from sesbounce.policy.rates import Metric
from sesbounce.policy.tally import ProviderDay
from sesbounce.store import gate, outbox
from sesbounce.store.engine import write
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.outbox import Outbox
from sesbounce.store.overview import Waiting, read_waiting
from sesbounce.store.senders import add_numbers
from sesbounce.store.tokens import Scope
from tests import sending, stored
from tests.console import Browser, Site
from tests.sending import ACCOUNT, IDENTITY, REGION
from tests.stored import DAY, decoded
from tests.support import AT

OVERVIEW = "/console/overview"
HOUR = timedelta(hours=1)
TODAY = AT.date()


def text_of(page: str) -> str:
    """What a reader sees of a page: the texts between its tags."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", page))


def shown(browser: Browser) -> str:
    answer = browser.get(OVERVIEW)
    assert answer.status_code == 200
    return text_of(answer.text)


def part(page: str, name: str) -> str:
    """The section with this heading."""
    return page.partition(f'aria-labelledby="{name}"')[2].partition("</section>")[0]


def answers(engine: sa.Engine, day: date, provider: str, **numbers: int) -> None:
    """Count answers of a receiving provider, by their reasons."""
    kinds = {"delivered": "delivery", "complaint_abuse": "complaint"}
    cells = {
        ProviderDay(day, provider, kinds.get(reason, "bounce"), reason): number
        for reason, number in numbers.items()
    }
    with write(engine) as connection:
        add_numbers(connection, {}, cells)


@pytest.fixture
def viewer(site: Site) -> Browser:
    return site.with_role("viewer")


def test_an_empty_database_says_how_it_begins(viewer: Browser) -> None:
    page = viewer.get(OVERVIEW).text
    text = text_of(page)
    assert "Nothing is counted yet." in text
    assert "No event was recorded yet." in text
    assert "No provider has an incident now." in text
    assert "The settings name no other database, no webhook" in text
    assert "All targets have got all verdicts." not in text
    assert "<table" not in page
    assert 'class="tiles"' not in page


def test_targets_that_have_got_all_verdicts_are_said_to(site: Site) -> None:
    app = site.app([SimpleNamespace(name="webhook:crm")])
    text = text_of(site.logged_in(Scope.READ, app=app).get(OVERVIEW).text)
    assert "All targets have got all verdicts." in text


def test_old_events_alone_are_no_beginning(site: Site, viewer: Browser) -> None:
    site.record(decoded(Scenario.SUCCESS, -60))
    text = shown(viewer)
    assert "Nothing was counted in the last 30 days." in text
    assert "2026-11-20 12:00 UTC" in text.partition("Newest event")[2]


def test_it_is_the_first_place_of_those_who_may_read(viewer: Browser) -> None:
    page = viewer.get("/console").text
    places = re.findall(r'<li><a href="(/console[^"]*)"', page)
    assert places[:2] == [OVERVIEW, "/console"]
    assert 'href="/console/overview" aria-current="page"' in viewer.get(OVERVIEW).text


def test_the_numbers_of_today_stand_beside_those_of_yesterday_and_the_week(
    site: Site, viewer: Browser
) -> None:
    midnight = AT - 12 * HOUR
    for at, sent in ((AT, 1), (midnight, 2), (midnight - HOUR, 10), (midnight - 25 * HOUR, 100)):
        sending.count(site.engine, at, sent=sent, not_attempted=sent, rejected=2 * sent)
    sending.count(site.engine, midnight - 6 * DAY, sent=1000, hard=7)
    sending.count(site.engine, midnight - 6 * DAY - HOUR, "b.example.com", sent=10_000, soft=5)
    sending.count(site.engine, midnight - 29 * DAY, sent=1, complaints=3)
    sending.count(site.engine, midnight - 29 * DAY - HOUR, sent=100_000, complaints=50)
    seen = overview.gather(site.engine, AT)
    assert dict(seen.tiles) == {
        "mails": [3, 10, 1113, 11_114],
        "hard": [0, 0, 7, 7],
        "soft": [0, 0, 0, 5],
        "complaints": [0, 0, 0, 3],
        "not_attempted": [3, 10, 113, 113],
        "rejected": [6, 20, 226, 226],
        "sender_faults": [0, 0, 0, 0],
    }
    text = shown(viewer)
    assert "Mails 3 yesterday 10 7 days 1,113" in text
    assert "Rejected 6 yesterday 20 7 days 226" in text


def test_rates_are_by_identity_and_by_account_in_a_region(site: Site, viewer: Browser) -> None:
    sending.count(site.engine, AT - 2 * DAY, sent=1000, hard=60, complaints=1, rejected=4)
    sending.count(site.engine, AT - 3 * DAY, "b.example.com", sent=1000, not_attempted=9)
    sending.count(site.engine, AT - DAY, "c.example.com", "us-east-1", sent=500, complaints=5)
    page = viewer.get(OVERVIEW).text
    seen = overview.gather(site.engine, AT)
    found = {
        rated.sender.name: (
            rated.rate(rated.month, Metric.BOUNCE),
            rated.rate(rated.month, Metric.COMPLAINT),
            rated.level(Metric.BOUNCE),
            rated.level(Metric.COMPLAINT),
            rated.not_attempted,
            rated.rejected,
        )
        for account in seen.accounts
        for rated in (account, *account.identities)
        if rated.sender.region == REGION
    }
    assert found == {
        f"{ACCOUNT}/{REGION}": (0.03, 0.0005, "below", "below", 9, 4),
        IDENTITY: (0.06, 0.001, "review", "review", 0, 4),
        "b.example.com": (0, 0, "below", "below", 9, 0),
    }
    # Each with two charts, and with the same numbers in a table.
    assert page.count('role="img"') == 2 * page.count('class="days"') == 10
    assert f"<title>Bounce rate of {IDENTITY} by day</title>" in page
    assert "<desc>The highest rate is 6 %, on 2026-11-18." in page
    row = text_of(page.partition(f"Numbers of {IDENTITY} by day")[2].partition("</table>")[0])
    assert "2026-11-18 1,000 60 6 % 1 0.1 %" in row
    assert row.count("no mails are known") == 2 * 29
    assert "at pause limit" in text_of(page)  # 1 % of complaints in us-east-1


@pytest.mark.parametrize(
    ("numbers", "at", "state", "sentence"),
    [
        ({"hard": 3}, AT, "unknown", "SES reports neither deliveries nor sends"),
        ({"sent": 900}, AT, "ok", "900 mails in the last 24 hours are too few for a rate"),
        ({"sent": 1000}, AT, "ok", "The rates of the last 24 hours (1,000 mails) are below"),
        ({"sent": 1000}, AT - 3 * DAY, "ok", "Nothing is counted in the last 24 hours."),
        (
            {"sent": 900, "hard": 54},
            AT,
            "warning",
            "6 % of the mails from 2026-11-20 12:00 UTC to 2026-11-20 13:00 UTC bounced hard "
            "(54 of 900). sesbounce warns from 5 % on.",
        ),
        (
            {"sent": 999, "hard": 60},
            AT - HOUR,
            "warning",
            "A rate of the hour before has reached the first limit.",
        ),
        (
            {"sent": 1000, "complaints": 5},
            AT,
            "warning",
            "0.5 % of the mails from 2026-11-20 12:00 UTC to 2026-11-20 13:00 UTC led to "
            "complaints (5 of 1,000). sesbounce warns from 0.5 % on.",
        ),
        (
            {"sent": 1000, "hard": 200},
            AT - 9 * DAY,
            "stopped",
            "20 % of the mails from 2026-11-11 12:00 UTC to 2026-11-11 13:00 UTC bounced hard "
            "(200 of 1,000). sesbounce stops from 10 % on, until a person resumes the sender.",
        ),
        (
            {"sent": 1000, "complaints": 10},
            AT,
            "stopped",
            "1 % of the mails from 2026-11-20 12:00 UTC to 2026-11-20 13:00 UTC led to "
            "complaints (10 of 1,000). sesbounce stops from 1 % on",
        ),
    ],
)
def test_the_state_of_a_sender_is_a_word_and_a_sentence(
    site: Site, viewer: Browser, numbers: dict[str, int], at: datetime, state: str, sentence: str
) -> None:
    sending.count(site.engine, at, IDENTITY, REGION, **numbers)
    text = re.sub(r" (?=[).,])", "", shown(viewer))
    assert f"{ACCOUNT}/{REGION} {state} {sentence}" in text
    assert f"{IDENTITY} {state}" in text
    japanese = viewer.get(OVERVIEW, headers={"Accept-Language": "ja"})
    assert '<html lang="ja">' in japanese.text
    assert sentence[:20] not in text_of(japanese.text)


def test_an_unknown_rate_is_no_zero_and_has_no_chart(site: Site, viewer: Browser) -> None:
    sending.count(site.engine, AT, hard=3)
    page = viewer.get(OVERVIEW).text
    assert "Bounce rate \N{EN DASH} no mails are known" in text_of(page)
    assert "0 %" not in text_of(page)
    assert 'class="chart"' not in page


def test_the_last_resume_stands_with_the_person_and_the_note(site: Site, viewer: Browser) -> None:
    sending.count(site.engine, AT - DAY, sent=1000, hard=200)
    gate.resume(site.engine, IDENTITY, "ann", "removed the bought list", AT - HOUR)
    text = shown(viewer)
    assert f"{IDENTITY} ok" in text
    assert f"{ACCOUNT}/{REGION} stopped" in text
    assert "Resumed by ann on 2026-11-20 11:00 UTC : removed the bought list" in text


def test_the_worst_senders_come_first_and_few_are_shown(
    site: Site, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending.count(site.engine, AT, "small.example.com", sent=10)
    sending.count(site.engine, AT, "large.example.com", sent=100_000)
    sending.count(site.engine, AT, "silent.example.com", hard=1)
    sending.count(site.engine, AT, "warned.example.com", sent=1000, hard=60)
    sending.count(site.engine, AT, "stopped.example.com", sent=1000, hard=200)
    monkeypatch.setattr(overview, "MOST_IDENTITIES", 4)
    page = viewer.get(OVERVIEW).text
    names = re.findall(r'"identity-name"><bdi>(\w+)\.', page)
    assert names == ["stopped", "warned", "large", "small"]
    assert "1 further identities are not shown." in page


def test_reasons_and_providers_stand_beside_yesterday_and_the_week(
    site: Site, viewer: Browser
) -> None:
    answers(site.engine, TODAY, "google", no_such_mailbox=1, delivered=9, complaint_abuse=2)
    answers(site.engine, TODAY - DAY, "google", no_such_mailbox=2, sender_blocked=1, delivered=7)
    answers(site.engine, TODAY - 6 * DAY, "other", no_such_mailbox=4, delivered=4)
    answers(site.engine, TODAY - 29 * DAY, "other", no_such_mailbox=8)
    answers(site.engine, TODAY - 30 * DAY, "yahoo", no_such_mailbox=100)
    sending.count(site.engine, AT, sent=1)
    page = viewer.get(OVERVIEW).text
    reasons = text_of(part(page, "reasons"))
    assert "no such mailbox hard 1 2 7 15 complaint: abuse complaint 2 0 2 2" in reasons
    # It is among the sender's faults, and nowhere twice.
    assert "Without the sender&#39;s faults" in reasons
    assert "sender blocked" not in reasons
    assert "sender blocked 0 1 1 1" in text_of(part(page, "faults"))
    assert "delivered" not in reasons
    assert re.findall(r'rect width="([\d.]+)"', part(page, "reasons")) == ["100", "13.3"]
    unknown = "\N{EN DASH} no mails are known"
    providers = text_of(part(page, "providers"))
    assert "google of 20 10 % 30 % 20 % 20 %" in providers
    assert f"all others of 16 {unknown} {unknown} 50 % 75 %" in providers
    assert "yahoo" not in providers


def test_the_faults_of_the_sender_have_a_number_and_reasons_of_their_own(
    site: Site, viewer: Browser
) -> None:
    assert 'aria-labelledby="faults"' not in viewer.get(OVERVIEW).text
    answers(site.engine, TODAY, "google", sender_blocked=2, content_rejected=1, no_such_mailbox=50)
    answers(site.engine, TODAY - DAY, "other", sender_blocked=3, mailbox_full=9)
    delayed = {ProviderDay(TODAY - 6 * DAY, "google", "delivery_delay", "rate_limited"): 7}
    with write(site.engine) as connection:
        add_numbers(connection, {}, delayed)
    page = viewer.get(OVERVIEW).text
    assert "Sender&#39;s faults 3 yesterday 3 7 days 13" in text_of(page)
    faults = text_of(part(page, "faults"))
    assert re.findall(r"([a-z]+ [a-z]+) ([\d ]+\d)(?= |$)", faults.partition("30 days")[2]) == [
        ("rate limited", "0 0 7 7"),
        ("sender blocked", "2 3 5 5"),
        ("content rejected", "1 0 1 1"),
    ]
    assert "mailbox" not in faults.partition("suppress no address.")[2]


def test_the_oldest_event_stands_beside_the_newest(site: Site, viewer: Browser) -> None:
    site.record(decoded(Scenario.SUCCESS, -60))
    site.now = AT + HOUR
    site.record(decoded(Scenario.SUCCESS, -59))
    text = text_of(part(viewer.get(OVERVIEW).text, "newest"))
    assert "2026-11-20 13:00 UTC" in text
    assert "Oldest event: 2026-11-20 12:00 UTC" in text


def test_open_incidents_are_named_and_others_are_not(site: Site, viewer: Browser) -> None:
    incidents = Incidents(site.store)
    for provider, ends, status in (
        ("google", None, IncidentStatus.CONFIRMED),
        ("yahoo", None, IncidentStatus.SUSPECTED),
        ("apple", None, IncidentStatus.WITHDRAWN),
        ("microsoft", AT - HOUR, IncidentStatus.CONFIRMED),
    ):
        found = Incident(provider=provider, begins=AT - 3 * HOUR, ends=ends)
        incidents.save(new(found, AT, status, "", "ann"), AT)
    text = text_of(part(viewer.get(OVERVIEW).text, "incidents"))
    assert "google open since 2026-11-20 09:00 UTC" in text
    assert "yahoo suspected" in text
    assert "apple" not in text
    assert "microsoft" not in text


def test_the_outbox_says_what_waits_and_since_when(
    site: Site, viewer: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored.store(site.engine, outbox=Outbox(["webhook"]))
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert "1 verdict waits for a target. The oldest one is due: 2026-11-20 12:00 UTC" in shown(
        viewer
    )
    store.record([decoded(Scenario.BOUNCE, 0, "mary@example.com")], AT + HOUR)
    with site.engine.connect() as connection:
        assert read_waiting(connection) == Waiting(2, 0, AT)
    assert "2 verdicts wait for a target." in shown(viewer)
    monkeypatch.setattr("sesbounce.store.overview.MOST_WAITING", 1)
    monkeypatch.setattr(overview, "MOST_WAITING", 1)
    assert "More than 1 verdicts wait for a target." in shown(viewer)


def test_a_stopped_target_is_not_due(site: Site, viewer: Browser) -> None:
    store = stored.store(site.engine, outbox=Outbox(["webhook"]))
    store.record([decoded(Scenario.BOUNCE)], AT)
    assert outbox.stop(site.engine, "webhook", "410 Gone") == 1
    text = shown(viewer)
    assert "Outbox stopped 1 verdict is not delivered: its target takes no more." in text
    assert "due" not in text.partition("Outbox")[2]
    with site.engine.connect() as connection:
        assert read_waiting(connection) == Waiting(0, 1, None)
