"""Lists dead letters by cause, records them, sends them back, exports and deletes them."""

import sys
from collections.abc import Sequence
from pathlib import Path

import click
import msgspec

from sesbounce.aws.queue_calls import MOST_AT_ONCE
from sesbounce.aws.target_queue import open_target_queue
from sesbounce.cli.common import as_json, now, to_json
from sesbounce.cli.dlq_options import How, Place, filtered, handling, of_queue
from sesbounce.cli.dlq_session import agreed, audited, finish, moved_by_sqs, opened, work
from sesbounce.cli.dlq_text import (
    group_json,
    left,
    letter_json,
    letter_text,
    letters,
    notes,
    table,
)
from sesbounce.cli.group import PARTLY_DONE, exit_codes
from sesbounce.cli.output import output_option, written
from sesbounce.cli.person import by_option, user
from sesbounce.dead_letters.actions import Export, ExportFile, Redrive, Replay
from sesbounce.dead_letters.examining import Wanted
from sesbounce.dead_letters.grouping import expires_at
from sesbounce.dead_letters.opening import decoder
from sesbounce.dead_letters.working import Worked
from sesbounce.opening import open_store
from sesbounce.store.acts import Act
from sesbounce.worker.batch import Handler

_STOPPED = {
    "128 + n": "Signal n ended the command, after it made the letters visible.",
    "130": "Ctrl-C ended the command, after it made the letters visible.",
}
_HANDLING = _STOPPED | {
    "3": "The command handled only a part of the letters; standard error says how many are left.",
    "4": "You did not confirm; nothing was changed.",
}
_NOT_UNDERSTOOD = (
    "This command records only letters that this version understands. `sesbounce dlq list` says "
    "what is wrong with the others: a newer version may understand them; `sesbounce dlq delete` "
    "deletes those that nobody needs."
)


@click.group()
def dlq() -> None:
    """Handle dead letters: messages that the worker could not handle, or SNS not deliver.

    SQS deletes a dead letter some days after it was first sent (with this stack, 14 days). Each
    command receives the letters, and makes those that it has not deleted visible at its end. A
    command that is killed loses no letter, but SQS hides those that it has received for ten
    minutes.

    Your AWS user or role needs rights on the dead-letter queue: in Terraform, set
    consumer_may_redrive for the worker, or give your role the output dlq_operator_policy.
    """


@dlq.command(name="list", epilog=exit_codes(_STOPPED))
@of_queue
@filtered()
@as_json
def list_(place: Place, wanted: Wanted, as_json: bool) -> None:
    """Print the dead letters, grouped by what is wrong with them.

    A letter with an ErrorCode belongs to the group of that code, which SNS has added. Each other
    letter belongs to the group of its fingerprint, which letters with the same problem share.

    The column `understood` counts the letters that the worker of this version would record:
    `replay` or `redrive` handles them.
    """
    with opened(place) as command:
        survey = command.letters.survey(wanted)
    moment = now()
    if as_json:
        for group in survey.groups:
            click.echo(to_json(group_json(group, moment)))
        for note in notes(survey):
            click.echo(f"sesbounce: {note}", err=True)
        return
    for line in table(command.queue.name, survey, moment):
        click.echo(line)


@dlq.command(epilog=exit_codes(_STOPPED))
@click.argument("ids", nargs=-1, metavar="[ID]...")
@of_queue
@filtered()
@click.option(
    "--limit",
    type=click.IntRange(min=1, max=100),
    metavar="NUMBER",
    default=1,
    help="Print at most this many letters.  [default: 1, or as many as there are IDs]",
)
@click.option("--unredacted", is_flag=True, help="Print addresses as they are.")
@as_json
def show(
    ids: Sequence[str], place: Place, wanted: Wanted, limit: int, unredacted: bool, as_json: bool
) -> None:
    """Print single dead letters: those with an ID of SQS, or the first that the options select.

    The command hides the local parts of addresses.
    """
    wanted = msgspec.structs.replace(wanted, ids=frozenset(ids))
    with opened(place) as command:
        found = command.letters.select(wanted.selects, max(limit, len(wanted.ids)))
        retention = command.letters.facts.retention
    if not found and not as_json:
        click.echo("No dead letter matches.")
    for letter, diagnosis in found:
        if as_json:
            click.echo(to_json(letter_json(letter, diagnosis, retention, hide=not unredacted)))
        else:
            expires = letter.sent_at and expires_at(letter.sent_at, retention)
            click.echo(letter_text(letter, diagnosis, expires, now(), hide=not unredacted))


@dlq.command(epilog=exit_codes(_HANDLING))
@of_queue
@filtered(understood=False)
@handling
def replay(place: Place, wanted: Wanted, how: How) -> None:
    """Record dead letters in the database, and delete those that are committed.

    The command handles only letters that this version understands; all others stay in the queue.
    It records them as the worker does, and runs your statements. Events that are recorded already
    change nothing, so that you may repeat the command.
    """
    with opened(place) as command:
        survey = command.letters.survey(msgspec.structs.replace(wanted, understood=True))
        question = f"Record {letters(len(survey.selected))} in the database?"
        if not agreed(survey, "recorded", how, question, _NOT_UNDERSTOOD):
            return
        settings = command.settings
        with (
            open_store(settings) as store,
            audited(command, Act.LETTERS_RECORDED, wanted, how.by),
        ):
            handler = Handler(store.store, command.trust, now, lambda *_: False, decoder(settings))
            action = Replay(handler)
            worked = work(command, survey, action, how.rate, settings.largest_batch)
    finish("recorded", survey, worked, how, action.recorded)


@dlq.command(epilog=exit_codes(_HANDLING))
@of_queue
@filtered()
@click.option(
    "--to",
    "to_url",
    metavar="URL",
    help="URL of the queue to which to send the letters.  [default: SESBOUNCE_QUEUE_URL]",
)
@handling
def redrive(place: Place, wanted: Wanted, to_url: str | None, how: How) -> None:
    """Send dead letters back to the queue, for the worker to handle.

    SQS itself moves all letters of the main dead-letter queue, unless an option selects some of
    them; with --rate, at most 500 in a second. It also moves letters that come meanwhile. In all
    other cases, the command sends each letter to the queue, and deletes it afterwards. If it is
    killed in between, the queue gets the letter twice, which the worker notices.
    """
    with opened(place) as command:
        survey = command.letters.survey(wanted)
        question = f"Send {letters(len(survey.selected))} back to the queue?"
        if not agreed(survey, "sent back", how, question):
            return
        by_sqs = place.which == "main" and wanted.everything and not to_url
        with audited(command, Act.LETTERS_SENT_BACK, wanted, how.by):
            if by_sqs and moved_by_sqs(command, how.rate):
                worked = Worked(command.letters.progress.done, 0, 0)
            else:
                action = Redrive(open_target_queue(to_url or command.settings.queue))
                worked = work(command, survey, action, how.rate, MOST_AT_ONCE)
    finish("sent back", survey, worked, how)


@dlq.command(
    epilog=exit_codes(
        _STOPPED | {"3": "The file lacks some of the letters; standard error says how many."}
    )
)
@of_queue
@filtered()
@output_option
@by_option
def export(place: Place, wanted: Wanted, output: Path, by: str | None) -> None:
    """Write dead letters as JSON Lines, and leave them in the queue.

    The lines hold the bodies as they are, with all addresses.
    """
    with opened(place) as command:
        survey = command.letters.survey(wanted)
        with (
            audited(command, Act.LETTERS_EXPORTED, wanted, by or user()),
            written(output) as text,
        ):
            worked = work(command, survey, Export(text), delete=False)
    if missing := left(survey, worked):
        click.echo(f"sesbounce: {missing}", err=True)
        sys.exit(PARTLY_DONE)


@dlq.command(epilog=exit_codes(_HANDLING))
@of_queue
@filtered()
@click.option(
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    required=True,
    help="Write the letters to this new file first, as JSON Lines.",
)
@handling
def delete(place: Place, wanted: Wanted, output: Path, how: How) -> None:
    """Write dead letters to a file, and delete them from the queue.

    The command deletes a letter only after the disk holds it.
    """
    with opened(place) as command:
        survey = command.letters.survey(wanted)
        question = f"Delete {letters(len(survey.selected))} from {command.queue.name}?"
        if not agreed(survey, "deleted", how, question):
            return
        with (
            audited(command, Act.LETTERS_DELETED, wanted, how.by),
            ExportFile(output) as action,
        ):
            worked = work(command, survey, action, how.rate)
    finish("deleted", survey, worked, how)
