"""Sends mail to SES's mailbox simulator, and follows its events until they are recorded.

https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html#send-email-simulator
"""

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from sesbounce.aws.clients import error_text
from sesbounce.doctor.finding import Result, broken, found
from sesbounce.store.lookup import EventRow, Lookup

if TYPE_CHECKING:
    from types_boto3_ses.client import SESClient

# What the simulator answers mail to each address with.
_RECIPIENTS = {
    "bounce@simulator.amazonses.com": "bounce",
    "complaint@simulator.amazonses.com": "complaint",
}
_POLL_SECONDS = 1.0


class Mail(NamedTuple):
    """A mail that SES has accepted.

    Attributes:
        id: the message id that SES gave it.
        recipient: the address of the simulator.
        kind: the kind of the event that it causes.
        sent_at: when the call was made, UTC.
        seconds: how long SES took to accept it.
    """

    id: str
    recipient: str
    kind: str
    sent_at: datetime
    seconds: float


def roundtrip(
    ses: "SESClient",
    lookup: Lookup,
    source: str,
    configuration_set: str | None,
    timeout_seconds: float,
    wait: Callable[[float], None] = time.sleep,
) -> Iterator[Result]:
    """Send the mails, and wait for their events: a result for each mail, as soon as it is known.

    Args:
        ses: SES, in the region of the queue.
        lookup: the database that the worker records to.
        source: the sender's address; SES has verified it or its domain.
        configuration_set: the configuration set of the mails; None for that of the identity.
        timeout_seconds: how long the events may take in all.
        wait: waits between two questions to the database.

    Raises:
        StoreError: the database can't answer.
    """
    mails = []
    for recipient, kind in _RECIPIENTS.items():
        try:
            mails.append(_send(ses, source, recipient, kind, configuration_set))
        except (ClientError, BotoCoreError) as error:
            text = error_text(error) if isinstance(error, ClientError) else str(error)
            yield found(
                *_check(kind),
                [
                    broken(
                        f"SES rejects mail from {source} ({text})",
                        "no mail leaves, and no event can come back",
                        "Verify it or its domain in this region, or give another one (--from)",
                    )
                ],
            )
    yield from _followed(mails, lookup, timeout_seconds, wait)


def _followed(
    mails: Sequence[Mail], lookup: Lookup, timeout_seconds: float, wait: Callable[[float], None]
) -> Iterator[Result]:
    missing = list(mails)
    questions = max(int(timeout_seconds / _POLL_SECONDS), 1)
    for number in range(questions):
        for mail in list(missing):
            if event := _recorded(mail, lookup):
                missing.remove(mail)
                id_, _ = _check(mail.kind)
                yield found(id_, _hops(mail, event), [])
        if not missing:
            return
        if number + 1 < questions:
            wait(_POLL_SECONDS)
    for mail in missing:
        yield found(
            *_check(mail.kind),
            [
                broken(
                    f"no {mail.kind} of the mail {mail.id} to {mail.recipient} was recorded within "
                    f"{timeout_seconds:g} seconds",
                    "a link of the path is broken, or the worker does not run",
                    "Mend what the other checks name, and see whether a message waits in the queue "
                    "or in a dead-letter queue",
                )
            ],
        )


def _send(
    ses: "SESClient", source: str, recipient: str, kind: str, configuration_set: str | None
) -> Mail:
    sent_at = datetime.now(UTC)
    answer = ses.send_email(
        Source=source,
        Destination={"ToAddresses": [recipient]},
        Message={
            "Subject": {"Data": "sesbounce doctor"},
            "Body": {"Text": {"Data": "A mail of sesbounce doctor to the mailbox simulator."}},
        },
        **({"ConfigurationSetName": configuration_set} if configuration_set else {}),  # type: ignore[arg-type]
    )
    seconds = (datetime.now(UTC) - sent_at).total_seconds()
    return Mail(answer["MessageId"], recipient, kind, sent_at, seconds)


def _recorded(mail: Mail, lookup: Lookup) -> EventRow | None:
    events = lookup.why(mail.recipient)
    return next((e for e in events if (e.mail_id, e.kind) == (mail.id, mail.kind)), None)


def _hops(mail: Mail, event: EventRow) -> str:
    """The way of an event, with its times in seconds after the call of SES."""
    occurred = (event.occurred_at - mail.sent_at).total_seconds()
    recorded = (event.recorded_at - mail.sent_at).total_seconds()
    return (
        f"SES accepted the mail to {mail.recipient} after {mail.seconds:.1f} s, dates its "
        f"{mail.kind} {occurred:.1f} s, and the worker recorded it {recorded:.1f} s after the call"
    )


def _check(kind: str) -> tuple[str, str]:
    return f"roundtrip.{kind}", f"a {kind} comes back"
