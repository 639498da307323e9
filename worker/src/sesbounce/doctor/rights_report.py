"""Reports what is not as it should be in the rights of the readers: findings, and a table."""

from collections.abc import Iterator, Sequence

from sesbounce.doctor.finding import Finding, broken, hint
from sesbounce.doctor.rights import Rights, Row


def findings(found: Sequence[Rights]) -> Iterator[Finding]:
    """What is not as it should be."""
    for each in found:
        if each.gone:
            yield broken(
                f"AWS finds no {each.identity}",
                "Terraform has created it for the worker, and somebody has deleted it",
                "Recreate it: make deploy",
            )
        yield from _lacking(each)
        yield from _excessive(each)


def table(rights: Rights) -> str:
    """The answers about one identity as a table, or why there are none."""
    if rights.skipped:
        return f"What {rights.identity} may do is not checked: {rights.skipped}"
    lines = [("action", "resource", "answer", "as it should be")]
    lines += [
        (row.action, _short(row.resource), _answer(row), "yes" if row.sound else _demand(row))
        for row in rights.rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = (
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )
    heading = f"What {rights.identity} may do, by IAM's policy simulator:"
    return "\n".join([heading, *(f"  {line}" for line in text)])


def _lacking(rights: Rights) -> Iterator[Finding]:
    rows = [row for row in rights.rows if row.expected and not row.allowed]
    certain = [row for row in rows if not row.missing]
    if certain:
        finding = broken if rights.declared else hint
        yield finding(
            f"{rights.identity} may not call {_actions(certain)}",
            "a worker with this identity can't read the queue",
            "Restore its policy with make deploy; if an SCP or a permissions boundary denies the "
            "call, ask the person who set it"
            if rights.declared
            else "Let the worker run with the policy of the output consumer_policy_arn",
        )
    if doubtful := [row for row in rows if row.missing]:
        keys = sorted({key for row in doubtful for key in row.missing})
        yield hint(
            f"whether {rights.identity} may call {_actions(doubtful)} depends on {', '.join(keys)}",
            "the simulator does not know these condition keys of the worker's calls",
            "Read the conditions of its policies",
        )


def _excessive(rights: Rights) -> Iterator[Finding]:
    if rows := [row for row in rights.rows if row.allowed and not row.expected]:
        yield hint(
            f"{rights.identity} may also call {_actions(rows)}",
            "a worker needs none of it, and a thief of its credentials can use it",
            "Detach whatever allows it, and keep the policy of the output consumer_policy_arn"
            if rights.declared
            else "Let the worker run as an identity of its own: create_consumer_user = true",
        )


def _actions(rows: Sequence[Row]) -> str:
    return ", ".join(f"{row.action} on {_short(row.resource)}" for row in rows)


def _answer(row: Row) -> str:
    if row.allowed:
        return "allowed"
    return f"denied ({row.because})" if row.because else "denied"


def _demand(row: Row) -> str:
    if row.missing:
        return f"depends on {', '.join(row.missing)}"
    return "no: it must be allowed" if row.expected else "no: it must be denied"


def _short(arn: str) -> str:
    """Service and name: enough within one account and region."""
    if arn == "*":
        return arn
    parts = arn.split(":", 5)
    return f"{parts[2]}:{parts[5]}"
