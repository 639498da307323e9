"""Shows the results of checks, to people and to programs."""

from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec

from sesbounce.doctor.finding import Result, Status


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """One result, as programs read it; the id and the status are stable, the texts are not."""

    id: str
    status: Status
    title: str
    findings: list[dict[str, str]] = []
    reason: str = ""


def shown(result: Result) -> Shown:
    """A result for programs."""
    findings = [
        {"weight": each.weight, "what": each.what, "why": each.why, "remedy": each.remedy}
        for each in result.findings
    ]
    return Shown(result.id, result.status, result.title, findings, result.reason)


def lines(result: Result) -> Iterator[str]:
    """A result for people: a line, and one more for each finding."""
    if result.status is Status.SKIPPED:
        yield f"skipped  {result.id}: {result.reason}"
    elif result.status is Status.OK:
        yield f"ok       {result.id}: {result.title}"
    for each in result.findings:
        yield f"{each.weight:<7}  {result.id}: {each.what}: {each.why}. {each.remedy}."


def total(results: Iterable[Result]) -> str:
    """How many results have each status, as a sentence: `nothing broken, 1 hint, 20 ok`."""
    counts = Counter(result.status for result in results)
    hints = "hints" if counts[Status.HINT] > 1 else "hint"
    others = [
        f"{counts[status]} {hints if status is Status.HINT else status}"
        for status in (Status.HINT, Status.SKIPPED, Status.OK)
        if counts[status]
    ]
    broken = f"{counts[Status.BROKEN] or 'nothing'} broken"
    return f"{', '.join([broken, *others])}."
