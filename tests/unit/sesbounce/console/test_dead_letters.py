"""The dead letters: what a person sees of them, and does with them; the queue is in memory."""

import asyncio
import json
import re
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from sesbounce.aws.dead_letters import DeadLetterQueue
from sesbounce.console import letter_queues
from sesbounce.console.dead_letters import MOST_LETTERS
from sesbounce.dead_letters import opening
from sesbounce.errors import QueueError
from sesbounce.store.tokens import Scope
from tests.console import FORM, HOME, Browser, Site, forms, press, text_of
from tests.stored import rows
from tests.support import AT, in_sns, mail, said, until
from tests.unit.sesbounce.dead_letter_queue import QUEUE_URL, FakeSqs, in_memory, rejected

GOOD = [in_sns(said(about=mail(f"person{n}@example.com", f"m{n}"))) for n in range(3)]
BAD = ["no JSON: jane@example.com", "no JSON either"]
DENIED = {
    "ErrorCode": {"DataType": "String", "StringValue": "KMS.AccessDeniedException"},
    "ErrorMessage": {"DataType": "String", "StringValue": "jane@example.com may not"},
}
PATH = "/console/dead-letters"
MAIN = f"{PATH}/main"


@pytest.fixture
def sqs(monkeypatch: pytest.MonkeyPatch) -> FakeSqs:
    fake = FakeSqs([*GOOD, *BAD])
    fake.sent_at = int((AT - timedelta(days=10)).timestamp() * 1000)
    in_memory(fake, monkeypatch)
    monkeypatch.setattr(letter_queues, "_KNOWN_SECONDS", 0)
    return fake


@pytest.fixture
def site(engine: sa.Engine) -> Iterator[Site]:
    made = Site(engine, queue_url=QUEUE_URL)
    yield made
    made.close()


def look(browser: Browser, which: str = "main") -> httpx.Response:
    answer = browser.send(f"{PATH}/{which}/look")
    assert answer.status_code == 200
    return answer


def opened(browser: Browser, problem: str = "") -> httpx.Response:
    """The page of the group with this problem; of all letters, without one."""
    page = look(browser).text
    if not problem:
        return press(browser, page, "Open all 5 letters")
    row = next(row for row in page.split("<tr>") if problem in row)
    answer = press(browser, row, "Open")
    assert answer.status_code == 200
    return answer


def test_a_get_receives_nothing(sqs: FakeSqs, admin: Browser) -> None:
    sqs.hidden["id-0"] = "theirs"
    page = admin.get(PATH)
    assert page.status_code == 200
    assert text_of(page).count("About 4 letters can be received. About 1 letter is hidden") == 2
    assert set(sqs.calls) == {"GetQueueAttributes"}
    assert set(forms(page.text)) >= {
        "Look at the letters of the queue",
        "Look at the letters of the subscription",
    }
    sqs.hidden.clear()
    sqs.bodies.clear()
    assert "Look at" not in admin.get(PATH).text


def test_what_sqs_says_is_kept_for_some_seconds(
    sqs: FakeSqs, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_queues, "_KNOWN_SECONDS", 60)
    for _ in range(3):
        admin.get(PATH)
    assert len(sqs.calls) == 2


def test_a_look_groups_and_leaves_all_visible(sqs: FakeSqs, site: Site) -> None:
    sqs.message_attributes["id-4"] = DENIED
    viewer = site.with_role("viewer")
    page = look(viewer)
    shown = text_of(page)
    assert "looked at 5 letters, and there were no others. This version understands 3" in shown
    for words in ("Bounce", "not JSON", "KMS.AccessDeniedException", "4 days"):
        assert words in shown
    # A viewer sees no text of letters, and can't open them.
    assert "may not" not in shown
    assert "example.com" not in page.text
    assert [one for one in forms(page.text) if "pen" in one] == []
    operator = site.with_role("operator")
    assert "jane@example.com may not" in text_of(look(operator))
    assert len(sqs.visible) == 5


def test_a_long_look_continues_by_a_button(
    sqs: FakeSqs, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letter_queues, "_LOOK", letter_queues._LOOK._replace(letters=20))
    sqs.bodies = {f"id-{n}": f"no JSON {n}" for n in range(45)}
    first = look(admin)
    assert "looked at the first 20 of about 45 letters" in text_of(first)
    # They are hidden, so that the next part finds others.
    assert len(sqs.visible) == 25
    # Another queue has other letters.
    further = forms(first.text)["Continue"]["look"]
    assert admin.send(f"{PATH}/subscription/look", look=further).status_code == 404
    second = press(admin, first, "Continue")
    assert "looked at the first 40 of about 45 letters" in text_of(second)
    last = press(admin, second, "Continue")
    assert "looked at 45 letters, and there were no others" in text_of(last)
    assert "Continue" not in forms(last.text)
    sqs.surface()
    page = press(admin, last, "Open")
    assert "Export 45 letters" in forms(page.text)


def test_a_look_has_an_end(sqs: FakeSqs, admin: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    limits = letter_queues._LOOK._replace(letters=MOST_LETTERS)
    monkeypatch.setattr(letter_queues, "_LOOK", limits)
    sqs.bodies = {f"id-{n}": "no" for n in range(MOST_LETTERS + 20)}
    page = look(admin)
    assert "can look at no more of them here" in text_of(page)
    assert "Continue" not in forms(page.text)
    sqs.surface()
    # The largest form is not too large.
    assert press(admin, page, "Open").status_code == 200


def test_a_look_that_sqs_breaks_off_leaves_all_visible(sqs: FakeSqs, admin: Browser) -> None:
    def reject(call: str) -> None:
        if call == "ReceiveMessage" and sqs.received:
            raise rejected("AccessDenied", "not authorized")

    sqs.bodies = {f"id-{n}": "no" for n in range(15)}
    sqs.before = reject
    answer = admin.send(f"{MAIN}/look")
    assert answer.status_code == 503
    shown = text_of(answer)
    assert "sqs:ReceiveMessage on" in shown
    assert 'api = { dead_letters = "handle" }' in shown
    assert len(sqs.visible) == 15
    sqs.before = lambda _: None
    assert "looked at 15 letters" in text_of(press(admin, answer, "Retry"))


def test_a_browser_that_leaves_leaves_all_visible(sqs: FakeSqs, site: Site) -> None:
    receives, may_go_on = threading.Event(), threading.Event()

    def wait(call: str) -> None:
        if call == "ReceiveMessage" and sqs.received:
            receives.set()
            assert may_go_on.wait(30)

    async def leave(app: Any) -> None:
        transport = httpx.ASGITransport(app=app)
        headers = {"Sec-Fetch-Site": "same-origin", "Content-Type": FORM}
        async with httpx.AsyncClient(transport=transport, base_url=HOME) as client:
            sent = asyncio.create_task(client.post(f"{MAIN}/look", headers=headers))
            await asyncio.to_thread(receives.wait, 30)
            sent.cancel()
            assert len(sqs.visible) == 5
            may_go_on.set()
            with pytest.raises(asyncio.CancelledError):
                await sent

    sqs.bodies |= {f"more-{n}": "no" for n in range(10)}
    sqs.before = wait
    asyncio.run(leave(site.app()))
    # The thread goes on until it has made them visible, and nobody waits for it.
    until(lambda: len(sqs.visible) == 15)


def test_one_thread_looks_at_a_time(sqs: FakeSqs, site: Site) -> None:
    app = site.app()
    admin = site.logged_in(Scope.ADMIN, app=app)
    other = site.logged_in(Scope.ADMIN, app=app, name="ann")
    answers: list[httpx.Response] = []

    def meanwhile(call: str) -> None:
        if call == "ReceiveMessage" and not answers:
            answers.append(other.send(f"{MAIN}/look"))

    page = opened(admin)
    sqs.before = meanwhile
    assert press(admin, page, "Export 5 letters").status_code == 200
    assert answers[0].status_code == 409
    assert "Somebody else is looking at dead letters" in text_of(answers[0])
    assert "looked at 5 letters" in text_of(press(other, answers[0], "Retry"))


def test_a_group_shows_letters_as_texts_and_why_they_failed(sqs: FakeSqs, admin: Browser) -> None:
    page = opened(admin, "not JSON")
    shown = text_of(page)
    assert "no JSON: jane@example.com" in shown
    assert "Problem not JSON: JSON is malformed" in shown
    assert "Record 0 letters" not in forms(page.text)
    understood = text_of(opened(admin, "Bounce"))
    assert "Type Bounce Events person0@example.com : " in understood
    assert len(sqs.visible) == 5


def test_a_long_letter_is_cut(sqs: FakeSqs, admin: Browser) -> None:
    sqs.bodies = {"id-0": "x" * 30_000, "id-1": '{"Records": 1}'}
    shown = text_of(opened(admin, "not JSON"))
    assert "x" * 20_000 in shown
    assert "x" * 20_001 not in shown
    assert "the first 20,000 characters" in shown


def test_record_what_is_understood_and_no_other_letter(
    sqs: FakeSqs, site: Site, admin: Browser
) -> None:
    page = opened(admin)
    sqs.bodies["later"] = in_sns(said(about=mail("later@example.com", "later")))
    done = press(admin, page, "Record 3 letters")
    assert "3 letters were recorded in the database and deleted. 3 events recorded" in text_of(done)
    assert "3 addresses suppressed" in text_of(done)
    assert sorted(sqs.visible) == sorted([*BAD, sqs.bodies["later"]])
    assert rows(site.engine, "SELECT count(*) FROM feedback_event") == [(3,)]
    # Twice is once.
    sqs.bodies |= {f"id-{n}": body for n, body in enumerate(GOOD)}
    again = press(admin, page, "Record 3 letters")
    assert "0 events recorded, 3 known already" in text_of(again)
    assert rows(site.engine, "SELECT count(*) FROM feedback_event") == [(3,)]
    (act, *_) = rows(site.engine, "SELECT act, done_by, subject, number FROM feedback_act")
    assert act == ("letters_recorded", "token admin", "feedback-dlq", 3)


def test_an_act_that_the_audit_lacks_is_in_the_log(
    sqs: FakeSqs, site: Site, admin: Browser, capsys: pytest.CaptureFixture[str]
) -> None:
    page = opened(admin, "not JSON")
    with site.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE feedback_act RENAME TO elsewhere"))
    assert press(admin, page, "Send 2 letters back").status_code == 200
    assert len(sqs.sent) == 2
    assert "audit lacks an act" in capsys.readouterr().out


def test_what_is_left_is_handled_by_the_button(sqs: FakeSqs, admin: Browser) -> None:
    page = opened(admin)
    sqs.hidden["id-1"] = "theirs"
    done = press(admin, page, "Send 5 letters back")
    assert "4 letters were sent back to the queue" in text_of(done)
    assert "1 letter is left" in text_of(done)
    sqs.surface()
    last = press(admin, done, "Send 1 letter back")
    assert "1 letter was sent back" in text_of(last)
    assert sorted(sqs.sent) == sorted([*GOOD, *BAD])
    assert sqs.bodies == {}
    assert forms(last.text).keys().isdisjoint({"Export 0 letters", "Send 0 letters back"})


def test_an_error_in_the_middle_says_what_was_done(
    sqs: FakeSqs, admin: Browser, site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    sqs.bodies = {f"id-{n}": f"no JSON {n}" for n in range(25)}
    page = press(admin, look(admin), "Open")

    def reject(call: str) -> None:
        if call == "SendMessageBatch" and len(sqs.sent) == 10:
            raise rejected("AccessDenied", "not authorized")

    sqs.before = reject
    done = press(admin, page, "Send 25 letters back")
    assert done.status_code == 503
    shown = text_of(done)
    assert "10 letters were sent back to the queue." in shown
    assert "15 letters are left" in shown
    assert "Then an error ended the work: sqs:SendMessage on" in shown
    assert len(sqs.visible) == len(sqs.bodies) == 15
    sqs.before = lambda _: None
    assert "15 letters were sent back" in text_of(press(admin, done, "Send 15 letters back"))


@pytest.mark.parametrize(
    ("button", "act"),
    [
        ("Record 5 letters", ("letters_recorded", 5)),
        ("Send 5 letters back", ("letters_sent_back", 5)),
    ],
)
def test_an_act_is_in_the_audit_though_sqs_deletes_nothing(
    button: str, act: tuple[str, int], sqs: FakeSqs, admin: Browser, site: Site
) -> None:
    sqs.bodies = {f"id-{n}": GOOD[n % 3] for n in range(5)}
    page = press(admin, look(admin), "Open")

    def reject(call: str) -> None:
        if call == "DeleteMessageBatch":
            raise rejected("AccessDenied", "not authorized")

    sqs.before = reject
    done = press(admin, page, button)
    assert done.status_code == 503
    assert "5 letters are left" in text_of(done)
    assert ("3 events recorded" in text_of(done)) is (act[0] == "letters_recorded")
    assert rows(site.engine, "SELECT act, number FROM feedback_act") == [act]
    # The button goes on with them.
    sqs.before = lambda _: None
    assert press(admin, done, button).status_code == 200
    assert sqs.bodies == {}


def test_the_name_of_the_queue_is_known_before_anything_is_done(
    sqs: FakeSqs, site: Site, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = opened(admin, "not JSON")

    def forget(call: str) -> None:
        if call == "SendMessageBatch":
            monkeypatch.setattr(letter_queues, "_FOUND_SECONDS", 0)
            monkeypatch.setattr(opening, "main_dead_letter_queue", away)

    def away(*_: Any) -> str:
        raise QueueError("away")

    sqs.before = forget
    assert press(admin, page, "Send 2 letters back").status_code == 200
    assert rows(site.engine, "SELECT act, number FROM feedback_act") == [("letters_sent_back", 2)]


def test_the_database_can_not_answer(sqs: FakeSqs, site: Site, admin: Browser) -> None:
    page = opened(admin)

    def drop(call: str) -> None:
        if call == "ReceiveMessage":
            with site.engine.begin() as connection:
                connection.execute(sa.text("DROP TABLE IF EXISTS feedback_event"))

    sqs.before = drop
    done = press(admin, page, "Record 3 letters")
    assert done.status_code == 503
    assert "The database can't answer" in text_of(done)
    assert "feedback_event" not in done.text
    assert len(sqs.visible) == 5


def exported(answer: httpx.Response) -> tuple[list[Any], str]:
    """The letters of a file, and its code."""
    assert answer.status_code == 200
    *letters, last = map(json.loads, answer.text.splitlines())
    assert last["letters"] == len(letters)
    return letters, last["code"]


def test_an_export_is_a_file_and_leaves_the_letters(sqs: FakeSqs, site: Site) -> None:
    sqs.message_attributes["id-4"] = DENIED
    operator = site.with_role("operator")
    answer = press(operator, opened(operator), "Export 5 letters")
    assert re.fullmatch(
        r'attachment; filename="dead-letters-main-2026-\d\d-\d\d-\d{6}\.jsonl"',
        answer.headers["Content-Disposition"],
    )
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    assert answer.headers["Cache-Control"] == "no-store"
    letters, _ = exported(answer)
    assert {letter["id"]: letter["body"] for letter in letters} == sqs.bodies
    assert letters[-1]["attributes"] == DENIED
    assert len(sqs.visible) == 5


def test_delete_needs_the_end_of_the_file(sqs: FakeSqs, site: Site, admin: Browser) -> None:
    page = opened(admin, "not JSON")
    wrong = press(admin, page, "Delete 2 letters", code="AAAAAAAA")
    assert wrong.status_code == 422
    assert "This is not the code of a file with exactly these letters" in text_of(wrong)
    _, of_all = exported(press(admin, opened(admin), "Export 5 letters"))
    assert press(admin, page, "Delete 2 letters", code=of_all).status_code == 422
    assert len(sqs.bodies) == 5
    letters, code = exported(press(admin, wrong, "Export 2 letters"))
    assert sorted(letter["body"] for letter in letters) == sorted(BAD)
    sqs.bodies["later"] = "no JSON, later"
    sqs.hidden["id-4"] = "theirs"
    done = press(admin, page, "Delete 2 letters", code=f" {code.lower()} ")
    assert "1 letter was deleted." in text_of(done)
    # The person has shown the file, and need not do so once more.
    sqs.surface()
    last = press(admin, done, "Delete 1 letter")
    assert "1 letter was deleted." in text_of(last)
    assert sorted(sqs.visible) == sorted([*GOOD, "no JSON, later"])
    acts = "SELECT act, substr(subject, 1, 25), number FROM feedback_act ORDER BY id"
    assert rows(site.engine, acts) == [
        ("letters_exported", "feedback-dlq", 5),
        ("letters_exported", "feedback-dlq fingerprint=", 2),
        ("letters_deleted", "feedback-dlq fingerprint=", 1),
        ("letters_deleted", "feedback-dlq fingerprint=", 1),
    ]
    assert site.with_role("operator").send(f"{MAIN}/delete").status_code == 403


def test_there_is_no_file_that_lacks_letters(sqs: FakeSqs, admin: Browser) -> None:
    page = opened(admin)
    sqs.hidden["id-1"] = "theirs"
    answer = press(admin, page, "Export 5 letters")
    assert answer.status_code == 409
    assert "Content-Disposition" not in answer.headers
    assert "Not all of these letters came, so there is no file" in text_of(answer)


def test_handling_needs_the_scope_that_shows_letters(sqs: FakeSqs, site: Site) -> None:
    decider = site.logged_in(Scope.READ, Scope.DECIDE, name="decider")
    for action in ("replay", "redrive"):
        answer = decider.send(f"{MAIN}/{action}", letters="x")
        assert answer.status_code == 403
        assert "lacks the scope “export”" in answer.text
    exporter = site.logged_in(Scope.READ, Scope.EXPORT, name="exporter")
    buttons = forms(opened(exporter).text)
    assert "Export 5 letters" in buttons
    assert not [button for button in buttons if button.startswith(("Record", "Send", "Delete"))]


def test_a_form_names_letters_of_its_queue_alone(sqs: FakeSqs, admin: Browser) -> None:
    letters = forms(opened(admin).text)["Send 5 letters back"]["letters"]
    assert admin.send(f"{PATH}/subscription/redrive", letters=letters).status_code == 404
    assert admin.send(f"{PATH}/other/redrive", letters=letters).status_code == 404
    for form in ({}, {"letters": "x"}, {"letters": letters[:-3]}):
        assert admin.send(f"{MAIN}/redrive", **form).status_code == 404
    assert admin.send(f"{MAIN}/look", look=letters).status_code == 404
    assert sqs.sent == []


def test_a_queue_that_moves_letters_on_is_left_alone(sqs: FakeSqs, admin: Browser) -> None:
    page = opened(admin)
    sqs.calls.clear()
    sqs.attributes["RedrivePolicy"] = "{}"
    answers = [admin.send(f"{MAIN}/look"), press(admin, page, "Send 5 letters back")]
    assert [answer.status_code for answer in answers] == [503, 503]
    assert all("SQS would move letters" in text_of(answer) for answer in answers)
    assert set(sqs.calls) == {"GetQueueAttributes"}


def test_without_a_queue_the_page_says_which_setting_is_missing(engine: sa.Engine) -> None:
    site = Site(engine)
    try:
        page = site.with_role("viewer").get(PATH)
        assert page.status_code == 200
        assert "SESBOUNCE_QUEUE_URL" in text_of(page)
        answer = site.with_role("admin").send(f"{MAIN}/look")
        assert answer.status_code == 503
        assert "SESBOUNCE_QUEUE_URL is not set" in text_of(answer)
    finally:
        site.close()


def test_what_aws_rejects_is_said_and_is_no_error(
    sqs: FakeSqs, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nothing(*_: Any) -> str:
        raise QueueError("no subscription of the queue has a dead-letter queue", lasting=True)

    monkeypatch.setattr(opening, "subscription_dead_letter_queue", nothing)
    monkeypatch.setattr(letter_queues, "_FAILED_SECONDS", 600)

    def reject(_: str) -> None:
        raise rejected("AccessDenied", "not authorized")

    sqs.before = reject
    page = admin.get(PATH)
    assert page.status_code == 200
    shown = text_of(page)
    assert "no subscription of the queue has a dead-letter queue" in shown
    assert "Your AWS user or role needs sqs:GetQueueAttributes" in shown
    assert shown.count('api = { dead_letters = "handle" }') == 1
    # The answer is kept for a while.
    asked = len(sqs.calls)
    admin.get(PATH)
    assert len(sqs.calls) == asked


def test_without_boto3_the_page_says_what_to_install(
    sqs: FakeSqs, admin: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "sesbounce.console.letter_queues")
    monkeypatch.setitem(sys.modules, "botocore.config", None)
    page = admin.get(PATH)
    assert page.status_code == 200
    assert "pip install 'sesbounce[worker]'" in text_of(page)


def test_the_calls_of_a_page_end_soon() -> None:
    config = letter_queues._CONFIG
    attempts = config.retries["total_max_attempts"]  # type: ignore[attr-defined]
    assert attempts * config.connect_timeout <= 5  # type: ignore[attr-defined]
    wait_seconds = letter_queues._LOOK.wait_seconds
    assert wait_seconds < config.read_timeout <= 5  # type: ignore[attr-defined]
    assert DeadLetterQueue.receive.__defaults__ != (wait_seconds,)
