"""Classifies each recipient of a bounce, delay or complaint under one `Reason`.

SES gives several pieces of evidence, and they may contradict each other. The first of these that
is there decides:

1. A subtype that names an action of SES itself (a suppression list): no remote host is involved.
2. A Transient/General bounce without any field of a delivery status: an automatic reply.
3. A text of a large provider in the diagnostic (`smtp_replies.PROVIDERS`).
4. The recipient's enhanced status code (RFC 3463), where it is exact.
5. A text that many hosts use (`smtp_replies.COMMON`).
6. The subject of the status code; then a status code that the diagnostic quotes; then a reply
   code in the diagnostic that has one meaning only (RFC 5321).
7. The subtype and type of the bounce: SES's estimate for the whole message.

A recipient whose status is of class 4, or whose action reports no failure (RFC 3464), never has
a hard bounce, whatever the evidence. Source of the types and subtypes:
https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
"""

import re
from functools import lru_cache
from typing import NamedTuple

from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.feedback.smtp_replies import (
    COMMON,
    PROVIDERS,
    Reply,
    codes_in,
    reason_of_code,
    reply_in,
)

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
# https://www.iana.org/assignments/smtp-enhanced-status-codes). Codes that add nothing to the
# type are left out: x.0.0, x.4.7 (the mail expired, for any cause), protocol errors.
_BY_STATUS = {
    (1, 1): Reason.NO_SUCH_MAILBOX,
    (1, 2): Reason.DOMAIN_NOT_FOUND,
    (1, 3): Reason.NO_SUCH_MAILBOX,  # the address is no address
    (1, 4): Reason.NO_SUCH_MAILBOX,  # ambiguous
    (1, 6): Reason.NO_SUCH_MAILBOX,  # moved, no forwarding address
    (1, 7): Reason.BLOCKED,  # the *sender's* address is malformed
    (1, 8): Reason.BLOCKED,  # the *sender's* domain does not exist
    (1, 10): Reason.DOMAIN_NOT_FOUND,  # null MX, RFC 7505
    (1, 90): Reason.RATE_LIMITED,  # Microsoft: the *sender's* daily limit
    (2, 1): Reason.MAILBOX_DISABLED,
    (2, 2): Reason.MAILBOX_FULL,
    (2, 3): Reason.MESSAGE_TOO_LARGE,
    (3, 4): Reason.MESSAGE_TOO_LARGE,
    (4, 4): Reason.DOMAIN_NOT_FOUND,  # unable to route: no MX, no A
}
_BY_SUBJECT = {
    6: Reason.CONTENT_REJECTED,
    7: Reason.BLOCKED,
}

# RFC 3464, 2.3.3: actions that report no failure.
_NO_FAILURE = frozenset({"delayed", "delivered", "relayed", "expanded"})

# A mailbox may be enabled again, and a route may be found: these are hard bounces only where
# SES's type is Permanent or the status code is about the address.
_MAY_PASS = frozenset({Reason.MAILBOX_DISABLED, Reason.DOMAIN_NOT_FOUND})

# RFC 3463, 2: class 4.
_PERSISTENT_TRANSIENT = 4
# RFC 3463, 3: subject 1.
_ADDRESSING = 1

_BY_DELAY_TYPE = {
    "InternalFailure": Reason.TEMPORARY_FAILURE,
    "General": Reason.TEMPORARY_FAILURE,
    "MailboxFull": Reason.MAILBOX_FULL,
    "SpamDetected": Reason.RATE_LIMITED,
    "RecipientServerError": Reason.TEMPORARY_FAILURE,
    "IPFailure": Reason.BLOCKED,
    "TransientCommunicationFailure": Reason.TEMPORARY_FAILURE,
    "BYOIPHostNameLookupUnavailable": Reason.TEMPORARY_FAILURE,
    "Undetermined": Reason.UNDETERMINED,
    "SendingDeferral": Reason.RATE_LIMITED,
}

_COMPLAINTS = {
    "abuse": Reason.COMPLAINT_ABUSE,
    "fraud": Reason.COMPLAINT_FRAUD,
    "virus": Reason.COMPLAINT_VIRUS,
    "not-spam": Reason.COMPLAINT_NOT_SPAM,
    "auth-failure": Reason.COMPLAINT_AUTH_FAILURE,
}

# Blanks around a status and a comment after it are usual; longer numbers have no meaning. Text
# after so many characters can only be a comment.
_LONGEST_STATUS = 80
_STATUS = re.compile(r"\s*(\d{1,4})\.(\d{1,4})\.(\d{1,4})(?!\S)", re.ASCII)


class Classified(NamedTuple):
    """A reason, and the evidence for it as text."""

    reason: Reason
    basis: str


class _Status(NamedTuple):
    """An enhanced status code (RFC 3463): class (2, 4 or 5), subject, detail."""

    status_class: int
    subject: int
    detail: int


def classify_bounce(bounce: Bounce, recipient: BouncedRecipient) -> Classified:
    """Classify one recipient of a bounce."""
    if bounce.bounce_sub_type in _BY_SES:
        sub_type = bounce.bounce_sub_type
        return Classified(_BY_SES[sub_type], f"subtype {sub_type}")
    if _is_auto_reply(bounce, recipient):
        return Classified(Reason.AUTO_REPLY, "an answer, no delivery status")
    by_type = _by_type(bounce)
    if by_type.reason.effect is Effect.SENDER:
        # SES blames the mail itself: only an address that does not exist outweighs that.
        found = _by_status(recipient.status) or by_type
        return found if found.reason is Reason.NO_SUCH_MAILBOX else by_type
    found = _by_recipient(recipient) or by_type
    if found.reason.effect is not Effect.HARD:
        return found
    return _as_temporary(bounce, recipient, found) or found


def classify_delay(delay: DeliveryDelay, recipient: BouncedRecipient) -> Classified:
    """Classify one recipient of a delayed mail, which SES still tries to deliver.

    Source of the types: the delivery delay object in
    https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
    """
    by_type = _BY_DELAY_TYPE.get(delay.delay_type or "", Reason.UNDETERMINED)
    found = _by_recipient(recipient) or Classified(by_type, f"type {delay.delay_type}")
    if found.reason.effect is Effect.HARD:
        return Classified(Reason.TEMPORARY_FAILURE, found.basis)
    return found


def classify_complaint(complaint: Complaint) -> Classified:
    """Classify a complaint by its feedback type (RFC 5965, section 7.3), which may be absent."""
    sub_type, feedback_type = complaint.complaint_sub_type, complaint.complaint_feedback_type
    if sub_type in _BY_SES:
        return Classified(_BY_SES[sub_type], f"subtype {sub_type}")
    reason = _COMPLAINTS.get((feedback_type or "").lower(), Reason.COMPLAINT_OTHER)
    return Classified(reason, f"feedback type {feedback_type or 'not given'}")


def _is_auto_reply(bounce: Bounce, recipient: BouncedRecipient) -> bool:
    """Whether the bounce is an automatic reply: it has no field of a DSN (RFC 3464)."""
    dsn = (bounce.reporting_mta, recipient.status, recipient.action, recipient.diagnostic_code)
    kind = (bounce.bounce_type, bounce.bounce_sub_type)
    return kind == ("Transient", "General") and not any(dsn)


def _by_recipient(recipient: BouncedRecipient) -> Classified | None:
    """Classify by the recipient's own evidence, the most exact first; None if none decides."""
    status, diagnostic = recipient.status, recipient.diagnostic_code
    return (
        _by_words(diagnostic, PROVIDERS)
        or _by_status(status)
        or _by_words(diagnostic, COMMON)
        or _by_subject(status)
        or _by_codes(diagnostic)
    )


def _by_words(diagnostic: str | None, table: tuple[Reply, ...]) -> Classified | None:
    reply = reply_in(diagnostic, table)
    return Classified(reply.reason, f"{reply.host}: {reply.text.strip()}") if reply else None


def _by_status(status: str | None) -> Classified | None:
    code = _parse_status(status)
    reason = _BY_STATUS.get((code.subject, code.detail)) if code else None
    return Classified(reason, _status_text(code)) if reason else None


def _by_subject(status: str | None) -> Classified | None:
    code = _parse_status(status)
    reason = _BY_SUBJECT.get(code.subject) if code else None
    return Classified(reason, _status_text(code)) if reason else None


def _by_codes(diagnostic: str | None) -> Classified | None:
    for reply_code, status in codes_in(diagnostic):
        if found := _by_status(status) or _by_subject(status):
            return found
        if not status and (reason := reason_of_code(reply_code)):
            return Classified(reason, f"reply {reply_code}")
    return None


def _by_type(bounce: Bounce) -> Classified:
    by_type = _BY_TYPE.get(bounce.bounce_type or "", Reason.UNDETERMINED)
    reason = _BY_SUBTYPE.get(bounce.bounce_sub_type or "", by_type)
    return Classified(reason, f"type {bounce.bounce_type}/{bounce.bounce_sub_type}")


def _as_temporary(
    bounce: Bounce, recipient: BouncedRecipient, found: Classified
) -> Classified | None:
    """The evidence that a hard bounce is only a temporary failure; None if there is none."""
    if (recipient.action or "").lower() in _NO_FAILURE:
        return Classified(Reason.TEMPORARY_FAILURE, f"action {recipient.action}")
    code = _parse_status(recipient.status) or _quoted_status(recipient.diagnostic_code)
    if code and code.status_class == _PERSISTENT_TRANSIENT:
        return Classified(Reason.TEMPORARY_FAILURE, _status_text(code))
    about_the_address = code is not None and code.subject == _ADDRESSING
    if bounce.bounce_type != "Permanent" and found.reason in _MAY_PASS and not about_the_address:
        return Classified(Reason.TEMPORARY_FAILURE, found.basis)
    return None


def _status_text(code: _Status | None) -> str:
    return f"status {'.'.join(map(str, code or ()))}"


def _quoted_status(diagnostic: str | None) -> _Status | None:
    """The first enhanced status code that a diagnostic quotes."""
    quoted = (_parse_status(status) for _, status in codes_in(diagnostic))
    return next(filter(None, quoted), None)


def _parse_status(status: str | None) -> _Status | None:
    """Parse `5.1.1`, also with a comment after it; None for a text that is no such status."""
    return _read_status((status or "")[:_LONGEST_STATUS])


@lru_cache(maxsize=1024)  # few different statuses occur
def _read_status(status: str) -> _Status | None:
    found = _STATUS.match(status)
    return _Status(*map(int, found.groups())) if found else None
