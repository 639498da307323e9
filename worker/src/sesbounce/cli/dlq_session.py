"""What the commands of `sesbounce dlq` have in common: the queue, signals, confirmations."""

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import click

from sesbounce.aws.dead_letters import DeadLetterQueue, open_dead_letter_queue
from sesbounce.aws.sns_trust import Trust
from sesbounce.cli.common import now, to_json, writing
from sesbounce.cli.dlq_options import How, Place
from sesbounce.cli.dlq_text import left, letters, notes, report
from sesbounce.cli.group import PARTLY_DONE, InterruptedCommandError, confirm
from sesbounce.cli.progress import reporting
from sesbounce.cli.stopping import stopping
from sesbounce.dead_letters.acting import subject_of
from sesbounce.dead_letters.examining import Examiner, Wanted
from sesbounce.dead_letters.moving import move_all
from sesbounce.dead_letters.opening import dead_letter_queue_url, decoder, trust
from sesbounce.dead_letters.stopping import Stop, StoppedError
from sesbounce.dead_letters.working import Action, DeadLetters, Progress, Survey, Worked
from sesbounce.errors import ConfigurationError, SesBounceError, StoreError
from sesbounce.settings import Settings, load_settings
from sesbounce.signals import SIGNALLED
from sesbounce.store.acts import Act, Done, record_alone
from sesbounce.store.result import Recorded
from sesbounce.telemetry.logs import set_up_logs
from sesbounce.telemetry.visible import visible


class Command(NamedTuple):
    """What a command works with."""

    settings: Settings
    queue: DeadLetterQueue
    letters: DeadLetters
    trust: Trust
    stop: Stop


class _TerminatedCommandError(InterruptedCommandError):
    """SIGTERM ended a command."""

    exit_code = SIGNALLED + signal.SIGTERM


@contextmanager
def opened(place: Place) -> Iterator[Command]:
    """What a command works with; a signal ends it in order.

    Raises:
        ConfigurationError: a setting is missing or wrong.
        QueueError: AWS rejects a call or can't be reached.
        InterruptedCommandError: a signal has ended the command.
    """
    settings = load_settings()
    set_up_logs(settings.log_format, redact=settings.redact)
    queue = open_dead_letter_queue(place.url or dead_letter_queue_url(place.which, settings))
    trusted = trust(settings)
    progress = Progress()
    with stopping() as stop, _explained(stop, progress), reporting(partial(_so_far, progress)):
        found = DeadLetters(queue, Examiner(trusted, decoder(settings)), stop, progress)
        yield Command(settings, queue, found, trusted, stop)


def agreed(survey: Survey, verb: str, how: How, question: str, advice: str = "") -> bool:
    """Whether there is something to do, and the person agrees; otherwise say what there is.

    Args:
        survey: what there is.
        verb: what the command does to letters, in the passive.
        how: the options.
        question: asks the person, unless an option has answered it.
        advice: what a person can do where there are letters, and none is selected.
    """
    selected = len(survey.selected)
    for note in notes(survey):
        click.echo(f"sesbounce: {note}", err=True)
    if selected and not how.dry_run:
        if not how.yes:
            confirm(question)
        return True
    if how.as_json:
        click.echo(to_json({"selected": selected, "dry_run": how.dry_run, "done": 0}))
    elif how.dry_run:
        click.echo(f"{letters(selected)} would be {verb}. Nothing was changed: this was a dry run.")
    else:
        click.echo(f"No dead letter matches; {letters(survey.looked_at)} looked at.")
    if advice and survey.looked_at and not selected and not how.as_json:
        click.echo(advice)
    return False


def work(
    command: Command,
    survey: Survey,
    action: Action,
    rate: int | None = None,
    most_at_once: int = 100,
    delete: bool = True,
) -> Worked:
    """Apply an action to the letters that a survey has selected."""
    return command.letters.work(
        survey.selected, action, rate=rate, most_at_once=most_at_once, delete=delete
    )


def finish(
    verb: str, survey: Survey, worked: Worked, how: How, recorded: Recorded | None = None
) -> None:
    """Print what a command has done; exit with 3 if it has left some of the selected letters."""
    report(verb, survey, worked, as_json=how.as_json, recorded=recorded)
    if left(survey, worked):
        sys.exit(PARTLY_DONE)


@contextmanager
def audited(command: Command, act: Act, wanted: Wanted, by: str) -> Iterator[None]:
    """Record in the audit to how many letters the block has done something, however it ends.

    Letters can be handled without the database: then standard error says what the audit lacks.
    """
    try:
        yield
    finally:
        progress = command.letters.progress
        number = progress.done if act is Act.LETTERS_DELETED else progress.acted
        try:
            if number:
                subject = subject_of(command.queue.name, wanted)
                with writing() as engine:
                    record_alone(
                        engine, Done(act=act, at=now(), by=by, subject=subject, number=number)
                    )
        except (ConfigurationError, StoreError) as error:
            click.echo(f"sesbounce: the audit does not hold this: {visible(str(error))}", err=True)


def moved_by_sqs(command: Command, rate: int | None) -> bool:
    """Whether SQS itself has moved the letters; where it does not, say why."""
    refusal = move_all(command.queue, rate, command.stop, command.letters.progress)
    if refusal is not None:
        click.echo(
            "sesbounce: this command sends the letters one by one, because SQS does not move them "
            f"itself: {visible(refusal)}",
            err=True,
        )
    return refusal is None


@contextmanager
def _explained(stop: Stop, progress: Progress) -> Iterator[None]:
    """Say how far a command has come if a signal or an error ends it."""
    try:
        yield
    except StoppedError:
        ended = (
            _TerminatedCommandError if stop.number == signal.SIGTERM else InterruptedCommandError
        )
        raise ended(
            f"interrupted: {_so_far(progress)}. All letters that were not handled are visible; the "
            "same command goes on with them"
        ) from None
    except SesBounceError:
        if progress.done:
            click.echo(f"sesbounce: {_so_far(progress)} before this error:", err=True)
        raise


def _so_far(progress: Progress) -> str:
    return f"{letters(progress.looked_at)} received, {progress.done:,} handled"
