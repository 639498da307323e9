"""The document says what the server does: schemathesis calls every operation by it."""

from typing import Any

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished

from scripts.local.ses_messages import Scenario
from sesbounce.server.routes import OPERATIONS
from sesbounce.store.tokens import Scope
from tests.stored import decoded
from tests.support import AT

# A text that is no address fits the schema and is answered with 422; so is a time without a year
# in UTC. A text that is no cursor is answered with 400.
ACCEPTED = ["2xx", "400", "422"]
# A list of too many addresses may also be too large.
REJECTED = ["400", "401", "404", "405", "413", "415", "422"]


def test_each_operation_is_described_with_its_scope(api: Any) -> None:
    document = api.client()("GET", "/openapi.json").json()
    described = {
        (method.upper(), path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert set(described) == {(one.method, one.path) for one in OPERATIONS}
    for one in OPERATIONS:
        operation = described[one.method, one.path]
        assert operation.get("security") == ([{"token": [one.scope]}] if one.scope else None)
    answer = document["components"]["schemas"]["Answer"]
    assert {"address", "may_mail", "until"} <= set(answer["required"])
    assert document["openapi"] == "3.1.0"


def test_every_answer_is_as_described(api: Any) -> None:
    api.store.record([decoded(Scenario.BOUNCE)], AT)
    config = SchemathesisConfig.from_dict(
        {
            "seed": 1,
            "headers": {"Authorization": f"Bearer {api.token(Scope.ADMIN)}"},
            "checks": {
                "positive_data_acceptance": {"expected-statuses": ACCEPTED},
                "negative_data_rejection": {"expected-statuses": REJECTED},
            },
            "generation": {"max-examples": 10, "database": "none", "deterministic": True},
            "phases": {"stateful": {"enabled": False}},
        }
    )
    app = api.app(rate=1e6)
    schema = schemathesis.openapi.from_asgi("/openapi.json", app, config=config)
    events = list(from_schema(schema).execute())
    assert not [e for e in events if isinstance(e, (FatalError, NonFatalError))]
    finished = [e for e in events if isinstance(e, ScenarioFinished)]
    failures = [
        f"{scenario.recorder.label}: {failed.failure.message[:500]} {failed.code_sample[:500]}"
        for scenario in finished
        for checks in scenario.recorder.checks.values()
        for failed in (check.failure_info for check in checks)
        if failed
    ]
    assert not failures, "\n\n".join(failures)
    assert {e.recorder.label for e in finished} >= {f"{o.method} {o.path}" for o in OPERATIONS}
    assert any(isinstance(e, EngineFinished) for e in events)
