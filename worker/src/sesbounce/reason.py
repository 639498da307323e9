"""Why SES says what it says of a recipient: one closed list of reasons, and what each does.

The type and subtype of a bounce are SES's guess for the whole message; a recipient's own
delivery status (RFC 3463, RFC 3464) is closer to the truth and wins. `docs/reasons.md` has
this module as a table for people.

Source of the types and subtypes:
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
"""

from enum import StrEnum
from typing import NamedTuple


class Effect(StrEnum):
    """What a reason does to what is known of the address."""

    HARD = "hard"  # the mailbox can't be reached, now or later
    SOFT = "soft"  # it could not be reached this time: a strike
    REFUSED = "refused"  # SES did not try, for what it knows itself
    CONSENT = "consent"  # the recipient opted out
    COMPLAINT = "complaint"
    DELIVERED = "delivered"
    NONE = "none"  # not about the mailbox


class Reason(StrEnum):
    """The closed list. The values are what the database and `--json` show."""

    NO_SUCH_MAILBOX = "no_such_mailbox"
    DOMAIN_NOT_FOUND = "domain_not_found"
    MAILBOX_DISABLED = "mailbox_disabled"
    PERMANENT_FAILURE = "permanent_failure"
    MAILBOX_FULL = "mailbox_full"
    TIMEOUT = "timeout"
    BLOCKED = "blocked"
    TEMPORARY_FAILURE = "temporary_failure"
    UNDETERMINED = "undetermined"
    MESSAGE_TOO_LARGE = "message_too_large"
    CONTENT_REJECTED = "content_rejected"
    ATTACHMENT_REJECTED = "attachment_rejected"
    SUPPRESSED_GLOBALLY = "suppressed_globally"
    SUPPRESSED_BY_ACCOUNT = "suppressed_by_account"
    SUPPRESSED_BY_TENANT = "suppressed_by_tenant"
    SUPPRESSED_BY_VALIDATION = "suppressed_by_validation"
    UNSUBSCRIBED = "unsubscribed"
    COMPLAINT_ABUSE = "complaint_abuse"
    COMPLAINT_FRAUD = "complaint_fraud"
    COMPLAINT_VIRUS = "complaint_virus"
    COMPLAINT_OTHER = "complaint_other"
    COMPLAINT_NOT_SPAM = "complaint_not_spam"
    COMPLAINT_AUTH_FAILURE = "complaint_auth_failure"
    DELIVERED = "delivered"
    NOT_ABOUT_THE_MAILBOX = "not_about_the_mailbox"

    @property
    def effect(self) -> Effect:
        """What it does."""
        return _EFFECTS[self]

    @property
    def words(self) -> str:
        """The reason in a sentence: `mailbox full`, `abuse`."""
        return self.value.removeprefix("complaint_").replace("_", " ")


_EFFECTS = {
    Reason.NO_SUCH_MAILBOX: Effect.HARD,
    Reason.DOMAIN_NOT_FOUND: Effect.HARD,
    Reason.MAILBOX_DISABLED: Effect.HARD,
    Reason.PERMANENT_FAILURE: Effect.HARD,
    Reason.MAILBOX_FULL: Effect.SOFT,
    Reason.TIMEOUT: Effect.SOFT,
    Reason.BLOCKED: Effect.SOFT,
    Reason.TEMPORARY_FAILURE: Effect.SOFT,
    Reason.UNDETERMINED: Effect.SOFT,
    Reason.MESSAGE_TOO_LARGE: Effect.NONE,
    Reason.CONTENT_REJECTED: Effect.NONE,
    Reason.ATTACHMENT_REJECTED: Effect.NONE,
    Reason.SUPPRESSED_GLOBALLY: Effect.REFUSED,
    Reason.SUPPRESSED_BY_ACCOUNT: Effect.REFUSED,
    Reason.SUPPRESSED_BY_TENANT: Effect.REFUSED,
    Reason.SUPPRESSED_BY_VALIDATION: Effect.REFUSED,
    Reason.UNSUBSCRIBED: Effect.CONSENT,
    Reason.COMPLAINT_ABUSE: Effect.COMPLAINT,
    Reason.COMPLAINT_FRAUD: Effect.COMPLAINT,
    Reason.COMPLAINT_VIRUS: Effect.COMPLAINT,
    Reason.COMPLAINT_OTHER: Effect.COMPLAINT,
    Reason.COMPLAINT_NOT_SPAM: Effect.NONE,
    Reason.COMPLAINT_AUTH_FAILURE: Effect.NONE,
    Reason.DELIVERED: Effect.DELIVERED,
    Reason.NOT_ABOUT_THE_MAILBOX: Effect.NONE,
}

# Subtypes by which SES says what it did itself; no status of a remote host is behind them.
_BY_SES = {
    "Suppressed": Reason.SUPPRESSED_GLOBALLY,
    "OnAccountSuppressionList": Reason.SUPPRESSED_BY_ACCOUNT,
    "OnTenantSuppressionList": Reason.SUPPRESSED_BY_TENANT,
    "EmailValidationSuppressed": Reason.SUPPRESSED_BY_VALIDATION,
    "UnsubscribedRecipient": Reason.UNSUBSCRIBED,
}

_BY_SUBTYPE = {
    "NoEmail": Reason.NO_SUCH_MAILBOX,
    "MailboxFull": Reason.MAILBOX_FULL,
    "MessageTooLarge": Reason.MESSAGE_TOO_LARGE,
    "ContentRejected": Reason.CONTENT_REJECTED,
    "AttachmentRejected": Reason.ATTACHMENT_REJECTED,
    "CustomTimeoutExceeded": Reason.TIMEOUT,
}

_BY_TYPE = {
    "Permanent": Reason.PERMANENT_FAILURE,
    "Transient": Reason.TEMPORARY_FAILURE,
}

# The subject and detail of an enhanced status code (RFC 3463, section 3, and the registry
# https://www.iana.org/assignments/smtp-enhanced-status-codes). Codes that say no more than
# the type does are left out: x.0.0, x.4.7 (it expired, for whatever cause), protocol errors.
_BY_STATUS = {
    (1, 0): Reason.NO_SUCH_MAILBOX,
    (1, 1): Reason.NO_SUCH_MAILBOX,
    (1, 2): Reason.DOMAIN_NOT_FOUND,
    (1, 3): Reason.NO_SUCH_MAILBOX,  # the address is no address
    (1, 4): Reason.NO_SUCH_MAILBOX,  # ambiguous
    (1, 6): Reason.NO_SUCH_MAILBOX,  # moved, no forwarding address
    (1, 7): Reason.BLOCKED,  # the *sender's* address is malformed
    (1, 8): Reason.BLOCKED,  # the *sender's* domain does not exist
    (1, 10): Reason.DOMAIN_NOT_FOUND,  # null MX, RFC 7505
    (2, 1): Reason.MAILBOX_DISABLED,
    (2, 2): Reason.MAILBOX_FULL,
    (2, 3): Reason.MESSAGE_TOO_LARGE,
    (3, 4): Reason.MESSAGE_TOO_LARGE,
    (4, 4): Reason.DOMAIN_NOT_FOUND,  # unable to route: no MX, no A
}
_BY_STATUS_SUBJECT = {
    6: Reason.CONTENT_REJECTED,
    7: Reason.BLOCKED,
}

# RFC 3464, 2.3.3: actions that report no failure.
_NO_FAILURE = frozenset({"delayed", "delivered", "relayed", "expanded"})

_COMPLAINTS = {
    "abuse": Reason.COMPLAINT_ABUSE,
    "fraud": Reason.COMPLAINT_FRAUD,
    "virus": Reason.COMPLAINT_VIRUS,
    "not-spam": Reason.COMPLAINT_NOT_SPAM,
    "auth-failure": Reason.COMPLAINT_AUTH_FAILURE,
}


class Classified(NamedTuple):
    """A reason and the evidence that it rests on, in words."""

    reason: Reason
    basis: str


class _Status(NamedTuple):
    """An enhanced status code: class 2, 4 or 5, subject, detail."""

    status_class: int
    subject: int
    detail: int


def classify_bounce(
    bounce_type: str | None,
    sub_type: str | None,
    *,
    status: str | None = None,
    action: str | None = None,
) -> Classified:
    """Judge one bounced recipient by all that SES says of it."""
    if sub_type in _BY_SES:
        return Classified(_BY_SES[sub_type], f"subtype {sub_type}")
    code = _parse_status(status)
    by_status = _by_status(code)
    by_type = Classified(
        _BY_SUBTYPE.get(sub_type or "", _BY_TYPE.get(bounce_type or "", Reason.UNDETERMINED)),
        f"type {bounce_type}/{sub_type}",
    )
    found = Classified(by_status, f"status {status}") if by_status else by_type
    if found.reason.effect is Effect.HARD:
        if (action or "").lower() in _NO_FAILURE:
            return Classified(Reason.TEMPORARY_FAILURE, f"action {action}")
        if code and code.status_class == 4:  # noqa: PLR2004  RFC 3463: persistent transient
            return Classified(Reason.TEMPORARY_FAILURE, f"status {status}")
    return found


def classify_complaint(feedback_type: str | None, sub_type: str | None) -> Classified:
    """Judge a complaint by its feedback type (RFC 5965, section 7.3); absent is usual."""
    if sub_type in _BY_SES:
        return Classified(_BY_SES[sub_type], f"subtype {sub_type}")
    reason = _COMPLAINTS.get((feedback_type or "").lower(), Reason.COMPLAINT_OTHER)
    return Classified(reason, f"feedback type {feedback_type or 'not given'}")


def _by_status(code: _Status | None) -> Reason | None:
    if code is None:
        return None
    return _BY_STATUS.get((code.subject, code.detail)) or _BY_STATUS_SUBJECT.get(code.subject)


def _parse_status(status: str | None) -> _Status | None:
    """`5.1.1`, also with a comment behind it; None for what is no status of RFC 3463."""
    numbers = (status or "").split(maxsplit=1)[:1]
    parts = numbers[0].split(".") if numbers else []
    if len(parts) != len(_Status._fields) or not all(p.isascii() and p.isdigit() for p in parts):
        return None
    return _Status(*(int(part[:3]) for part in parts))
