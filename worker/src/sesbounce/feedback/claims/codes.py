"""The claims that rest on codes, and on the types and subtypes of SES.

A status is written without its class. Codes that add nothing to the type of the bounce are left
out: x.0.0, errors of the protocol, and those of the network.
"""

from sesbounce.feedback.claims.claim import Claim, Level
from sesbounce.feedback.reason import Reason

_SES = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.3"
_RFC7293 = "https://www.rfc-editor.org/rfc/rfc7293#section-14.3"
_RFC7372 = "https://www.rfc-editor.org/rfc/rfc7372#section-3"
_RFC7504 = "https://www.rfc-editor.org/rfc/rfc7504"
_RFC7505 = "https://www.rfc-editor.org/rfc/rfc7505#section-4"
_IANA = "https://www.iana.org/assignments/smtp-enhanced-status-codes"
_MICROSOFT = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"


def _status(match: str, reason: Reason, source: str, host: str = "RFC 3463") -> Claim:
    # A mailbox may be enabled again, and a route may be found.
    clear = match.startswith("1.") or reason is Reason.NO_SUCH_MAILBOX
    return Claim(Level.STATUS, match, reason, host, source, clear)


ACTIONS = (
    Claim(Level.ACTION, "Suppressed", Reason.SUPPRESSED_GLOBALLY, "SES", _SES),
    Claim(Level.ACTION, "OnAccountSuppressionList", Reason.SUPPRESSED_BY_ACCOUNT, "SES", _SES),
    Claim(Level.ACTION, "OnTenantSuppressionList", Reason.SUPPRESSED_BY_TENANT, "SES", _SES),
    Claim(Level.ACTION, "EmailValidationSuppressed", Reason.SUPPRESSED_BY_VALIDATION, "SES", _SES),
    Claim(Level.ACTION, "UnsubscribedRecipient", Reason.UNSUBSCRIBED, "SES", _SES),
)

STATUSES = (
    _status("1.1", Reason.NO_SUCH_MAILBOX, _RFC3463),
    _status("1.2", Reason.DOMAIN_NOT_FOUND, _RFC3463),
    _status("1.3", Reason.NO_SUCH_MAILBOX, _RFC3463),  # the address is no address
    _status("1.4", Reason.NO_SUCH_MAILBOX, _RFC3463),  # ambiguous
    _status("1.6", Reason.NO_SUCH_MAILBOX, _RFC3463),  # moved, no forwarding address
    _status("1.7", Reason.SENDER_BLOCKED, _RFC3463),  # the sender's address is malformed
    _status("1.8", Reason.SENDER_BLOCKED, _RFC3463),  # the sender's domain is unknown
    _status("1.10", Reason.DOMAIN_NOT_FOUND, _RFC7505, "RFC 7505"),  # null MX
    _status("1.90", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),  # the sender's daily limit
    _status("2.1", Reason.MAILBOX_DISABLED, _RFC3463),
    _status("2.2", Reason.MAILBOX_FULL, _RFC3463),
    _status("2.3", Reason.MESSAGE_TOO_LARGE, _RFC3463),
    # The recipient's limit of messages an hour, of all senders or of this one.
    _status("2.121-122", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),
    _status("3.4", Reason.MESSAGE_TOO_LARGE, _RFC3463),
    _status("4.4", Reason.DOMAIN_NOT_FOUND, _RFC3463),  # unable to route: no MX, no A
    _status("4.6", Reason.ROUTING_LOOP, _RFC3463),
    _status("4.14", Reason.ROUTING_LOOP, _MICROSOFT, "Microsoft"),
    _status("4.310", Reason.DOMAIN_NOT_FOUND, _MICROSOFT, "Microsoft"),
    _status("5.3", Reason.RATE_LIMITED, _RFC3463),  # too many recipients
    _status("7.2", Reason.RECIPIENT_POLICY, _RFC3463),  # a mailing list that takes no mail
    _status("7.12", Reason.RECIPIENT_POLICY, _MICROSOFT, "Microsoft"),
    _status("7.16", Reason.MESSAGE_TOO_LARGE, _IANA, "RFC 6710"),
    # The owner is not the one who gave the address.
    _status("7.17-18", Reason.NO_SUCH_MAILBOX, _RFC7293, "RFC 7293"),
    _status("7.20-26", Reason.SENDER_UNAUTHENTICATED, _RFC7372, "RFC 7372"),
    _status("7.27", Reason.SENDER_BLOCKED, _RFC7505, "RFC 7505"),  # the sender's null MX
    _status("7.28", Reason.RATE_LIMITED, _IANA, "IANA"),  # a flood of mail
    _status("7.29", Reason.SENDER_UNAUTHENTICATED, _IANA, "RFC 8617"),
    _status("7.120-136", Reason.RECIPIENT_POLICY, _MICROSOFT, "Microsoft"),
    _status("7.232-236", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),
    _status("7.501-503", Reason.SENDER_BLOCKED, _MICROSOFT, "Microsoft"),
    _status("7.504-505", Reason.RECIPIENT_POLICY, _MICROSOFT, "Microsoft"),
    _status("7.506", Reason.SENDER_UNAUTHENTICATED, _MICROSOFT, "Microsoft"),  # HELO
    _status("7.507", Reason.RECIPIENT_POLICY, _MICROSOFT, "Microsoft"),
    _status("7.508", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),
    _status("7.509", Reason.SENDER_UNAUTHENTICATED, _MICROSOFT, "Microsoft"),  # DMARC
    _status("7.511", Reason.SENDER_BLOCKED, _MICROSOFT, "Microsoft"),
    _status("7.512", Reason.CONTENT_REJECTED, _MICROSOFT, "Microsoft"),
    _status("7.515", Reason.SENDER_UNAUTHENTICATED, _MICROSOFT, "Microsoft"),
    _status("7.606-649", Reason.SENDER_BLOCKED, _MICROSOFT, "Microsoft"),
    _status("7.650", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),
    _status("7.700-749", Reason.RATE_LIMITED, _MICROSOFT, "Microsoft"),
    _status("7.750", Reason.SENDER_BLOCKED, _MICROSOFT, "Microsoft"),
)

# 550 may mean anything, and 553 is more often about the sender than about the recipient.
REPLY_CODES = (
    Claim(Level.REPLY_CODE, "521", Reason.DOMAIN_NOT_FOUND, "RFC 7504", _RFC7504, clear=False),
    Claim(Level.REPLY_CODE, "551", Reason.NO_SUCH_MAILBOX, "RFC 5321", _RFC5321, clear=False),
    Claim(Level.REPLY_CODE, "552", Reason.MAILBOX_FULL, "RFC 5321", _RFC5321),
    Claim(Level.REPLY_CODE, "556", Reason.DOMAIN_NOT_FOUND, "RFC 7504", _RFC7504, clear=False),
)

SUBJECTS = (
    Claim(Level.SUBJECT, "1", Reason.NO_SUCH_MAILBOX, "RFC 3463", _RFC3463, clear=False),
    Claim(Level.SUBJECT, "6", Reason.CONTENT_REJECTED, "RFC 3463", _RFC3463),
    Claim(Level.SUBJECT, "7", Reason.BLOCKED, "RFC 3463", _RFC3463),
)

# SES blames the mail: that outweighs all but exact words and exact codes.
MESSAGES = (
    Claim(Level.MESSAGE, "MessageTooLarge", Reason.MESSAGE_TOO_LARGE, "SES", _SES),
    Claim(Level.MESSAGE, "ContentRejected", Reason.CONTENT_REJECTED, "SES", _SES),
    Claim(Level.MESSAGE, "AttachmentRejected", Reason.ATTACHMENT_REJECTED, "SES", _SES),
)
SUB_TYPES = (
    Claim(Level.SUB_TYPE, "NoEmail", Reason.NO_SUCH_MAILBOX, "SES", _SES),
    Claim(Level.SUB_TYPE, "MailboxFull", Reason.MAILBOX_FULL, "SES", _SES),
    Claim(Level.SUB_TYPE, "CustomTimeoutExceeded", Reason.TIMEOUT, "SES", _SES),
)
TYPES = (
    Claim(Level.TYPE, "Permanent", Reason.PERMANENT_FAILURE, "SES", _SES),
    Claim(Level.TYPE, "Transient", Reason.TEMPORARY_FAILURE, "SES", _SES),
    Claim(Level.TYPE, "", Reason.UNDETERMINED, "SES", _SES),  # any other type, or none
)

_DELAYS_OF_SES = "https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-delivery-delay-object"
DELAYS = tuple(
    Claim(Level.TYPE, match, reason, "SES", _DELAYS_OF_SES)
    for match, reason in (
        ("InternalFailure", Reason.TEMPORARY_FAILURE),
        ("General", Reason.TEMPORARY_FAILURE),
        ("MailboxFull", Reason.MAILBOX_FULL),
        ("SpamDetected", Reason.RATE_LIMITED),
        ("RecipientServerError", Reason.TEMPORARY_FAILURE),
        ("IPFailure", Reason.SENDER_BLOCKED),
        ("TransientCommunicationFailure", Reason.TEMPORARY_FAILURE),
        ("BYOIPHostNameLookupUnavailable", Reason.TEMPORARY_FAILURE),
        ("SendingDeferral", Reason.RATE_LIMITED),
        ("", Reason.UNDETERMINED),  # any other type, or none
    )
)

CODES: tuple[Claim, ...] = (
    *ACTIONS,
    *STATUSES,
    *MESSAGES,
    *REPLY_CODES,
    *SUBJECTS,
    *SUB_TYPES,
    *TYPES,
)
