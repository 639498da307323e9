"""The document says what the server does: schemathesis calls every operation by it."""

from pathlib import Path

import schemathesis
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import from_schema
from schemathesis.engine.events import EngineFinished, FatalError, NonFatalError, ScenarioFinished

from scripts.local.ses_messages import Scenario
from sesbounce.server.routes import OPERATIONS
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope
from tests.api import Api
from tests.stored import decoded, make_members
from tests.support import AT, disposed

# A text that is no address fits the schema and is answered with 422; so is a time without a year
# in UTC. A text that is no cursor is answered with 400.
ACCEPTED = ["2xx", "400", "422"]
# A list of too many addresses may also be too large.
REJECTED = ["400", "401", "404", "405", "413", "415", "422"]


def test_every_answer_is_as_described(tmp_path: Path) -> None:
    with disposed(open_database(f"sqlite:///{tmp_path}/sesbounce.sqlite3")) as engine:
        make_members(engine, "Jane@Example.com")
        call_every_operation(Api(engine))


def call_every_operation(api: Api) -> None:
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
