"""How fast the pages of the console are, with millions of addresses and events.

`python -m tests.bench.bench_console` runs `sesbounce serve --console` on a database that it fills,
and asks for each page as a browser does, one request at a time over one connection. The time is
that of the client on the same machine, so it holds all that the server does, and the loopback
device; the CPU time is that of the server's process, without that of a database server. Nothing is
asserted.
"""

import argparse
import os
import platform
import random
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit

import httpx
import sqlalchemy as sa
from rich.console import Console
from rich.table import Table

from sesbounce.console.sealing import Sealer
from sesbounce.console.suppressions import View
from sesbounce.console.what_if import CHOICE, NUMBERS
from sesbounce.settings import Settings
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.migrate import upgrade
from sesbounce.store.pages import ListPlace
from sesbounce.store.tokens import Scope, Token
from tests.bench.ask_server import SECRET, Answered, answered, serving
from tests.bench.console_fill import (
    BUSY,
    BUSY_EVENTS,
    FEW,
    IDENTITIES,
    LARGE,
    NONE,
    SMALL,
    fill_for_console,
)
from tests.bench.machine import cpu_name
from tests.bench.recording import postgresql_url
from tests.bench.results import markdown, write_section
from tests.support import disposed

HEADING = "## The console: `make bench-console`"
DATABASES = ("SQLite", "PostgreSQL")
GOAL_MS = 100
_MILLION = 1_000_000
_SUPPRESSIONS, _LOOK_UP = "/console/suppressions", "/console/look-up"
_SETTING = """\
{cpu}, {cores} cores; Python {python}, SQLite {sqlite}. {addresses:,} addresses, {events:,} \
events, half of the addresses suppressed; {identities} senders with mails in each hour of 31 days; \
60 incidents, 20,000 outbox entries. `tests/bench/bench_console.py` asks the server for each page \
{times} times, over one connection on the same machine: milliseconds at the client, until it has \
the whole page. CPU is that of the server's process alone."""
_LONG = "A page that a person has asked for a count takes three seconds by design, and says so."


class Ask(NamedTuple):
    """A request to measure.

    Attributes:
        name: its name for people.
        send: sends it.
        is_count: whether it counts for three seconds, as long as a person waits for it.
    """

    name: str
    send: Callable[[], httpx.Response]
    is_count: bool = False


class Pages:
    """Asks for the pages of the console as a person does who has logged in."""

    def __init__(self, client: httpx.Client, token: str, addresses: int) -> None:
        self._client = client
        self._addresses = addresses
        self._log_in = self._post("/console/login", token=token)
        self._views = Sealer([SECRET], "view", lambda: datetime.now(UTC), timedelta(days=1))

    def all(self) -> Iterator[Ask]:
        """All requests, in an order in which a person may send them."""
        yield Ask("login", self._get("/console/login"))
        self._log_in()
        yield Ask("overview", self._get("/console/overview"))
        yield from self._of_addresses()
        yield from self._of_the_list()
        yield Ask("incidents", self._get("/console/incidents"))
        yield Ask("an incident that goes on", self._get("/console/incidents/1"))
        yield Ask("an incident of a year ago", self._get("/console/incidents/60"))
        yield Ask("deliveries out", self._get("/console/deliveries"))
        yield Ask("audit", self._get("/console/audit"))
        yield Ask("audit: a person", self._get(self._led_to("/console/audit", by="token mary")))
        yield Ask("audit: nobody", self._get(self._led_to("/console/audit", by="nobody")))
        yield Ask("settings", self._get("/console/settings"))
        yield Ask("what if", self._get("/console/what-if"))
        policy = {name: str(Settings.model_fields[name].default) for name in (*NUMBERS, CHOICE)}
        first = self._get(self._led_to("/console/what-if", **{**policy, "strikes": "2"}))
        yield Ask("what if: the first answer", first)
        counted = first().headers.get("Refresh", "").removeprefix("0; url=")
        if counted:
            yield Ask("what if: a count", self._get(counted), is_count=True)

    def _of_addresses(self) -> Iterator[Ask]:
        yield Ask("look up", self._get("/console"))
        yield Ask("look up: send", self._post(_LOOK_UP, address=FEW))
        yield Ask("an address: one event", self._get(self._led_to(_LOOK_UP, address=FEW)))
        busy = self._get(self._led_to(_LOOK_UP, address=BUSY))
        yield Ask(f"an address: {BUSY_EVENTS:,} events", busy)
        chance = random.Random(2)
        names = [f"a{chance.randrange(self._addresses)}@{LARGE}" for _ in range(100)]
        paths = [self._led_to(_LOOK_UP, address=name) for name in names]
        yield Ask("an address: any", lambda: self._client.get(chance.choice(paths)))

    def _of_the_list(self) -> Iterator[Ask]:
        yield Ask("suppressions", self._get(_SUPPRESSIONS))
        now = datetime.now(UTC)
        for what, days in (("a page behind", 30), ("the last pages", 3 * 365 - 10)):
            view = View(after=ListPlace(now - timedelta(days=days), "x"))
            yield Ask(f"suppressions: {what}", self._get(self._path(view)))
        month = f"{now - timedelta(days=30):%Y-%m-%d}"
        for what, fields in {
            f"domain, many: {LARGE}": {"domain": LARGE},
            f"domain, few: {SMALL}": {"domain": SMALL},
            "domain, none": {"domain": NONE},
            "reason, many": {"reason": "no_such_mailbox"},
            "reason, most have ended": {"reason": "mailbox_full"},
            "reason, few": {"reason": "suppressed_by_hand"},
            "reason, none": {"reason": "complaint_virus"},
            "domain and reason, many": {"domain": LARGE, "reason": "no_such_mailbox"},
            "few in the domain, many of the reason": {
                "domain": SMALL,
                "reason": "no_such_mailbox",
            },
            "domain and reason, few": {"domain": LARGE, "reason": "suppressed_by_hand"},
            "domain and reason, none": {"domain": LARGE, "reason": "complaint_virus"},
            "first day": {"since": month},
            "first day, domain and reason": {
                "since": month,
                "domain": LARGE,
                "reason": "complaint_virus",
            },
            "stream": {"stream": "news"},
        }.items():
            yield Ask(f"suppressions: {what}", self._get(self._led_to(_SUPPRESSIONS, **fields)))
        yield Ask("suppressions: send the filters", self._post(_SUPPRESSIONS, domain=LARGE))
        for domain in (LARGE, SMALL):
            led_to = self._led_to(_SUPPRESSIONS, domain=domain)
            (sealed,) = parse_qs(urlsplit(led_to).query)["view"]
            path = f"{_SUPPRESSIONS}/allow?view={sealed}"
            yield Ask(f"allow all that match: {domain}", self._get(path))

    def _path(self, view: View) -> str:
        return f"{_SUPPRESSIONS}?view={self._views.seal(view)}"

    def _get(self, path: str) -> Callable[[], httpx.Response]:
        return lambda: self._client.get(path, timeout=60)

    def _post(self, path: str, **fields: str) -> Callable[[], httpx.Response]:
        headers = {"Sec-Fetch-Site": "same-origin"}
        return lambda: self._client.post(path, data=fields, headers=headers, timeout=60)

    def _led_to(self, path: str, **fields: str) -> str:
        """The path to which a form leads."""
        return self._post(path, **fields)().headers["Location"]


def measured(url: str, addresses: int, times: int, only: str) -> list[Answered]:
    """Serve the console of a filled database, and ask for the pages."""
    with disposed(open_database(url)) as engine:
        upgrade(engine)
        made = Token(
            name=f"bench-{time.time():.0f}",
            scopes=(Scope.ADMIN,),
            created_at=datetime.now(UTC),
            created_by="bench",
        )
        token = tokens.create(engine, made)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(url, token, Path(folder), "--console") as (client, pid),
    ):
        del client.headers["Authorization"]
        return [
            answered(ask.name, ask.send, pid, 3 if ask.is_count else times)
            for ask in Pages(client, token, addresses).all()
            if only in ask.name
        ]


@contextmanager
def filled(database: str, options: argparse.Namespace) -> Iterator[str]:
    """The URL of a filled database: the one that was named, or one of its own."""
    with ExitStack() as stack:
        url = options.url
        if url is None and database == "PostgreSQL":
            url = stack.enter_context(postgresql_url())
        elif url is None:
            url = f"sqlite:///{stack.enter_context(tempfile.TemporaryDirectory())}/bench.sqlite3"
        with disposed(open_database(url, create=True)) as engine:
            empty = not sa.inspect(engine).get_table_names()
        if empty:
            fill_for_console(url, options.events, options.addresses, datetime.now(UTC))
        yield url


def table(database: str, pages: Sequence[Answered]) -> Table:
    """The times, for a terminal."""
    shown = Table(title=f"{database}; milliseconds")
    shown.add_column("page")
    for column in ("median", "p95", "CPU"):
        shown.add_column(column, justify="right")
    for page in pages:
        median, p95, cpu = _cells(page)
        style = "red" if page.percentile(95) >= GOAL_MS else None
        shown.add_row(page.name, median, p95, cpu, style=style)
    return shown


def section(runs: dict[str, Sequence[Answered]], options: argparse.Namespace) -> str:
    """The section of docs/benchmarks.md."""
    setting = _SETTING.format(
        cpu=cpu_name(),
        cores=len(os.sched_getaffinity(0)),
        python=platform.python_version(),
        sqlite=sqlite3.sqlite_version,
        addresses=options.addresses,
        events=options.events,
        identities=IDENTITIES,
        times=options.times,
    )
    columns = ["page", *(f"{run}, {what}" for run in runs for what in ("median", "p95", "CPU"))]
    rows = [
        [pages[0].name, *(cell for page in pages for cell in _cells(page))]
        for pages in zip(*runs.values(), strict=True)
    ]
    return "\n\n".join([HEADING, setting, markdown(columns, rows), _LONG]) + "\n"


def _cells(page: Answered) -> list[str]:
    return [f"{value:.1f}" for value in (page.percentile(50), page.percentile(95), page.cpu * 1000)]


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="Measures the pages of the console.")
    parser.add_argument("--database", choices=DATABASES, action="append", help="default: both")
    parser.add_argument("--addresses", type=int, default=2 * _MILLION, help="2 million by default")
    parser.add_argument("--events", type=int, default=10 * _MILLION, help="10 million by default")
    parser.add_argument("--times", type=int, default=50, help="how often to ask; 50 by default")
    parser.add_argument("--only", default="", help="only pages with this text in their names")
    parser.add_argument(
        "--url",
        help="of a database to measure, with one --database; it is filled where it has no table, "
        "and kept for the next run",
    )
    parser.add_argument("--write", type=Path, help="the document to write the table into")
    options = parser.parse_args()
    databases = options.database or DATABASES
    if options.url and len(databases) > 1:
        parser.error("--url needs one --database")
    console = Console()
    runs: dict[str, Sequence[Answered]] = {}
    for database in databases:
        with filled(database, options) as url:
            runs[database] = measured(url, options.addresses, options.times, options.only)
        console.print(table(database, runs[database]))
    if options.write:
        write_section(section(runs, options), options.write)


if __name__ == "__main__":
    main()
