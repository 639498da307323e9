"""What waits for the targets of the outbox."""

import json
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.store import outbox
from sesbounce.store.answers import LastAnswers, save_answers
from sesbounce.store.outbox import Outbox
from sesbounce.store.store import Store
from sesbounce.store.tokens import Scope
from tests.console import Browser, Site
from tests.stored import DAY, IN_MEMBER, decoded
from tests.unit.sesbounce.console.test_address import text_of

WEBHOOKS = {
    "crm": {"url": "https://crm.example/hooks?token=sesame", "reasons": ["complaint_abuse"]},
    "desk": {"url": "https://desk.example/in"},
}
NAMES = [f"webhook:{name}" for name in WEBHOOKS]
TARGETS = [SimpleNamespace(name=name) for name in NAMES]


def delivering(engine: sa.Engine, *targets: str) -> Site:
    """A site with one suppressed address, whose verdict waits for some targets."""
    site = Site(
        engine,
        webhooks=json.dumps(WEBHOOKS),
        webhook_secrets=json.dumps(dict.fromkeys(WEBHOOKS, "k" * 20)),
    )
    site.store = Store(engine, site.settings.policy, IN_MEMBER, Outbox(targets))
    site.record(decoded(Scenario.BOUNCE))
    return site


def reader(site: Site, targets: Any = TARGETS) -> Browser:
    return site.logged_in(Scope.CHECK, Scope.READ, app=site.app(targets))


def test_without_any_target_it_says_so(admin: Browser) -> None:
    assert "nothing is delivered" in admin.get("/console/deliveries").text


def test_each_target_is_shown_with_what_waits_and_how_to_resume_it(engine: sa.Engine) -> None:
    site = delivering(engine, *NAMES, "old")
    browser = reader(site)
    page = text_of(browser.get("/console/deliveries").text)
    crm = "webhook:crm waiting crm.example complaint_abuse 1 entry since 2026-11-20 12:00 UTC"
    assert f"{crm} not attempted yet 1 entry none yet" in page
    (row,) = outbox.due(engine, "webhook:crm", site.now)
    outbox.postpone(engine, row, site.now + timedelta(minutes=2), "HTTP status 503 <b>")
    outbox.stop(engine, "webhook:desk", "HTTP status 410")
    failed = LastAnswers(failed_at=site.now, problem="HTTP status 503 <b>")
    save_answers(engine, "webhook:crm", failed)
    html = browser.get("/console/deliveries").text
    page = text_of(html)
    assert (
        "HTTP status 503 &lt;b&gt; 1 entry, after 1 attempt at most"
        " Not accepted on 2026-11-20 12:00 UTC : HTTP status 503 &lt;b&gt; 2026-11-20 12:02 UTC"
    ) in page
    assert (
        "webhook:desk stopped desk.example 1 entry since 2026-11-20 12:00 UTC HTTP status 410"
        in page
    )
    assert "sesbounce outbox retry --target webhook:desk" in page
    assert "old removed 1 entry since" in page
    assert "sesbounce outbox discard --target old" in page
    assert outbox.oldest(engine, "old", most=0) is None  # nobody reads them all
    assert "jane" not in html
    assert "sesame" not in html
    site.close()


def test_a_target_that_has_got_everything_is_in_order(engine: sa.Engine) -> None:
    site = delivering(engine)
    save_answers(engine, "webhook:desk", LastAnswers(failed_at=site.now, problem="no route"))
    save_answers(engine, "webhook:desk", LastAnswers(delivered_at=site.now + DAY))
    page = text_of(reader(site).get("/console/deliveries").text)
    assert (
        "webhook:desk in order desk.example 0 entries nothing waits Accepted on"
        " 2026-11-21 12:00 UTC . Not accepted on 2026-11-20 12:00 UTC : no route"
    ) in page
    site.close()
