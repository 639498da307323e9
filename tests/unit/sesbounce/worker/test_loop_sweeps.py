"""The sweeps of the loop: expired suppressions, incidents, and senders that are stopped."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa

from scripts.local.ses_messages import Scenario
from sesbounce.store.store import Store
from sesbounce.store.sweep import Progress
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.reports import Stalled, Swept
from sesbounce.worker import loop
from sesbounce.worker.loop import LoopSettings
from tests import sending
from tests.support import AT, in_sns, mail, said, until
from tests.unit.sesbounce.worker.working import Shelf, body, make, rename, run


def outage() -> list[str]:
    """Deliveries to 30 addresses of a provider, and their hard bounces a day later."""
    about = [mail(f"user{n}@gmail.com", f"-{n}") for n in range(30)]
    told = [said(Scenario.SUCCESS, replace(m, message_id=f"d{m.message_id}")) for m in about]
    told += [
        said(Scenario.BOUNCE, replace(m, message_id=f"b{m.message_id}"), at=AT + timedelta(days=1))
        for m in about
    ]
    return [in_sns(message) for message in told]


def test_before_it_ends_it_looks_for_incidents_and_logs_what_it_finds(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    working = make(engine, Shelf(outage()), now=AT + timedelta(days=1))
    set_up_logs("json")
    totals = working.run()
    assert (totals.suppressed, totals.released) == (30, 30)
    looked = [swept.incidents for swept in working.of(Swept) if swept.incidents is not None]
    assert looked[-1] == 1
    text = "".join(capsys.readouterr())
    (found,) = (line for line in map(json.loads, text.splitlines()) if line["event"] == "incident")
    assert (found["level"], found["provider"], found["state"]) == ("warning", "google", "open")
    assert (found["begins"], found["ends"]) == (
        "2026-11-21T11:00:00+00:00",
        "2026-11-21T14:00:00+00:00",
    )
    assert found["numbers"].startswith("30 hard bounces, 30 of addresses with")
    assert "user" not in text


def test_incidents_wait_until_the_sweep_of_the_store_has_ended(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    working = make(engine, Shelf([body()]))
    progresses = [Progress(1, 3), Progress(1, 3), Progress(2, 3)]
    unfinished = property(lambda _: progresses.pop(0) if progresses else None)
    monkeypatch.setattr(Store, "progress", unfinished)
    working.run()
    assert [swept.incidents for swept in working.of(Swept)][:2] == [None, None]
    looked = [swept.incidents for swept in working.of(Swept) if swept.incidents is not None]
    assert looked[-1] == 0


def test_it_says_which_senders_are_stopped_though_nobody_has_asked(
    engine: sa.Engine, capsys: pytest.CaptureFixture[str]
) -> None:
    working = make(engine, Shelf([]))
    sending.count(engine, AT, delivered=700, hard=300)
    set_up_logs("json")
    working.run()
    assert [swept.stopped for swept in working.of(Swept) if swept.stopped is not None] == [2]
    logged = map(json.loads, "".join(capsys.readouterr()).splitlines())
    stopped = [line for line in logged if line["event"] == "sender stopped"]
    assert {line["sender"] for line in stopped} == {
        sending.IDENTITY,
        f"{sending.ACCOUNT}/{sending.REGION}",
    }
    assert all("300 hard bounces in 1,000 mails" in line["why"] for line in stopped)


def test_a_sweep_of_incidents_that_fails_is_retried(
    engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "_SWEEP_RETRY_SECONDS", 0.01)
    shelf = Shelf([])
    working = make(engine, shelf, loop_settings=LoopSettings(pollers=1))
    rename(engine, "feedback_hour", "gone")
    thread = run(working)
    until(lambda: len(working.of(Stalled)) >= 2)
    rename(engine, "gone", "feedback_hour")
    until(lambda: any(swept.incidents == 0 for swept in working.of(Swept)))
    working.worker.stop()
    thread.join()


def test_expired_suppressions_are_restored_before_the_first_message(engine: sa.Engine) -> None:
    make(engine, Shelf([body(scenario=Scenario.SUPPRESSIONLIST)])).run()
    later = AT + timedelta(days=31)
    totals = make(engine, Shelf(), now=later).run()
    assert totals.restored_rows == 1
