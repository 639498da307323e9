"""Prepares new connections to PostgreSQL: for its encoding, and for a pooler in between."""

import codecs
import re
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import psycopg

# A connection through a pooler may reach another server process in each transaction, which does
# not know the statements that an earlier one has prepared.
AUTO: Literal["auto"] = "auto"
Threshold = int | Literal["auto"] | None
# These store every character. (SQL_ASCII stores bytes, as the client sends them.)
_COMPLETE = ("UTF8", "SQL_ASCII")
_ERRORS = "sesbounce_json"
# One character: two escapes if it is beyond U+FFFF.
_ESCAPES = re.compile(r"(?<!\\)(?:\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}|\\u[0-9a-f]{4})")


def prepare(threshold: Threshold, connection: "psycopg.Connection[Any]", _record: object) -> None:
    """Prepare a new connection.

    Args:
        threshold: after how many executions psycopg prepares a statement on the server; None
            never does so, and `auto` never does so behind a pooler.
        connection: the new connection.
    """
    encoding = connection.info.parameter_status("server_encoding") or "UTF8"
    if encoding not in _COMPLETE:
        _replace_characters(connection, _codec(encoding))
    if not isinstance(threshold, str):
        connection.prepare_threshold = threshold
    elif is_pooled(connection):
        connection.prepare_threshold = None


def is_pooled(connection: "psycopg.Connection[Any]") -> bool:
    """Whether a pooler, and not the server itself, has answered the client.

    A pooler tells the client an identity of its own in the place of the server process's number.
    """
    autocommit, connection.autocommit = connection.autocommit, True
    try:
        row = connection.execute("SELECT pg_backend_pid()", prepare=False).fetchone()
    finally:
        connection.autocommit = autocommit
    return row is not None and row[0] != connection.info.backend_pid


def _replace_characters(connection: "psycopg.Connection[Any]", codec: str) -> None:
    """Let psycopg replace characters that the database can't store by JSON's escapes of them.

    So a message is still JSON that says the same, and two addresses stay two. When the text is
    read, the characters come back.
    """
    from psycopg.types import string  # noqa: PLC0415  most databases need none of this

    class Storable:
        def dump(self, obj: str) -> Any:
            text = obj if obj.isascii() else obj.encode(codec, _ERRORS).decode(codec)
            # The driver's own class comes next in the order of the bases.
            return super().dump(text)  # type: ignore[misc]

    # psycopg takes the last one of each format, and of both formats the last one.
    for kind in (string.StrBinaryDumper, string.StrDumper, string.StrDumperUnknown):
        connection.adapters.register_dumper(str, type(kind.__name__, (Storable, kind), {}))

    def character(escapes: re.Match[str]) -> str:
        units = bytes.fromhex(escapes.group().replace("\\u", ""))
        text = units.decode("utf-16-be", "surrogatepass")
        if "\ud800" <= text[0] <= "\udfff":  # a half of a character, which the text itself holds
            return escapes.group()
        try:
            text.encode(codec)
        except UnicodeEncodeError:
            return text
        return escapes.group()  # the text itself holds this escape

    class Loader(string.TextLoader):
        def load(self, data: Any) -> str:
            return _ESCAPES.sub(character, bytes(data).decode())

    for name in ("text", "varchar"):
        connection.adapters.register_loader(name, Loader)


def _codec(encoding: str) -> str:
    """Python's name of an encoding of PostgreSQL; ASCII for one that Python does not have."""
    name = re.sub(r"^WIN", "cp", encoding)
    try:
        return codecs.lookup(name).name
    except LookupError:
        return "ascii"


def _escape(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    escapes = (f"\\u{units[i : i + 2].hex()}" for i in range(0, len(units), 2))
    return "".join(escapes), error.end


codecs.register_error(_ERRORS, _escape)
