"""Reads the sender's statements: the SQL texts of two settings, with named parameters."""

import re
from collections.abc import Sequence
from typing import NamedTuple, TypedDict

import msgspec
import sqlalchemy as sa

from sesbounce.errors import StrikeOffError


class EventParameters(TypedDict, total=False):
    """The parameters that tell of the event that decided: `:mail_id`, `:tags`, and so on."""

    mail_id: str | None
    configuration_set: str | None
    source: str | None
    identity: str | None
    region: str | None
    tenant: str | None
    tags: str | None
    account_id: str | None


class Parameters(EventParameters):
    """The parameters that a statement may use: `:address`, `:original`, `:reason`, and so on.

    Those of the event are there only if they are known, and a statement or a target uses one.
    """

    address: str
    original: str
    reason: str | None
    kind: str | None
    occurred_at: str | None
    why: str


class Statement(NamedTuple):
    """One statement of the sender.

    Attributes:
        label: the setting that holds it, and its number where the setting holds several.
        clause: the SQL.
        calls: whether it calls a procedure.
    """

    label: str
    clause: sa.TextClause
    calls: bool

    @property
    def names(self) -> set[str]:
        """The names of its parameters."""
        return set(self.clause.compile().params)

    @property
    def uses_event(self) -> bool:
        """Whether it uses a parameter that tells of the event that decided."""
        return not self.names.isdisjoint(EVENT_NAMES)


_VERBS = ("UPDATE", "DELETE", "INSERT", "REPLACE", "MERGE", "CALL")
EVENT_NAMES = frozenset(EventParameters.__annotations__)
_ALLOWED = EVENT_NAMES | frozenset(Parameters.__annotations__)
# The parts of an SQL text in which nothing is a parameter: comments, texts and quoted names.
_QUOTED = re.compile(
    r"--[^\n]*|\A\s*\#[^\n]*|/\*.*?\*/|(\$\w*\$).*?\1"
    r"|'(?:''|\\.|[^'\\]|\\)*'|\"[^\"]*\"|`[^`]*`",
    re.DOTALL,
)
_PARAMETER = re.compile(r"(?<![:\w\\]):(\w+)")
_CAST_PARAMETER = re.compile(_PARAMETER.pattern + r"(?=\s*::)")
_CHANGES = re.compile(rf"\b(?:{'|'.join(_VERBS)})\b", re.IGNORECASE)


def read_statements(variable: str, sql: str | None) -> tuple[Statement, ...]:
    """Read the value of a setting: one statement, or a JSON list of statements.

    Raises:
        StrikeOffError: a statement is not one that changes the rows of an address.
    """
    text = (sql or "").strip()
    if not text.startswith("["):
        return (_read(variable, text),) if text else ()
    try:
        several = msgspec.json.decode(text, type=list[str])
    except msgspec.MsgspecError as error:
        raise StrikeOffError(f"{variable} is not a JSON list of statements: {error}") from None
    if len(several) == 1:
        return (_read(variable, several[0]),)
    return tuple(
        _read(f"{variable}, statement {number},", each) for number, each in enumerate(several, 1)
    )


def _read(label: str, sql: str) -> Statement:
    code, others = _split(sql)
    _cut_end(code, others)
    bare = " ".join(code)
    if ";" in bare:
        raise StrikeOffError(f"{label} holds several statements: write them as a JSON list")
    clause = sa.text(_join(code, others))
    statement = Statement(label.rstrip(","), clause, _verb(bare) == "CALL")
    if unknown := statement.names - _ALLOWED:
        raise StrikeOffError(
            f"{label} uses :{', :'.join(sorted(unknown))}; "
            f"it may use :{', :'.join(sorted(_ALLOWED))}"
        )
    if _verb(bare) not in _VERBS and not (_verb(bare) == "WITH" and _CHANGES.search(bare)):
        raise StrikeOffError(
            f"{label} must change rows: begin it with {', '.join(_VERBS)}, or with WITH and one "
            "of these later"
        )
    if not statement.names & {"address", "original"}:
        raise StrikeOffError(
            f"{label} must select the rows of an address: use :address or :original"
        )
    return statement


def _split(sql: str) -> tuple[list[str], list[str]]:
    """Split SQL into the parts of code, and the comments and quoted parts that follow each."""
    code: list[str] = []
    others: list[str] = []
    start = 0
    for match in _QUOTED.finditer(sql):
        code.append(sql[start : match.start()])
        others.append(match.group())
        start = match.end()
    return [*code, sql[start:]], [*others, ""]


def _cut_end(code: list[str], others: list[str]) -> None:
    """Cut off the last semicolon, and the comments after it."""
    while not code[-1].strip() and len(code) > 1 and others[len(code) - 2][:1] in "-/":
        code.pop()
        others.pop()
        others[-1] = ""
    code[-1] = code[-1].rstrip().rstrip(";").rstrip()


def _join(code: Sequence[str], others: Sequence[str]) -> str:
    """The text for SQLAlchemy, in which a colon of a comment or text begins no parameter.

    SQLAlchemy does not see a parameter in `:address::citext`, but in `(:address)::citext`.
    """
    parts = []
    for part, other in zip(code, others, strict=True):
        parts += [_CAST_PARAMETER.sub(r"(:\1)", part), _PARAMETER.sub(r"\\:\1", other)]
    return "".join(parts).strip()


def _verb(bare: str) -> str:
    return next(iter(bare.split(maxsplit=1)), "").upper().lstrip("(")
