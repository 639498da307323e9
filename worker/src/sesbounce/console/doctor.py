"""The page of the doctor: it examines the path from SES to the database, and shows what is wrong.

It shows neither a secret nor an address: identities of SES that are addresses lose their local
part.
"""

import os
import re
import socket
from collections import Counter
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus

import msgspec
from starlette.responses import Response

from sesbounce.console.asking import DOCTOR, Ask, PageError
from sesbounce.console.examiner import Examined
from sesbounce.doctor import report
from sesbounce.doctor.finding import Result, Status
from sesbounce.privacy.redaction import redact
from sesbounce.store.tokens import Scope
from sesbounce.telemetry.visible import visible_json

# What was not checked comes last, as the command prints it.
_ORDER = (Status.BROKEN, Status.HINT, Status.OK, Status.SKIPPED)
_SECONDS = re.compile(r"[0-9]{1,12}")
_JSON_LINES = "application/x-ndjson"
_AS_FILE = {"Content-Disposition": 'attachment; filename="doctor.jsonl"'}


def show(ask: Ask) -> Response:
    """Show what the last examination has found, and whether one goes on."""
    examiner = ask.console.examiner
    running, last = examiner.running, examiner.last
    results = [_redacted(result) for result in last.results] if last else []
    counts = Counter(result.status for result in results)
    return ask.page(
        "doctor",
        running=running,
        last=last,
        begun=_seconds(last.began_at) if last else None,
        results={status: [r for r in results if r.status is status] for status in _ORDER},
        skipped=report.by_reason(results),
        counts={status: counts[status] for status in _ORDER},
        elsewhere=not running and _is_later(ask.query.get("begun", ""), last),
        process=str(os.getpid()),
        host=socket.gethostname(),
        lacks_boto3=examiner.lacks_boto3,
        may_examine=ask.may(Scope.DECIDE) and ask.may(Scope.EXPORT),
    )


def examine(ask: Ask) -> Response:
    """Begin an examination, unless one goes on.

    It calls AWS some dozens of times, and AWS limits the calls of an account. So it is for those
    who operate sesbounce.
    """
    ask.demand(Scope.EXPORT)
    examiner = ask.console.examiner
    if examiner.lacks_boto3:
        return ask.go(DOCTOR)
    return ask.go(f"{DOCTOR}?begun={_seconds(examiner.begin())}")


def results(ask: Ask) -> Response:
    """What the examination of a page has found, as `sesbounce doctor --json` prints it."""
    last = ask.console.examiner.last
    if last is None or ask.query.get("begun") != str(_seconds(last.began_at)):
        raise PageError(HTTPStatus.NOT_FOUND, "examination")
    lines = [_json(_redacted(result)) for result in last.results]
    return Response("".join(lines), headers=_AS_FILE, media_type=_JSON_LINES)


def _is_later(begun: str, last: Examined | None) -> bool:
    """Whether an examination that a person has begun is one of another process of the server."""
    if not _SECONDS.fullmatch(begun):
        return False
    return last is None or _seconds(last.began_at) < int(begun)


def _seconds(moment: datetime) -> int:
    return int(moment.timestamp())


def _json(result: Result) -> str:
    return f"{visible_json(msgspec.json.encode(report.shown(result)).decode())}\n"


def _redacted(result: Result) -> Result:
    findings = tuple(
        replace(each, what=redact(each.what), why=redact(each.why), remedy=redact(each.remedy))
        for each in result.findings
    )
    return replace(result, findings=findings, reason=redact(result.reason))
