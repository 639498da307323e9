"""What mail servers, mailbox owners and people wrote is text, on every page."""

import json
import re
from html.parser import HTMLParser
from unicodedata import category

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.console.what_if import CHOICE, NUMBERS
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Reason
from sesbounce.operations.incident_rows import new
from sesbounce.operations.incidents import Incidents
from sesbounce.policy.gate import SenderName
from sesbounce.policy.incident import Incident
from sesbounce.policy.outage import hour_of
from sesbounce.policy.sending import Resume
from sesbounce.policy.tally import SenderHour
from sesbounce.store import schema
from sesbounce.store.incidents import IncidentStatus
from sesbounce.store.senders import add_numbers
from sesbounce.store.sending import insert_resume
from sesbounce.store.workers import save_worker
from tests.console import Browser, Site, forms, press
from tests.support import AT, mail, said
from tests.unit.sesbounce.dead_letter_queue import QUEUE_URL, FakeSqs, in_memory
from tests.unit.sesbounce.store.test_workers import worker

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' autofocus onfocus='alert(1)",
    "</textarea></title><svg/onload=alert(1)>",
    "{{ 7919 * 6421 }}{% raw %}{number}{0}",
    "\u202eevil\u2066 \u200bhidden",
    "NUL\0and\x1b[2J\x07 \x9b31m",
    "javascript:alert(1)",
    "\r\nSet-Cookie: x=y\r\n\r\n<html>",
]
_INCIDENT = {"provider": "gmail.com", "begins": "2026-11-20T11:30", "ends": ""}
_ALLOWED = {
    "a", "article", "aside", "bdi", "blockquote", "body", "br", "button", "caption", "circle",
    "code", "dd", "desc", "details", "div", "dl", "dt", "figcaption", "figure", "footer", "form",
    "h1", "h2", "h3", "head", "header", "html", "i", "input", "label", "li", "line", "link", "main",
    "meta", "nav", "ol", "option", "p", "path", "polygon", "polyline", "q", "rect", "script",
    "section", "select", "small", "span", "strong", "summary", "svg", "table", "tbody", "td",
    "text", "textarea", "th", "thead", "time", "title", "tr", "ul",
}  # fmt: skip


class Strict(HTMLParser):
    """Finds what a page must not hold."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.wrong: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = dict(attributes)
        if tag not in _ALLOWED:
            self.wrong.append(tag)
        self.wrong += [name for name in given if name.startswith("on") or name == "style"]
        for name in ("src", "href", "action"):
            value = given.get(name) or "/console"
            if not re.match(r"/console\b|#(main|apply)$", value):
                self.wrong.append(value)
        if tag == "script" and "src" not in given:
            self.wrong.append("inline script")

    def handle_data(self, data: str) -> None:
        unsafe = {c for c in data if category(c) in {"Cc", "Cf"} and c != "\n"}
        self.wrong += map(repr, unsafe)


def assert_safe(page: str) -> None:
    assert Strict(page).wrong == []
    # A template would have computed it.
    assert str(7919 * 6421) not in re.sub(r"[^0-9]", "", page)


_ENTRY = '{"suppressed": true, "for_good": true, "parameters": {"address": "x@example.com"}}'
_WAITING = {
    "address": "x@example.com",
    "version": "1",
    "entry": _ENTRY,
    "attempts": 1,
    "due_at": AT,
}


@pytest.fixture
def attacked(site: Site) -> Site:
    """A database in which every text is hostile."""
    for number, hostile in enumerate(HOSTILE):
        text = hostile.replace("\\", "")
        message = said(Scenario.BOUNCE, mail(f"jane{number}@example.com", f"mail {number} {text}"))
        (recipient,) = message["bounce"]["bouncedRecipients"]
        recipient |= {"diagnosticCode": f"smtp; 550 5.1.1 {text}", "status": text}
        message["mail"]["source"] = text
        site.record(decode(json.dumps(message)))
        recipient["emailAddress"] = f"{text}@example.com"
        site.record(decode(json.dumps(message)))
        address = f"jane{number}@example.com"
        site.record(decide(address, Reason.SUPPRESSED_BY_HAND, AT, by=text, note=text))
        columns = ("configuration_set", "identity", "region", "tenant", "account_id", "basis")
        with site.engine.begin() as connection:
            for column in columns:
                statement = f"UPDATE feedback_event SET {column} = :text WHERE address = :address"
                values = {"text": text.replace("\0", "\ufffd"), "address": address}
                connection.execute(sa.text(statement), values)
        count_attack(site, number, text.replace("\0", "\ufffd"))
        row = worker(str(number), AT, host=text, version=text, queue=f"{number}{text}", process=1)
        with site.engine.begin() as connection:
            save_worker(connection, row)
        entry = {"target": f"webhook {number} {text}"[:64], "problem": text}
        with site.engine.begin() as connection:
            connection.execute(sa.insert(schema.outbox), _WAITING | entry)
    return site


def count_attack(site: Site, number: int, text: str) -> None:
    """A sender, a resume and an incident with hostile names."""
    name = SenderName(f"{number}{text}"[:16], text, text)
    with site.engine.begin() as connection:
        add_numbers(connection, {SenderHour(hour_of(AT), *name): [1000, 0, 300, *[1] * 5]}, {})
        insert_resume(connection, name, Resume(AT, text, text))
    found = Incident(provider=text, begins=AT, ends=None)
    Incidents(site.store).save(new(found, AT, IncidentStatus.SUSPECTED, text, text), AT)


def test_hostile_texts_are_shown_as_texts(attacked: Site, admin: Browser) -> None:
    for number in range(len(HOSTILE)):
        path = admin.path_of(f"jane{number}@example.com")
        page = admin.get(path).text
        assert_safe(page)
        assert page.count('class="event ') == 2
        assert_safe(admin.get(f"{path}/forget").text)
    page = admin.get("/console/overview").text
    assert_safe(page)
    assert page.count(">healthy</span>") == page.count(">Dead letters</a></dt>") == len(HOSTILE)
    assert page.count('class="identity"') == len(HOSTILE) + 1  # that of the bounces has no rate
    assert page.count('role="img"') == 4 * len(HOSTILE)
    assert_safe(admin.get("/console/incidents").text)
    for number in range(1, len(HOSTILE) + 1):
        assert_safe(admin.get(f"/console/incidents/{number}").text)
        opened = admin.send(f"/console/incidents/{number}", action="open")
        assert_safe(admin.follow(opened).text)
    values = dict.fromkeys(NUMBERS, "1") | {CHOICE: "suppress"}
    assert_safe(admin.follow(admin.send("/console/what-if", **values)).text)
    page = admin.get("/console/suppressions").text
    assert_safe(page)
    deliveries, audit = admin.get("/console/deliveries").text, admin.get("/console/audit").text
    assert deliveries.count(">removed</span>") == len(HOSTILE)
    assert audit.count(">incident opened</span>") == len(HOSTILE)
    assert (
        audit.count(">sender resumed</span>") == audit.count(">suppressed</span>") == len(HOSTILE)
    )
    assert_safe(deliveries)
    assert_safe(audit)
    links = re.findall(r'<th scope="row"><a href="([^"]*)"', page)
    assert len(links) == 2 * len(HOSTILE)
    since = admin.follow(admin.send("/console/suppressions", since="2026-01-01")).text
    (confirm,) = re.findall(r'href="(/console/suppressions/allow[^"]*)"', since)
    assert_safe(admin.get(confirm).text)
    for link in links:
        answer = admin.get(link)
        assert answer.status_code == 200
        assert_safe(answer.text)


def test_hostile_letters_are_shown_as_texts(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    sqs = FakeSqs(HOSTILE)
    in_memory(sqs, monkeypatch)
    for number, hostile in enumerate(HOSTILE):
        of_bounce = mail(f"{hostile}@example.com", hostile)
        sqs.bodies[f"understood-{number}"] = json.dumps(said(Scenario.BOUNCE, of_bounce))
        values = {"ErrorCode": f"{number}{hostile}", "ErrorMessage": hostile}
        sqs.message_attributes[f"id-{number}"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in values.items()
        }
    site = Site(engine, queue_url=QUEUE_URL)
    admin = site.with_role("admin")
    page = admin.send("/console/dead-letters/main/look").text
    assert_safe(page)
    rows = [row for row in page.split("<tr>") if ">Open<" in row]
    assert len(rows) == len(HOSTILE) + 1
    for row in rows:
        group = press(admin, row, "Open")
        assert_safe(group.text)
        assert group.text.count("<article") >= 1
        button = next(name for name in forms(group.text) if name.startswith("Export"))
        file = press(admin, group, button)
        *letters, _ = map(json.loads, file.text.splitlines())
        assert {letter["body"] for letter in letters} <= set(sqs.bodies.values())
    site.close()


@pytest.mark.parametrize("hostile", HOSTILE)
def test_hostile_forms_are_answered_with_texts(site: Site, admin: Browser, hostile: str) -> None:
    path = admin.path_of("jane@example.com")
    plan = admin.send("/console/incidents", **_INCIDENT).headers["Location"].partition("plan=")[2]
    answers = [
        admin.send("/console/look-up", address=hostile),
        admin.send(f"{path}/suppress", note=hostile, once=hostile),
        admin.send(f"{path}/suppress", note=hostile * 200),
        admin.send(f"{path}/forget", confirmation=hostile),
        admin.send(f"{path}/undo", decision=hostile),
        *(
            admin.send("/console/suppressions", **{name: hostile})
            for name in ("domain", "reason", "since", "stream")
        ),
        admin.send("/console/suppressions/undo", batch=hostile),
        admin.send("/console/suppressions/allow", view=hostile, selected=hostile, note=hostile),
        *(
            admin.send("/console/incidents", **{**_INCIDENT, name: hostile})
            for name in ("provider", "begins", "ends")
        ),
        admin.send("/console/incidents/change", plan=plan, note=hostile * 200),
        admin.send("/console/what-if", strikes=hostile, possible_complaint=hostile),
        admin.send("/console/audit", by=hostile, act=hostile),
        admin.send("/console/dead-letters/main/look", look=hostile),
        admin.send("/console/dead-letters/main/letters", letters=hostile),
        admin.send("/console/dead-letters/main/delete", letters=hostile, code=hostile),
        admin.send("/console/login", token=hostile, goal=hostile),
        admin.send("/console/language", language=hostile, back=hostile),
        admin.get("/console/login", params={hostile: hostile}),
        admin.get(path, params={"done": hostile, "older": ""}),
    ]
    for answer in answers:
        assert answer.status_code in {200, 303, 401, 404, 409, 422}
        if answer.status_code == 303:
            assert re.fullmatch(r"/console[/\w=?&-]*", answer.headers["Location"])
            assert_safe(admin.get(answer.headers["Location"]).text)
        assert_safe(answer.text)
