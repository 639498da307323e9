"""Checks the whole path of an event, and says what to do about each fault."""

import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import click

from sesbounce.cli.common import DIFFERS, as_json, to_json
from sesbounce.cli.group import exit_codes
from sesbounce.doctor import report
from sesbounce.doctor.examination import TIMEOUT_SECONDS, examination
from sesbounce.doctor.examine import Group, is_wanted
from sesbounce.doctor.finding import Result, Status
from sesbounce.doctor.roundtrip import roundtrip
from sesbounce.errors import NotCheckedError
from sesbounce.settings import load_settings
from sesbounce.store.lookup import Lookup
from sesbounce.telemetry.visible import visible


@click.command(
    epilog=exit_codes(
        {
            "0": "No check found anything broken; there may be hints, and some skipped checks.",
            "1": "A check found something broken.",
            "2": "No check could be made; standard error says why.",
        }
    )
)
@click.option(
    "--only",
    metavar="NAME",
    multiple=True,
    help="Make this check, or the checks of this group (`sqs`). The option can be repeated.",
)
@click.option(
    "--ignore",
    "ignored",
    metavar="NAME",
    multiple=True,
    help="Leave this check out, or the checks of this group. The option can be repeated.",
)
@click.option(
    "--timeout",
    metavar="SECONDS",
    type=click.FloatRange(min=0, min_open=True),
    default=TIMEOUT_SECONDS,
    show_default=True,
    help="Begin no check after this time.",
)
@click.option(
    "--terraform",
    "state",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="File with the output of `terraform show -json`: what it declares is compared with what "
    "is there, and the worker's service and the alarms are checked as well.",
)
@click.option(
    "--roundtrip",
    "sends",
    is_flag=True,
    help="Also send two mails to SES's mailbox simulator, and follow their events into the "
    "database, with times. It needs --from, and a worker that runs.",
)
@click.option("--from", "source", metavar="ADDRESS", help="Sender of these mails.")
@click.option(
    "--configuration-set",
    metavar="NAME",
    help="Configuration set of these mails.  [default: that of the identity]",
)
@as_json
def doctor(  # noqa: PLR0913, PLR0917  one argument an option
    only: Sequence[str],
    ignored: Sequence[str],
    timeout: float,
    state: Path | None,
    sends: bool,
    source: str | None,
    configuration_set: str | None,
    as_json: bool,
) -> None:
    """Check the whole path of an event: SES, SNS, SQS, the worker and the database.

    The command begins at SESBOUNCE_QUEUE_URL, and finds the topics and the identities that send
    to it. It changes nothing: it only calls what AWS names Get, List, Describe and Simulate, and
    reads the database. With --roundtrip alone it sends mail.

    Each check has a stable name. It is ok, or it has a hint, or it is broken, or it was skipped.
    """
    if sends and not source:
        raise click.UsageError("--roundtrip needs the sender of the mails: --from ADDRESS")
    settings = load_settings()
    with examination(settings, state) as examined:
        _demand_known(examined.groups, [*only, *ignored])
        found: Iterator[Result] = examined.results(
            lambda id_: is_wanted(id_, only, ignored), timeout
        )
        if sends and source:
            lookup = Lookup(examined.engine(), settings.hash_keys)
            ses = examined.session().client("ses")
            mails = roundtrip(ses, lookup, source, configuration_set, timeout)
            found = chain(found, mails)
        results: list[Result] = []
        for line in _lines(_kept(found, results), as_json):
            click.echo(line)
    if not as_json:
        click.echo(report.total(results))
    if any(result.status is Status.BROKEN for result in results):
        sys.exit(DIFFERS)
    if all(result.status is Status.SKIPPED for result in results):
        raise NotCheckedError(
            "no check was made: each was skipped, or --only and --ignore left none"
        )


def _demand_known(groups: Sequence[Group], names: Sequence[str]) -> None:
    """Make sure that each name is one of a check or of a group.

    Raises:
        click.UsageError: there is no such check.
    """
    ids = [check.id for group in groups for check in group.checks]
    known = {*ids, *(id_.partition(".")[0] for id_ in ids)}
    for name in names:
        if name not in known:
            raise click.UsageError(
                f"there is no check {name!r}. There are: {', '.join(sorted(ids))}"
            )


def _kept(results: Iterable[Result], kept: list[Result]) -> Iterator[Result]:
    """The results as they come, each of which is kept as well."""
    for result in results:
        kept.append(result)
        yield result


def _lines(results: Iterable[Result], as_json: bool) -> Iterator[str]:
    if as_json:
        return (to_json(report.shown(result)) for result in results)
    return map(visible, report.lines(results))
