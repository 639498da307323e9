"""What one page has sealed is nothing for another one."""

from datetime import timedelta
from typing import Any

import pytest

from sesbounce.console import audit, suppressions, what_if
from sesbounce.console.dead_letters import Look
from sesbounce.console.incident_changes import Plan, Step
from sesbounce.console.letters import Selection
from sesbounce.console.sealing import Sealer, new_key
from sesbounce.dead_letters.grouping import Group
from sesbounce.operations.survey import Survey
from sesbounce.store.audit import AuditPlace
from sesbounce.store.dossier import EventPlace
from sesbounce.store.pages import ListPlace
from tests.support import AT

_LIST = suppressions.View(domain="example.com", after=ListPlace(AT, "jane@example.com"))
_GROUP = Group(code=None, fingerprint="0" * 12, problem="not JSON", letters=bytearray(8))
_VALUES = (
    _LIST,
    suppressions.Batch(at=AT, by="token mary", number=2, view=_LIST),
    audit.View(by="token mary"),
    audit.View(after=AuditPlace(AT, 3, 7)),
    what_if.View(values={"strikes": 3}),
    Step(plan=Plan(action="withdraw", at=AT, number=1)),
    Survey(addresses=2),
    Look(of="main", groups=[_GROUP]),
    Selection(of="main", group=_GROUP),
    EventPlace(AT, 7),
)


@pytest.mark.parametrize("value", _VALUES, ids=lambda value: type(value).__qualname__)
def test_a_page_opens_what_it_has_sealed_itself(value: Any) -> None:
    sealer = Sealer([new_key()], "view", lambda: AT, timedelta(days=1))
    sealed = sealer.seal(value)
    for kind in {type(one) for one in _VALUES}:
        opened = sealer.open(sealed, kind)
        assert (opened and opened[0]) == (value if kind is type(value) else None)
