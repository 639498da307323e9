"""Shows the results of checks, to people and to programs."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

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


def lines(results: Iterable[Result]) -> Iterator[str]:
    """Results for people: a line for each check that is ok, and for each finding, as they come.

    The checks that were skipped come last, with one line for each reason.
    """
    not_made = []
    for result in results:
        if result.status is Status.SKIPPED:
            not_made.append(result)
        elif result.status is Status.OK:
            yield f"ok       {result.id}: {result.title}"
        for each in result.findings:
            yield f"{each.weight:<7}  {result.id}: {each.what}: {each.why}. {each.remedy}."
    for reason, ids in by_reason(not_made).items():
        yield f"skipped  {', '.join(ids)}: {reason}"


def by_reason(results: Iterable[Result]) -> Mapping[str, Sequence[str]]:
    """The names of the checks that were skipped, by the reason; the first one first."""
    found: dict[str, list[str]] = {}
    for result in results:
        if result.status is Status.SKIPPED:
            found.setdefault(result.reason, []).append(result.id)
    return found


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
