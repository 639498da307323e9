"""SES's messages about a mail, in both schemas, built from the field lists that AWS documents.

Sources: https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html,
https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html (the simulator)
"""

import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any, Literal

Schema = Literal["notification", "event"]
SCHEMAS: tuple[Schema, ...] = ("notification", "event")

SIMULATOR_DOMAIN = "simulator.amazonses.com"

# A recipient answers or complains after the delivery.
_ANSWERS_AFTER = timedelta(seconds=1)

_SUPPRESSED_WORDS = (
    "Amazon SES has suppressed sending to this address because it has a recent history of "
    "bouncing as an invalid address."
)


class Scenario(StrEnum):
    """What happens to a mail. All but the last are mailboxes of AWS's own simulator."""

    SUCCESS = "success"
    BOUNCE = "bounce"
    OOTO = "ooto"
    COMPLAINT = "complaint"
    SUPPRESSIONLIST = "suppressionlist"
    MAILBOX_FULL = "mailbox-full"


def outcome_of(scenario: Scenario) -> str:
    """The kind of the last event of a mail: `bounce`, `complaint` or `delivery`."""
    return {Scenario.SUCCESS: "delivery", Scenario.COMPLAINT: "complaint"}.get(scenario, "bounce")


def scenario_of(address: str) -> Scenario | None:
    """The scenario of a simulator address, with or without a `+label`; None for other addresses."""
    local, _, domain = address.lower().rpartition("@")
    name = local.partition("+")[0]
    if domain != SIMULATOR_DOMAIN or name == Scenario.MAILBOX_FULL or name not in list(Scenario):
        return None
    return Scenario(name)


@dataclass(frozen=True)
class Mail:
    """A mail to one recipient that SES has accepted."""

    message_id: str
    source: str
    recipient: str
    sent_at: datetime
    subject: str = "Hello"
    account_id: str = "000000000000"
    region: str = "us-east-1"
    configuration_set: str = "sesbounce"


def messages(scenario: Scenario, mail: Mail, at: datetime, schema: Schema) -> list[dict[str, Any]]:
    """All messages that SES publishes about the mail, in the order of their events.

    Args:
        scenario: what happens to the mail.
        mail: the mail.
        at: the time when it happens.
        schema: `notification`, which an identity publishes, or `event`, which a configuration set
            publishes.
    """
    events = {
        Scenario.SUCCESS: [_delivery],
        Scenario.BOUNCE: [_hard_bounce],
        Scenario.OOTO: [_delivery, _auto_reply],
        Scenario.COMPLAINT: [_delivery, _complaint],
        Scenario.SUPPRESSIONLIST: [_suppressed],
        Scenario.MAILBOX_FULL: [_mailbox_full],
    }[scenario]
    return [_message(*event(mail, at), mail=mail, schema=schema) for event in events]


def _message(kind: str, detail: dict[str, Any], *, mail: Mail, schema: Schema) -> dict[str, Any]:
    key = "notificationType" if schema == "notification" else "eventType"
    about = _mail_of_notification(mail) if schema == "notification" else _mail_of_event(mail)
    return {key: kind, kind.lower(): detail, "mail": about}


def _mail(mail: Mail) -> dict[str, Any]:
    return {
        "timestamp": _time(mail.sent_at),
        "source": mail.source,
        "sourceArn": f"arn:aws:ses:{mail.region}:{mail.account_id}:identity/{mail.source}",
        "sendingAccountId": mail.account_id,
        "messageId": mail.message_id,
        "destination": [mail.recipient],
        "headersTruncated": False,
        "headers": [
            {"name": "From", "value": mail.source},
            {"name": "To", "value": mail.recipient},
            {"name": "Subject", "value": mail.subject},
            {"name": "MIME-Version", "value": "1.0"},
            {"name": "Content-Type", "value": 'text/plain; charset="UTF-8"'},
            {"name": "Content-Transfer-Encoding", "value": "7bit"},
        ],
        "commonHeaders": {
            "from": [mail.source],
            "to": [mail.recipient],
            "messageId": mail.message_id,
            "subject": mail.subject,
        },
    }


def _mail_of_notification(mail: Mail) -> dict[str, Any]:
    return _mail(mail) | {"sourceIp": "192.0.2.1", "callerIdentity": "ses_user"}


def _mail_of_event(mail: Mail) -> dict[str, Any]:
    return _mail(mail) | {
        "tags": {
            "ses:operation": ["SendEmail"],
            "ses:configuration-set": [mail.configuration_set],
            "ses:source-ip": ["192.0.2.1"],
            "ses:from-domain": [mail.source.rpartition("@")[2]],
            "ses:caller-identity": ["ses_user"],
        }
    }


def _delivery(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    return "Delivery", {
        "timestamp": _time(at),
        "processingTimeMillis": max(0, int((at - mail.sent_at).total_seconds() * 1000)),
        "recipients": [mail.recipient],
        "smtpResponse": "250 2.6.0 Message received",
        "remoteMtaIp": "192.0.2.2",
        "reportingMTA": "a8-70.smtp-out.amazonses.com",
    }


def _bounce(
    kind: tuple[str, str], mail: Mail, at: datetime, dsn: dict[str, str], **more: str
) -> tuple[str, dict[str, Any]]:
    return "Bounce", {
        "bounceType": kind[0],
        "bounceSubType": kind[1],
        "bouncedRecipients": [{"emailAddress": mail.recipient, **dsn}],
        "timestamp": _time(at),
        "feedbackId": _feedback_id(mail, "Bounce"),
        **more,
    }


def _hard_bounce(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    dsn = {
        "action": "failed",
        "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown",
    }
    mta = {"remoteMtaIp": "192.0.2.2", "reportingMTA": "dns; a8-70.smtp-out.amazonses.com"}
    return _bounce(("Permanent", "General"), mail, at, dsn, **mta)


def _mailbox_full(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    dsn = {
        "action": "failed",
        "status": "4.2.2",
        "diagnosticCode": "smtp; 452 4.2.2 the recipient's mailbox is full",
    }
    mta = {"remoteMtaIp": "192.0.2.2", "reportingMTA": "dns; a8-70.smtp-out.amazonses.com"}
    return _bounce(("Transient", "MailboxFull"), mail, at, dsn, **mta)


def _suppressed(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    dsn = {"action": "failed", "status": "5.1.1", "diagnosticCode": _SUPPRESSED_WORDS}
    return _bounce(("Permanent", "Suppressed"), mail, at, dsn, reportingMTA="dns; amazonses.com")


def _auto_reply(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    # The reply is a normal mail, not a delivery status notification, so it has no DSN fields.
    return _bounce(("Transient", "General"), mail, at + _ANSWERS_AFTER, {})


def _complaint(mail: Mail, at: datetime) -> tuple[str, dict[str, Any]]:
    at += _ANSWERS_AFTER
    return "Complaint", {
        "complainedRecipients": [{"emailAddress": mail.recipient}],
        "timestamp": _time(at),
        "feedbackId": _feedback_id(mail, "Complaint"),
        "complaintSubType": None,
        "userAgent": "Amazon SES Mailbox Simulator",
        "complaintFeedbackType": "abuse",
        "arrivalDate": _time(at),
    }


def _feedback_id(mail: Mail, kind: str) -> str:
    """The same in both schemas, as it is one event."""
    return f"{uuid.uuid5(uuid.NAMESPACE_OID, mail.message_id + kind)}-000000"


def _time(at: datetime) -> str:
    """`2016-01-27T14:59:38.237Z`, as SES writes it."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
