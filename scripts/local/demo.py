"""Shows the whole path on one machine: SES → SNS → SQS → worker → SQL, with LocalStack and SQLite.

Terraform creates the real stack in LocalStack, the demo sends mail through its SES, and the real
worker strikes addresses off a sample table. The demo needs no AWS account, and writes nothing
outside of the checkout.
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
"""Name, address, what happens to mail to it, number of mails: one a day, the last one today."""

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
        """A file with the URL of the stack's LocalStack, for `clean`."""
        return self.folder / "endpoint"

    @property
    def exports(self) -> Path:
        """A file for `source`, with the environment of the demo."""
        return self.folder / "env"

    def stack(self, environment: Mapping[str, str]) -> Stack:
        """The real stack of `terraform/`, with the demo's variables."""
        return Stack(
            CHECKOUT / "terraform",
            data_dir=self.folder / "terraform",
            state=self.folder / "terraform.tfstate",
            variables={
                "name": "sesbounce-demo",
                "identities": {SENDER: {"create": True, "include_original_headers": True}},
                "configuration_sets": {"sesbounce-demo": {"create": True}},
                "feedback_types": ["Bounce", "Complaint", "Delivery"],
                "ses_api": "v1",  # LocalStack has no other
                # The demo runs the worker itself.
                "worker": None,
                "monitoring": None,
            },
            environment=environment,
        )


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print the title of a step, and how many seconds it took."""
    console.rule(f"[bold]{what}", align="left", style="dim")
    began = time.monotonic()
    yield
    console.print(f"  [dim]{time.monotonic() - began:.1f} s[/dim]")


def say(line: str) -> None:
    """Print a line of progress."""
    console.print(f"  {line}", markup=False, soft_wrap=True)


def run(folder: Path) -> None:
    """Run the demo, from an empty LocalStack to members that are struck off."""
    place = Workplace(folder)
    with step("1. Start LocalStack: AWS on this machine"):
        aws = localstack.ensure(CHECKOUT, say)
        say(f"{aws.endpoint} ({aws.kind}, {'started' if aws.started else 'already running'})")
    environment = localstack.environment(aws.endpoint)
    with step("2. Apply Terraform: SES → SNS topic → SQS queue, with both dead-letter queues"):
        outputs = apply(place, environment, fresh=aws.started)
        say(f"topic {outputs['topic_arn']}")
        say(f"queue {outputs['queue_url']}")
    with step("3. Create a table of the sender's: member"):
        make_members(place.database)
        before = members(place.database)
        say(f"{len(before)} members, all mailable")
    with step("4. Send mail, and let SES publish what happens to it"):
        send_mail(environment, outputs["topic_arn"])
    with step("5. Let the worker empty the queue"):
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
        f"\nNext: [bold]source {os.path.relpath(place.exports)}[/bold], then for example\n"
        f"  .venv/bin/sesbounce why max.full@example.net\n"
        f"  make simulate ARGS='--from {SENDER} --to joy.fine@example.com=bounce --wait 0'\n"
        f"  .venv/bin/sesbounce run --until-empty\n"
        f"[bold]make demo-clean[/bold] stops LocalStack and removes what the demo created.",
        soft_wrap=True,
    )


def apply(place: Workplace, environment: Mapping[str, str], *, fresh: bool) -> dict[str, str]:
    """Apply the real stack, and return its outputs; existing resources are kept."""
    if fresh:
        # The state is that of a LocalStack that no longer runs.
        shutil.rmtree(place.folder, ignore_errors=True)
    place.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place.endpoint.write_text(environment["AWS_ENDPOINT_URL"], encoding="utf-8")
    stack = place.stack(terraform_env(environment))
    stack.init()
    stack.apply(say)
    return stack.outputs()


def make_members(database: Path) -> None:
    """Create a new database with the sample table."""
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("CREATE TABLE member (name TEXT, email TEXT, mailable INTEGER)")
        connection.executemany(
            "INSERT INTO member VALUES (?, ?, 1)", [(name, email) for name, email, *_ in MEMBERS]
        )


def members(database: Path) -> list[tuple[str, str, int]]:
    """The rows of the sample table: name, address, mailable."""
    with closing(sqlite3.connect(database)) as connection:
        return connection.execute("SELECT name, email, mailable FROM member").fetchall()


def send_mail(environment: Mapping[str, str], topic_arn: str) -> None:
    """Send mail to every member, and publish the events that LocalStack's SES does not."""
    session = boto3.Session(
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_REGION"],
    )
    endpoint = environment["AWS_ENDPOINT_URL"]
    targets = [
        Target(email, scenario, days_ago)
        for _, email, scenario, mails in MEMBERS
        for days_ago in reversed(range(mails))
    ]
    sent = send(session.client("ses", endpoint_url=endpoint), SENDER, targets)
    published = act_as_ses(session.client("sns", endpoint_url=endpoint), topic_arn, sent)
    say(f"{len(sent)} mails sent, {published} messages published: each event in both schemas")


def sesbounce(environment: Mapping[str, str], *arguments: str) -> None:
    """Run the real command and show its output.

    Raises:
        ScriptError: the command failed.
    """
    command = [str(Path(sys.executable).with_name("sesbounce")), *arguments]
    console.print(f"  $ sesbounce {shlex.join(arguments)}", style="bold", markup=False)
    sys.stdout.flush()
    if subprocess.run(command, env=dict(environment), check=False).returncode:
        raise ScriptError(f"sesbounce {shlex.join(arguments)} failed; its output is above")


def show(place: Workplace, before: Sequence[tuple[str, str, int]]) -> None:
    """Print the suppression list with its reasons, and the member table before and after."""
    with closing(sqlite3.connect(place.database)) as connection:
        suppressed = connection.execute(
            "SELECT address, reason FROM suppressed ORDER BY address"
        ).fetchall()
    console.print()
    print_table("The suppression list", ("address", "reason"), suppressed)
    rows = [
        (email, name, _mark(was), _mark(now))
        for (name, email, was), (_, _, now) in zip(before, members(place.database), strict=True)
    ]
    title = "The sender's table, member: mailable before and after"
    print_table(title, ("email", "name", "before", "after"), rows)


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table with one line a row: a terminal or a pipe that is narrow breaks no address."""
    console.print(f"[bold]{title}")
    lines = [headings, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        say("  ".join(cells).rstrip())
    console.print()


def _mark(mailable: int) -> str:
    return "yes" if mailable else "no"


def write_exports(file: Path, environment: Mapping[str, str]) -> None:
    """Write a file for `source` that sets the command line's environment to the demo."""
    names = [n for n in environment if n.startswith(("SESBOUNCE_", "AWS_"))]
    lines = [f"export {name}={shlex.quote(environment[name])}\n" for name in sorted(names)]
    file.write_text("".join(lines), encoding="utf-8")


def clean(folder: Path) -> None:
    """Stop LocalStack, and remove the demo's files and its stack from a LocalStack that goes on."""
    place = Workplace(folder)
    stopped = localstack.stop(CHECKOUT, say)
    say("LocalStack stopped" if stopped else "the demo's LocalStack was not running")
    if place.endpoint.exists():
        destroy_in(place, place.endpoint.read_text(encoding="utf-8"))
    shutil.rmtree(folder, ignore_errors=True)
    say("the demo's files are removed; make clean removes the tools in .venv and .local too")


def destroy_in(place: Workplace, endpoint: str) -> None:
    """Destroy the stack in a LocalStack that still runs; one that was stopped kept nothing."""
    if not localstack.answers(endpoint):
        return
    say(f"removing the stack from {endpoint}")
    place.stack(terraform_env(localstack.environment(endpoint))).destroy(say)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.demo", description=__doc__)
    parser.add_argument("--clean", action="store_true", help="remove what the demo created")
    options = parser.parse_args(arguments)
    folder = CHECKOUT / ".local" / "demo"
    try:
        (clean if options.clean else run)(folder)
    except ScriptError as error:
        console.print(f"demo: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("demo: interrupted; run make demo to continue", style="red")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
