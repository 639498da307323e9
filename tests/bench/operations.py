"""How long each operation takes in a large database, and what it reads whole there.

Each runs twice, and the second time counts: the first one may have to read from the disk. What
changes rows runs once.
"""

import time
from collections.abc import Callable, Collection, Iterator
from datetime import timedelta
from typing import NamedTuple

import sqlalchemy as sa
from rich.table import Table

from sesbounce.operations.incidents import Incidents
from sesbounce.operations.rebuild import Rebuild
from sesbounce.operations.retention import prunable, prune
from sesbounce.operations.statistics import By, count
from sesbounce.policy.verdict import Policy
from sesbounce.store import outbox
from sesbounce.store.incidents import addresses_with_hard_bounces
from sesbounce.store.listing import suppressed_among
from sesbounce.store.lookup import Filter, Lookup
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.bench.fill import SPAN
from tests.bench.recording import STRIKE_OFF
from tests.plans import explained
from tests.support import AT

_DAY = timedelta(days=1)
_ADDRESS = "a4711@example.com"


class Operation(NamedTuple):
    """Something that an operator or the worker does.

    Attributes:
        name: what it is called in the table.
        run: does it, and returns how many rows it has found or changed.
        once: whether a second run would find nothing left to do.
    """

    name: str
    run: Callable[[sa.Engine], int]
    once: bool = False


def _store(engine: sa.Engine) -> Store:
    return Store(engine, Policy(), StrikeOff(STRIKE_OFF))


def _sweep(engine: sa.Engine) -> int:
    return _store(engine).sweep(AT).struck_rows


def _sweep_incidents(engine: sa.Engine) -> int:
    return Incidents(_store(engine)).sweep(AT).current


def _concerned(engine: sa.Engine) -> int:
    with engine.connect() as connection:
        return len(addresses_with_hard_bounces(connection, AT - 300 * _DAY, None, 500))


def _listed(**wanted: object) -> Callable[[sa.Engine], int]:
    """List some suppressed addresses."""
    page = Filter(**wanted)  # type: ignore[arg-type]
    return lambda engine: _number(list(Lookup(engine).suppressed(AT, page)))


def _counted(by: By, days: int | None) -> Callable[[sa.Engine], int]:
    """Count the events of the last days, or of all time, and return the number of groups."""
    since = None if days is None else AT - days * _DAY
    return lambda engine: _number(count(engine, by, since, AT))


def _rebuilt(engine: sa.Engine) -> int:
    rebuild = Rebuild(_store(engine), AT, keys=[_ADDRESS])
    list(rebuild.apply())
    return rebuild.totals.events


def _pruned(engine: sa.Engine) -> int:
    return prune(engine, AT - SPAN + 10 * _DAY).events


def _number(rows: Collection[object]) -> int:
    return len(rows)


_MANY = [f"a{number}@example.com" for number in range(0, 2000, 2)]
OPERATIONS = (
    Operation("sweep", _sweep),
    Operation("sweep: incidents", _sweep_incidents),
    Operation("an incident: the first 500 addresses concerned", _concerned),
    Operation("outbox: the entries that are due", lambda e: _number(outbox.due(e, "webhook", AT))),
    Operation("check", lambda e: _number([Lookup(e).check(_ADDRESS, AT)])),
    Operation("why", lambda e: _number(Lookup(e).why(_ADDRESS))),
    Operation("look up 1,000 addresses", lambda e: _number(suppressed_among(e, _MANY, AT))),
    Operation("list --limit 100", _listed(limit=100)),
    Operation("list --limit 100 --offset 10000", _listed(limit=100, offset=10_000)),
    Operation("list --since (30 days)", _listed(since=AT - 30 * _DAY)),
    Operation("list --limit 100 --reason", _listed(limit=100, reason="no_such_mailbox")),
    Operation("list --limit 100 --domain (none matches)", _listed(limit=100, domain="no.example")),
    Operation("list", _listed()),
    Operation("stats --since (1 day)", _counted(By.REASON, 1)),
    Operation("stats --since (30 days)", _counted(By.DAY, 30)),
    Operation("stats --since (30 days) --by domain", _counted(By.DOMAIN, 30)),
    Operation("stats", _counted(By.DAY, None)),
    Operation("rebuild of one address", _rebuilt),
    Operation("prune --dry-run (10 days)", lambda e: prunable(e, AT - SPAN + 10 * _DAY).events),
    Operation("prune (10 days)", _pruned, once=True),
)


def operations(engine: sa.Engine) -> Table:
    """Run each operation, and make a table of the times."""
    table = Table(title=f"{engine.dialect.name}: operations")
    for heading in ("operation", "ms", "rows", "reads whole"):
        table.add_column(heading, justify="left" if heading == "operation" else "right")
    for name, milliseconds, rows, whole in _measured(engine):
        table.add_row(name, f"{milliseconds:,.1f}", f"{rows:,}", whole)
    return table


def _measured(engine: sa.Engine) -> Iterator[tuple[str, float, int, str]]:
    """The name, milliseconds, number of rows, and tables read whole, of each operation."""
    for operation in OPERATIONS:
        whole = ""
        if not operation.once:
            with explained(engine) as plans:
                operation.run(engine)
            whole = ", ".join(sorted(set().union(*(plan.whole for plan in plans))))
        began = time.perf_counter()
        rows = operation.run(engine)
        yield operation.name, (time.perf_counter() - began) * 1000, rows, whole
