"""Reads a JSON text into a struct field by field, where it can't be read as a whole.

A message must not be lost because of a field that nobody needs. So a field of the wrong type
counts as absent; a number is as good as its text, and a text as a list of it alone. But a field
that the struct names in `JUDGED_BY` must be of the right type: a judgement rests on it. Of a list
there, the elements that can be read are kept.

This is slow, and needed only for messages that no documented version of SES or SNS writes.
"""

import typing
from types import NoneType
from typing import Any, ClassVar, Generic, TypeVar

import msgspec

from sesbounce.errors import MessageError

_E = TypeVar("_E", bound=MessageError)
_S = TypeVar("_S", bound="Judged")

# How a number, `true` and `false` begin.
_SCALAR = frozenset(b"-0123456789tf")


class Judged(msgspec.Struct, frozen=True):
    """A struct that names the fields on which a judgement rests.

    Attributes:
        JUDGED_BY: the names of these fields.
    """

    JUDGED_BY: ClassVar[frozenset[str]] = frozenset()


class Reader(Generic[_E]):
    """Reads one JSON text.

    Attributes:
        unread: the errors of elements of lists that could not be read and are needed.
    """

    def __init__(self, error: type[_E]) -> None:
        """Make a reader that raises errors of the given type."""
        self._error = error
        self.unread: list[_E] = []

    def read(self, kind: type[_S], raw: bytes | msgspec.Raw, place: str = "$") -> _S:
        """Read an object.

        Args:
            kind: the struct to read it into.
            raw: the object as JSON.
            place: the JSON path of the object.

        Raises:
            MessageError: of the type that the reader was given; the text is no object, or a
                field that is required or in `JUDGED_BY` can't be read.
        """
        values, errors = self.fields(kind, raw, place)
        for field in msgspec.structs.fields(kind):
            if field.name in errors and (field.required or field.name in kind.JUDGED_BY):
                raise errors[field.name]
        return kind(**values)

    def fields(
        self, kind: type[Judged], raw: bytes | msgspec.Raw, place: str = "$"
    ) -> tuple[dict[str, Any], dict[str, _E]]:
        """Read the fields of an object, by their names: the values, and the errors.

        Raises:
            MessageError: the text is no object.
        """
        parts = self._decode(dict[str, msgspec.Raw], raw, place)
        values: dict[str, Any] = {}
        errors: dict[str, _E] = {}
        for field in msgspec.structs.fields(kind):
            name, judged = field.encode_name, field.name in kind.JUDGED_BY
            read = self._exact if judged else self._loose
            try:
                if name in parts:
                    values[field.name] = read(field.type, parts[name], f"{place}.{name}")
            except self._error as error:
                errors[field.name] = error
            if name not in parts and field.required:
                errors[field.name] = self._error(f"Object missing required field `{name}`", place)
        return values, errors

    def _exact(self, kind: Any, raw: msgspec.Raw, place: str) -> Any:
        """Read a value that is needed: of a list, what can be read."""
        inner, _ = _without_none(kind)
        try:
            return self._decode(kind, raw, place)
        except self._error:
            if isinstance(inner, type) and issubclass(inner, Judged):
                return self.read(inner, raw, place)
            if typing.get_origin(inner) is list:
                return self._list(typing.get_args(inner)[0], raw, place)
            raise

    def _loose(self, kind: Any, raw: msgspec.Raw, place: str) -> Any:
        """Read a value that is not needed, also where it is written as one of another type."""
        inner, optional = _without_none(kind)
        if optional and inner is str and bytes(raw)[0] in _SCALAR:
            return bytes(raw).decode()
        if kind == list[str] and bytes(raw)[:1] == b'"':
            return [self._decode(str, raw, place)]
        is_list = typing.get_origin(inner) is list
        return (self._decode if is_list else self._exact)(kind, raw, place)

    def _list(self, kind: Any, raw: msgspec.Raw, place: str) -> list[Any]:
        """Read the elements that can be read; of several, some must be."""
        parts = self._decode(list[msgspec.Raw], raw, place)
        elements: list[Any] = []
        errors: list[_E] = []
        for number, part in enumerate(parts):
            try:
                elements.append(self._exact(kind, part, f"{place}[{number}]"))
            except self._error as error:
                errors.append(error)
        if errors and not elements:
            raise errors[0]
        self.unread += errors
        return elements

    def _decode(self, kind: Any, raw: bytes | msgspec.Raw, place: str) -> Any:
        try:
            return msgspec.json.decode(raw, type=kind)
        except msgspec.ValidationError as error:
            failure = self._error.of(error)
        raise self._error(failure.problem, place + failure.place.removeprefix("$"))


def _without_none(kind: Any) -> tuple[Any, bool]:
    """The type without `None`, and whether it had that; a union of several types as it is."""
    kinds = [other for other in typing.get_args(kind) if other is not NoneType]
    optional = NoneType in typing.get_args(kind)
    return (kinds[0], True) if optional and len(kinds) == 1 else (kind, optional)
