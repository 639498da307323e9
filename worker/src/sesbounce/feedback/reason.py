"""The closed list of reasons that events are classified under, and the effect of each.

`docs/reasons.md` shows this module as a table.
"""

from enum import StrEnum


class Effect(StrEnum):
    """The effect of an event on the state of its address."""

    HARD = "hard"  # the mailbox can't be reached, now or later
    SOFT = "soft"  # the mailbox could not be reached this time: a strike
    SENDER = "sender"  # the sender or the mail is at fault: no strike, but the sender's problem
    NOT_ATTEMPTED = "not_attempted"  # SES did not try to deliver: see its suppression lists
    CONSENT = "consent"  # the recipient opted out
    COMPLAINT = "complaint"
    DELIVERED = "delivered"
    MANUAL = "manual"  # a person decided
    NONE = "none"  # the event says nothing about the mailbox

    @property
    def is_evidence(self) -> bool:
        """Whether the state of an address learns something from such an event."""
        return self not in _NO_EVIDENCE


_NO_EVIDENCE = frozenset({Effect.SENDER, Effect.NONE})
# What a person says about some mails, and not what is wrong with the mailbox.
LIMITED_TO_STREAM = frozenset({Effect.COMPLAINT, Effect.CONSENT})


class Reason(StrEnum):
    """The closed list. The values are stored in the database and shown by `--json`."""

    NO_SUCH_MAILBOX = "no_such_mailbox"
    DOMAIN_NOT_FOUND = "domain_not_found"
    MAILBOX_DISABLED = "mailbox_disabled"
    PERMANENT_FAILURE = "permanent_failure"
    MAILBOX_FULL = "mailbox_full"
    TIMEOUT = "timeout"
    RECIPIENT_POLICY = "recipient_policy"
    BLOCKED = "blocked"
    SENDER_BLOCKED = "sender_blocked"
    SENDER_UNAUTHENTICATED = "sender_unauthenticated"
    RATE_LIMITED = "rate_limited"
    ROUTING_LOOP = "routing_loop"
    AUTO_REPLY = "auto_reply"
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
    SUPPRESSED_BY_HAND = "suppressed_by_hand"
    ALLOWED_BY_HAND = "allowed_by_hand"
    NOT_ABOUT_THE_MAILBOX = "not_about_the_mailbox"

    @property
    def effect(self) -> Effect:
        """The effect of an event with this reason."""
        return _EFFECTS[self]

    @property
    def label(self) -> str:
        """The reason as text for people: `mailbox full`, `abuse`."""
        return _LABELS[self]


_LABELS = {r: r.value.removeprefix("complaint_").replace("_", " ") for r in Reason}
_EFFECTS = {
    Reason.NO_SUCH_MAILBOX: Effect.HARD,
    Reason.DOMAIN_NOT_FOUND: Effect.HARD,
    Reason.MAILBOX_DISABLED: Effect.HARD,
    Reason.PERMANENT_FAILURE: Effect.HARD,
    Reason.MAILBOX_FULL: Effect.SOFT,
    Reason.TIMEOUT: Effect.SOFT,
    Reason.RECIPIENT_POLICY: Effect.SOFT,
    # A policy rejected the mail, and the reply does not say whose fault it is.
    Reason.BLOCKED: Effect.SOFT,
    Reason.SENDER_BLOCKED: Effect.SENDER,
    Reason.SENDER_UNAUTHENTICATED: Effect.SENDER,
    Reason.RATE_LIMITED: Effect.SENDER,
    Reason.ROUTING_LOOP: Effect.SENDER,
    # A mailbox that replies has received the mail.
    Reason.AUTO_REPLY: Effect.NONE,
    Reason.TEMPORARY_FAILURE: Effect.SOFT,
    Reason.UNDETERMINED: Effect.SOFT,
    Reason.MESSAGE_TOO_LARGE: Effect.SENDER,
    Reason.CONTENT_REJECTED: Effect.SENDER,
    Reason.ATTACHMENT_REJECTED: Effect.SENDER,
    Reason.SUPPRESSED_GLOBALLY: Effect.NOT_ATTEMPTED,
    Reason.SUPPRESSED_BY_ACCOUNT: Effect.NOT_ATTEMPTED,
    Reason.SUPPRESSED_BY_TENANT: Effect.NOT_ATTEMPTED,
    Reason.SUPPRESSED_BY_VALIDATION: Effect.NOT_ATTEMPTED,
    Reason.UNSUBSCRIBED: Effect.CONSENT,
    Reason.COMPLAINT_ABUSE: Effect.COMPLAINT,
    Reason.COMPLAINT_FRAUD: Effect.COMPLAINT,
    Reason.COMPLAINT_VIRUS: Effect.COMPLAINT,
    Reason.COMPLAINT_OTHER: Effect.COMPLAINT,
    Reason.COMPLAINT_NOT_SPAM: Effect.NONE,
    Reason.COMPLAINT_AUTH_FAILURE: Effect.NONE,
    Reason.DELIVERED: Effect.DELIVERED,
    Reason.SUPPRESSED_BY_HAND: Effect.MANUAL,
    Reason.ALLOWED_BY_HAND: Effect.MANUAL,
    Reason.NOT_ABOUT_THE_MAILBOX: Effect.NONE,
}
