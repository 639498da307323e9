"""The main job on one machine: SES → SNS → SQS → worker → SQL, with LocalStack and SQLite.

Terraform builds the real stack in LocalStack, mail goes through its SES, and the real worker
strikes addresses off a sample table. No AWS account is needed, and nothing is written outside
of the checkout.
"""

import argparse
import os
import shlex
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import boto3
from rich.console import Console
from rich.table import Table

from scripts import ScriptError
from scripts.local import localstack
from scripts.local.ses_messages import SIMULATOR_DOMAIN, Scenario
from scripts.local.simulate import Target, act_as_ses, send
from scripts.terraform.env import terraform_env
from scripts.terraform.stack import Stack

CHECKOUT = Path(__file__).resolve().parents[2]
SENDER = "newsletter@example.com"

STRIKE_OFF_SQL = "UPDATE member SET mailable = 0 WHERE lower(email) = :address"
RESTORE_SQL = "UPDATE member SET mailable = 1 WHERE lower(email) = :address"

MEMBERS = [
    ("Bo Unce", f"bounce@{SIMULATOR_DOMAIN}", Scenario.BOUNCE, 1),
    ("Connie Plaint", f"Complaint@{SIMULATOR_DOMAIN}", Scenario.COMPLAINT, 1),
    ("Sue Cess", f"success@{SIMULATOR_DOMAIN}", Scenario.SUCCESS, 1),
    ("Otto O'Ffice", f"ooto@{SIMULATOR_DOMAIN}", Scenario.OOTO, 1),
    ("Lise Supp", f"suppressionlist@{SIMULATOR_DOMAIN}", Scenario.SUPPRESSIONLIST, 1),
    ("Ann Gone", "Ann.Gone@Example.ORG", Scenario.BOUNCE, 1),
    ("Max Full", "max.full@example.net", Scenario.MAILBOX_FULL, 3),
    ("Tim Full", "tim.full@example.net", Scenario.MAILBOX_FULL, 2),
    ("Joy Fine", "joy.fine@example.com", Scenario.SUCCESS, 1),
]
"""Name, address, what becomes of mail to it, how many mails."""

console = Console(highlight=False)


@dataclass(frozen=True)
class Workplace:
    """Where the demo keeps its files."""

    folder: Path

    @property
    def database(self) -> Path:
        """The SQLite file: sesbounce's tables and the sample table."""
        return self.folder / "demo.sqlite3"

    @property
    def endpoint(self) -> Path:
        """Which LocalStack the stack is in, for those who come to remove it."""
        return self.folder / "endpoint"

    @property
    def exports(self) -> Path:
        """What `source` reads to talk to the demo."""
        return self.folder / "env"

    def stack(self, environment: Mapping[str, str]) -> Stack:
        """The real stack of `terraform/`, as the demo configures it."""
        return Stack(
            CHECKOUT / "terraform",
            data_dir=self.folder / "terraform",
            state=self.folder / "terraform.tfstate",
            variables={
                "name": "sesbounce-demo",
                "identities": {SENDER: {"create": True, "include_original_headers": True}},
                "configuration_sets": {"sesbounce-demo": {"create": True}},
                "feedback_types": ["Bounce", "Complaint", "Delivery"],
                # The demo runs the worker itself.
                "worker": None,
                "monitoring": None,
            },
            environment=environment,
        )


@contextmanager
def step(what: str) -> Iterator[None]:
    """Announce a step, and say how long it took."""
    console.rule(f"[bold]{what}", align="left", style="dim")
    began = time.monotonic()
    yield
    console.print(f"  [dim]{time.monotonic() - began:.1f} s[/dim]")


def say(line: str) -> None:
    """One line of progress."""
    console.print(f"  {line}", markup=False, soft_wrap=True)


def run(folder: Path) -> None:
    """Everything, from nothing to struck-off members."""
    place = Workplace(folder)
    with step("1. LocalStack: an AWS on this machine"):
        aws = localstack.ensure(CHECKOUT, say)
        say(f"{aws.endpoint} ({aws.kind}, {'started' if aws.started else 'was running'})")
    environment = localstack.environment(aws.endpoint)
    with step("2. Terraform: SES → SNS topic → SQS queue, with both dead-letter queues"):
        outputs = apply(place, environment, fresh=aws.started)
        say(f"topic {outputs['topic_arn']}")
        say(f"queue {outputs['queue_url']}")
    with step("3. A table of your own: member"):
        make_members(place.database)
        before = members(place.database)
        say(f"{len(before)} members, all mailable")
    with step("4. Mail goes out, SES tells what became of it"):
        send_mail(environment, outputs["topic_arn"])
    with step("5. The worker drains the queue"):
        worker_environment = environment | {
            "SESBOUNCE_QUEUE_URL": outputs["queue_url"],
            "SESBOUNCE_DATABASE_URL": f"sqlite:///{place.database}",
            "SESBOUNCE_STRIKE_OFF_SQL": STRIKE_OFF_SQL,
            "SESBOUNCE_RESTORE_SQL": RESTORE_SQL,
            "SESBOUNCE_TOPIC_ARNS": outputs["topic_arn"],
            "SESBOUNCE_LOG_FORMAT": "text",
        }
        sesbounce(worker_environment, "run", "--until-empty")
    show(place, before)
    write_exports(place.exports, worker_environment)
    console.print(
        f"\nAsk on: [bold]source {os.path.relpath(place.exports)}[/bold], then for example\n"
        f"  .venv/bin/sesbounce why max.full@example.net\n"
        f"  make simulate ARGS='--from {SENDER} --to joy.fine@example.com=bounce --wait 0'\n"
        f"  .venv/bin/sesbounce run --until-empty\n"
        f"[bold]make demo-clean[/bold] stops LocalStack and removes what the demo made.",
        soft_wrap=True,
    )


def apply(place: Workplace, environment: Mapping[str, str], *, fresh: bool) -> dict[str, str]:
    """Apply the real stack; what is there already is kept."""
    if fresh:
        # The state tells of a LocalStack that is no more.
        shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.endpoint.write_text(environment["AWS_ENDPOINT_URL"], encoding="utf-8")
    stack = place.stack(terraform_env(environment))
    stack.init()
    stack.apply(say)
    return stack.outputs()


def make_members(database: Path) -> None:
    """A new database with the sample table."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE member (name TEXT, email TEXT, mailable INTEGER)")
        connection.executemany(
            "INSERT INTO member VALUES (?, ?, 1)", [(name, email) for name, email, *_ in MEMBERS]
        )


def members(database: Path) -> list[tuple[str, str, int]]:
    """The sample table as it stands."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT name, email, mailable FROM member").fetchall()


def send_mail(environment: Mapping[str, str], topic_arn: str) -> None:
    """Send to every member; what LocalStack's SES does not tell, the simulator does."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    endpoint = environment["AWS_ENDPOINT_URL"]
    targets = [Target(email, scenario) for _, email, scenario, n in MEMBERS for _ in range(n)]
    sent = send(session.client("ses", endpoint_url=endpoint), SENDER, targets)
    published = act_as_ses(session.client("sns", endpoint_url=endpoint), topic_arn, sent)
    say(f"{len(sent)} mails sent; SES said {published} things, each event in both its schemas")


def sesbounce(environment: Mapping[str, str], *arguments: str) -> None:
    """Run the real command, its output shown as it comes.

    Raises:
        ScriptError: it failed.
    """
    command = [str(Path(sys.executable).with_name("sesbounce")), *arguments]
    console.print(f"  $ sesbounce {shlex.join(arguments)}", style="bold", markup=False)
    sys.stdout.flush()
    if subprocess.run(command, env=dict(environment), check=False).returncode:
        raise ScriptError(f"sesbounce {shlex.join(arguments)} failed, see above")


def show(place: Workplace, before: Sequence[tuple[str, str, int]]) -> None:
    """The suppression list with the why of each, and the member table before and after."""
    with closing(sqlite3.connect(place.database)) as connection:
        suppressed = connection.execute(
            "SELECT address, reason, why FROM suppressed ORDER BY address"
        ).fetchall()
    console.print()
    console.print(_table("The suppression list", ("address", "reason", "why"), suppressed))
    rows = [
        (name, email, _mark(was), _mark(now))
        for (name, email, was), (_, _, now) in zip(before, members(place.database), strict=True)
    ]
    title = "Your own table, member: mailable before and after"
    console.print(_table(title, ("name", "email", "before", "after"), rows))


def _table(title: str, headings: Sequence[str], rows: Sequence[Sequence[object]]) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in headings:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*map(str, row))
    return table


def _mark(mailable: int) -> str:
    return "yes" if mailable else "[red]no[/red]"


def write_exports(file: Path, environment: Mapping[str, str]) -> None:
    """A file for `source`, with which the command line talks to the demo."""
    names = [n for n in environment if n.startswith(("SESBOUNCE_", "AWS_"))]
    lines = [f"export {name}={shlex.quote(environment[name])}\n" for name in sorted(names)]
    file.write_text("".join(lines), encoding="utf-8")


def clean(folder: Path) -> None:
    """Leave nothing behind: no process, no file of the demo's, no resource in an attached AWS."""
    place = Workplace(folder)
    stopped = localstack.stop(CHECKOUT, say)
    say("LocalStack stopped" if stopped else "no LocalStack of ours was running")
    if place.endpoint.exists():
        destroy_in(place, place.endpoint.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    say("the demo's files are removed; the tools in .venv and .local stay: make clean removes them")


def destroy_in(place: Workplace, endpoint: str) -> None:
    """Take the stack out of a LocalStack that goes on running; ours has taken it along."""
    if not localstack.answers(endpoint):
        return
    say(f"removing the stack from {endpoint}")
    place.stack(terraform_env(localstack.environment(endpoint))).destroy(say)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.demo", description=__doc__)
    parser.add_argument("--clean", action="store_true", help="remove what the demo made")
    options = parser.parse_args(arguments)
    folder = CHECKOUT / ".local" / "demo"
    try:
        (clean if options.clean else run)(folder)
    except ScriptError as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: interrupted; make demo goes on where it stopped", style="red")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
