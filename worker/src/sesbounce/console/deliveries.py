"""The deliveries out: what waits for each target, why, and its last answers; without addresses."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple

from starlette.responses import Response

from sesbounce.console.asking import Ask
from sesbounce.store.answers import LastAnswers, read_answers
from sesbounce.store.outbox import oldest, waiting
from sesbounce.webhook_settings import TYPES, Endpoint


class Problem(NamedTuple):
    """Entries of a target that wait for one reason.

    Attributes:
        text: why the last attempt failed; None where there was none yet.
        entries: the number of entries.
        attempts: the number of attempts that one of them has behind it at most.
    """

    text: str | None
    entries: int
    attempts: int


class Shown(NamedTuple):
    """A target of the outbox.

    Attributes:
        name: the name by which the outbox knows it.
        state: `ok`, `waiting`, `stopped`, or `removed` if the settings no longer name it.
        entries: how many entries wait for it.
        oldest: when the verdict was propagated that waits longest, UTC; None where none waits, or
            too many do.
        due_at: when the next one is attempted, UTC; None where none is, or all are stopped.
        problems: why they wait.
        answers: its last answers.
        host: the host of a webhook; None for other targets.
        limits: the types of events and the reasons to which a webhook is limited.
    """

    name: str
    state: str
    entries: int
    oldest: datetime | None
    due_at: datetime | None
    problems: Sequence[Problem]
    answers: LastAnswers
    host: str | None
    limits: Sequence[str]


def show(ask: Ask) -> Response:
    """Show the targets with what waits for each."""
    parts = ask.console.parts
    configured = {target.name for target in parts.opened.targets}
    endpoints = {endpoint.target: endpoint for endpoint in parts.settings.endpoints}
    rows, answers = waiting(ask.console.engine), read_answers(ask.console.engine)
    names = sorted(configured | {row["target"] for row in rows})
    targets = [
        _shown(
            name,
            [row for row in rows if row["target"] == name],
            endpoints.get(name),
            answers.get(name, LastAnswers()),
            oldest(ask.console.engine, name),
            known=name in configured,
        )
        for name in names
    ]
    return ask.page("deliveries", targets=targets)


def _shown(
    name: str,
    rows: Sequence[Mapping[str, Any]],
    endpoint: Endpoint | None,
    answers: LastAnswers,
    since: datetime | None,
    *,
    known: bool,
) -> Shown:
    stopped = any(row["due_at"] is None for row in rows)
    state = "stopped" if stopped else "waiting" if rows else "ok"
    limits: list[str] = []
    if endpoint:
        types = endpoint.types if endpoint.types != frozenset(TYPES) else frozenset[str]()
        limits = [*sorted(types), *sorted(endpoint.reasons)]
    return Shown(
        name=name,
        state=state if known else "removed",
        entries=sum(row["entries"] for row in rows),
        oldest=since,
        due_at=min((row["due_at"] for row in rows if row["due_at"]), default=None),
        problems=[Problem(row["problem"], row["entries"], row["attempts"]) for row in rows],
        answers=answers,
        host=endpoint.host if endpoint else None,
        limits=limits,
    )
