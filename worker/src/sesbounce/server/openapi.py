"""Makes the OpenAPI document of the routes and of the structs that they take and answer."""

import functools
from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import msgspec

from sesbounce.server.problems import MEDIA_TYPE, Problem
from sesbounce.server.routes import Operation

_REF = "#/components/schemas/{name}"
_JSON = "application/json"
_ADDRESS = "{address}"
_STATUSES = {
    400: "The body is not JSON, or the cursor can't be used.",
    401: "The request has no valid token.",
    403: "The token lacks the scope.",
    408: "The body did not arrive in time.",
    413: "The body is too large.",
    415: "The body is not declared as JSON.",
    422: "A part of the request is not what the route takes.",
    429: "There are too many requests with this token.",
    500: "The server has a fault.",
    503: "The database can't answer.",
}
_HEADERS = {
    401: ("WWW-Authenticate", "How to identify yourself."),
    403: ("WWW-Authenticate", "Which scope is missing."),
    429: ("Retry-After", "The seconds to wait."),
    503: ("Retry-After", "The seconds to wait."),
}
_PUBLIC = (500, 503)
_OF_BODIES = (408, 413, 415)
_TEXT = {"type": "string"}


@functools.cache
def document(operations: tuple[Operation, ...]) -> bytes:
    """The OpenAPI 3.1 document of some routes, as JSON. It is made once for the same routes."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    types = [Problem, *(kind for one in operations for kind in (one.answer, one.body) if kind)]
    _, schemas = msgspec.json.schema_components(types, ref_template=_REF)
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {
                "title": "sesbounce",
                "version": version("sesbounce"),
                "description": "Says whether addresses may be mailed, and records decisions.",
                "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            },
            "paths": paths,
            "components": {
                "schemas": schemas,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": operation.id,
        "summary": operation.summary,
        "parameters": list(_parameters(operation)),
        "responses": {
            "200": _content("The answer.", _JSON, operation.answer),
            **{str(status): _problem(status) for status in _statuses(operation)},
        },
    }
    if operation.scope:
        described["security"] = [{"token": [operation.scope]}]
    if operation.body:
        described["requestBody"] = {
            "required": operation.body_required,
            "content": {_JSON: {"schema": _ref(operation.body)}},
        }
    return described


def _parameters(operation: Operation) -> Iterator[dict[str, Any]]:
    if _ADDRESS in operation.path:
        words = "The address in any spelling, percent-encoded."
        yield _parameter("path", "address", _TEXT, words, required=True)
    (found,), components = msgspec.json.schema_components([operation.query], ref_template=_REF)
    properties = components[found["$ref"].rpartition("/")[2]]["properties"]
    for name, schema in properties.items():
        if "$ref" in schema:  # a closed list of values
            schema = components[schema["$ref"].rpartition("/")[2]]  # noqa: PLW2901
        words = schema.get("description", f"Selects by {name.replace('_', ' ')}.")
        yield _parameter("query", name, schema, words)
    if operation.once:
        schema = {"type": "string", "pattern": "^[!-~]{1,255}$"}
        words = "The identity of the decision: a second request with it records nothing."
        yield _parameter("header", "Idempotency-Key", schema, words)


def _parameter(
    place: str, name: str, schema: dict[str, Any], words: str, *, required: bool = False
) -> dict[str, Any]:
    return {"in": place, "name": name, "required": required, "schema": schema, "description": words}


def _statuses(operation: Operation) -> Iterator[int]:
    for status in _STATUSES:
        if operation.scope is None and status not in _PUBLIC:
            continue
        if operation.body is None and status in _OF_BODIES:
            continue
        yield status
    if operation.scope is None:
        yield 422


def _problem(status: int) -> dict[str, Any]:
    described = _content(_STATUSES[status], MEDIA_TYPE, Problem)
    if status in _HEADERS:
        name, words = _HEADERS[status]
        described["headers"] = {name: {"schema": _TEXT, "description": words}}
    return described


def _content(words: str, media_type: str, kind: type[msgspec.Struct]) -> dict[str, Any]:
    return {"description": words, "content": {media_type: {"schema": _ref(kind)}}}


def _ref(kind: type[msgspec.Struct]) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}
