"""Dead letters in words and tables."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import click
import msgspec

from sesbounce.aws.dead_letters import Letter
from sesbounce.cli.common import counted, to_json
from sesbounce.dead_letters.actions import fields
from sesbounce.dead_letters.grouping import Diagnosis, Group, expires_at
from sesbounce.dead_letters.working import Survey, Worked
from sesbounce.privacy.redaction import redact
from sesbounce.store.result import Recorded
from sesbounce.telemetry.visible import visible, visible_lines

_HEADS = ("count", "understood", "first", "last", "expires in")


def letters(number: int) -> str:
    """A number of dead letters in words."""
    return counted(number, "dead letter")


def table(name: str, survey: Survey, now: datetime) -> Iterator[str]:
    """What `list` prints: a line about the queue, and a table of the groups."""
    found = sum(group.count for group in survey.groups)
    if not found:
        yield f"No dead letter in {name}." if not survey.looked_at else "No dead letter matches."
    else:
        yield (
            f"{letters(found)} in {name}, in {counted(len(survey.groups), 'group')}; this version "
            f"understands {survey.understood:,} of them."
        )
        rows = [[*_HEADS, "cause"], *(_row(group, now) for group in survey.groups)]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)][:-1]
        for *cells, cause in rows:
            shown = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
            yield "  ".join([*shown, cause])
    yield from notes(survey)


def notes(survey: Survey) -> Iterator[str]:
    """What a person should know about the letters that a pass did not get."""
    if survey.in_flight:
        yield (
            f"About {counted(survey.in_flight, 'more dead letter is', 'more dead letters are')} in "
            "flight: another program has received them, or a command that was killed. They become "
            "visible within minutes."
        )
    if survey.cut:
        yield (
            f"The queue holds more letters: one command looks at {survey.looked_at:,} of them at "
            "most."
        )


def _row(group: Group, now: datetime) -> list[str]:
    return [
        f"{group.count:,}",
        f"{group.understood:,}",
        _minute(group.first),
        _minute(group.last),
        "" if group.expires_at is None else duration(group.expires_at - now),
        cause(group.code, group.fingerprint, group.problem, group.place),
    ]


def cause(code: str | None, fingerprint: str, problem: str, place: str | None) -> str:
    """The cause of a group or of a letter, on one line."""
    text = f"{code}: {redact(problem)}" if code is not None else f"{fingerprint} {problem}"
    return visible(f"{text} (at {place})" if place else text)


def duration(left: timedelta) -> str:
    """A time that is left in its two largest units: `13 d 4 h`."""
    minutes = int(left.total_seconds() // 60)
    if minutes <= 0:
        return "now"
    days, hours = divmod(minutes // 60, 24)
    if days:
        return f"{days} d {hours} h"
    return f"{hours} h {minutes % 60} min" if hours else f"{minutes} min"


def group_json(group: Group, now: datetime) -> dict[str, Any]:
    """A group as an object of JSON."""
    left = group.expires_at and max(0, int((group.expires_at - now).total_seconds()))
    shown = msgspec.structs.asdict(group)
    del shown["letters"]
    return {**shown, "problem": redact(group.problem), "expires_in_seconds": left}


def letter_json(
    letter: Letter, diagnosis: Diagnosis, retention: timedelta, *, hide: bool
) -> dict[str, Any]:
    """A letter as an object of JSON; `hide` hides the local parts of addresses."""
    shown: dict[str, Any] = fields(letter)
    del shown["attributes"]
    shown["expires_at"] = letter.sent_at and expires_at(letter.sent_at, retention)
    shown |= msgspec.structs.asdict(diagnosis)
    if hide:
        shown |= {name: redact(shown[name] or "") for name in ("body", "reason")}
    return shown


def letter_text(
    letter: Letter, diagnosis: Diagnosis, expires: datetime | None, now: datetime, *, hide: bool
) -> str:
    """A letter for people: what is known of it, and its body."""
    head = [f"Letter {letter.id}"]
    if letter.sent_at:
        head.append(f"sent {_minute(letter.sent_at)}Z")
    if expires:
        head.append(f"expires in {duration(expires - now)}")
    head.append(counted(letter.times, "receive"))
    body = redact(letter.body) if hide else letter.body
    lines = [visible(", ".join(head))]
    if letter.code is not None:
        lines.append(f"  {cause(letter.code, '', letter.reason or '', None)}")
    says = "understood" if diagnosis.understood else "not understood"
    of_it = cause(None, diagnosis.fingerprint, diagnosis.problem, diagnosis.place)
    return "\n".join([*lines, f"  {says}: {of_it}", visible_lines(body)])


def _minute(at: datetime | None) -> str:
    return "" if at is None else f"{at:%Y-%m-%d %H:%M}"


def report(
    verb: str, survey: Survey, worked: Worked, *, as_json: bool, recorded: Recorded | None = None
) -> None:
    """Print what a command did with the selected letters, and how many are left."""
    if as_json:
        numbers = {"selected": len(survey.selected), "dry_run": False, "done": worked.done}
        click.echo(to_json({**numbers, **({} if recorded is None else {"recorded": recorded})}))
    else:
        click.echo(f"{letters(worked.done)} {verb}.")
        if recorded is not None:
            click.echo(_in_words(recorded))
    if missing := left(survey, worked):
        click.echo(f"sesbounce: {missing}", err=True)


def left(survey: Survey, worked: Worked) -> str:
    """How many of the selected letters are not handled, and why; empty without any."""
    number = len(survey.selected) - worked.done
    if number <= 0:
        return ""
    parts = []
    if worked.gone:
        parts.append(f"{worked.gone:,} did not come back, because others have received them")
    if worked.expired:
        parts.append(f"others could receive {worked.expired:,} before they were handled")
    why = f" ({'; '.join(parts)})" if parts else ""
    return f"{letters(number)} not handled{why}: repeat the command"


def _in_words(recorded: Recorded) -> str:
    return (
        f"{counted(recorded.events, 'event')} recorded, {recorded.duplicates:,} known already; "
        f"{counted(recorded.suppressed, 'address', 'addresses')} suppressed "
        f"({counted(recorded.struck_rows, 'row')} struck off), "
        f"{recorded.released:,} released ({counted(recorded.restored_rows, 'row')} restored)."
    )
