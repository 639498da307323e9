import pytest

from sesbounce.feedback.classify import (
    Classified,
    classify_bounce,
    classify_complaint,
    classify_delay,
)
from sesbounce.feedback.notification import Bounce, BouncedRecipient, Complaint, DeliveryDelay
from sesbounce.feedback.reason import Effect, Reason


def bounced(
    bounce_type: str | None,
    sub_type: str | None,
    reporting_mta: str | None = "dns; mta.example.com",
    **recipient: str | None,
) -> Classified:
    bounced_recipient = BouncedRecipient(
        "jane@example.com",
        action=recipient.get("action"),
        status=recipient.get("status"),
        diagnostic_code=recipient.get("diagnostic"),
    )
    bounce = Bounce(
        [bounced_recipient],
        bounce_type=bounce_type,
        bounce_sub_type=sub_type,
        reporting_mta=reporting_mta,
    )
    return classify_bounce(bounce, bounced_recipient)


@pytest.mark.parametrize(
    ("bounce_type", "sub_type", "status", "action", "reason"),
    [
        # by type and subtype, where no status was given
        ("Permanent", "General", None, None, Reason.PERMANENT_FAILURE),
        ("Permanent", "NoEmail", None, None, Reason.NO_SUCH_MAILBOX),
        ("Transient", "General", None, None, Reason.TEMPORARY_FAILURE),
        ("Transient", "MailboxFull", None, None, Reason.MAILBOX_FULL),
        ("Transient", "CustomTimeoutExceeded", None, None, Reason.TIMEOUT),
        ("Transient", "MessageTooLarge", None, None, Reason.MESSAGE_TOO_LARGE),
        ("Transient", "ContentRejected", None, None, Reason.CONTENT_REJECTED),
        ("Transient", "AttachmentRejected", None, None, Reason.ATTACHMENT_REJECTED),
        ("Undetermined", "Undetermined", None, None, Reason.UNDETERMINED),
        ("Permanent", "New Type", None, None, Reason.PERMANENT_FAILURE),
        ("New Type", "New Type", None, None, Reason.UNDETERMINED),
        (None, None, None, None, Reason.UNDETERMINED),
        # the message's own fault outweighs all but an address that does not exist
        ("Transient", "ContentRejected", "5.7.1", "failed", Reason.CONTENT_REJECTED),
        ("Transient", "AttachmentRejected", "5.7.0", "failed", Reason.ATTACHMENT_REJECTED),
        ("Transient", "MessageTooLarge", "5.7.0", "failed", Reason.MESSAGE_TOO_LARGE),
        ("Transient", "MessageTooLarge", "5.1.1", "failed", Reason.NO_SUCH_MAILBOX),
        # what may pass is for good only where SES says so
        ("Transient", "General", "5.2.1", "failed", Reason.TEMPORARY_FAILURE),
        ("Transient", "General", "5.4.4", "failed", Reason.TEMPORARY_FAILURE),
        ("Undetermined", "Undetermined", "5.1.2", "failed", Reason.DOMAIN_NOT_FOUND),
        # what SES did itself, whatever status it writes
        ("Permanent", "Suppressed", "5.1.1", "failed", Reason.SUPPRESSED_GLOBALLY),
        ("Permanent", "OnAccountSuppressionList", None, None, Reason.SUPPRESSED_BY_ACCOUNT),
        ("Permanent", "OnTenantSuppressionList", None, None, Reason.SUPPRESSED_BY_TENANT),
        ("Permanent", "EmailValidationSuppressed", None, None, Reason.SUPPRESSED_BY_VALIDATION),
        ("Permanent", "UnsubscribedRecipient", None, None, Reason.UNSUBSCRIBED),
        # the recipient's own status wins over the type
        ("Transient", "General", "5.1.1", "failed", Reason.NO_SUCH_MAILBOX),
        ("Permanent", "General", "5.1.10", None, Reason.DOMAIN_NOT_FOUND),
        ("Permanent", "General", "5.2.2", "failed", Reason.MAILBOX_FULL),
        ("Permanent", "General", "5.2.1", "failed", Reason.MAILBOX_DISABLED),
        ("Permanent", "General", "5.7.1", "failed", Reason.BLOCKED),
        ("Permanent", "General", "5.1.8", "failed", Reason.SENDER_BLOCKED),
        ("Permanent", "General", "5.4.4", "failed", Reason.DOMAIN_NOT_FOUND),
        ("Permanent", "General", "5.6.0", "failed", Reason.CONTENT_REJECTED),
        ("Permanent", "General", "5.3.4", "failed", Reason.MESSAGE_TOO_LARGE),
        # a status that says no more than the type
        ("Permanent", "General", "5.0.0", "failed", Reason.PERMANENT_FAILURE),
        ("Transient", "General", "5.0.0", "failed", Reason.TEMPORARY_FAILURE),
        ("Transient", "MailboxFull", "4.4.7", "failed", Reason.MAILBOX_FULL),
        ("Permanent", "General", "n/a", "failed", Reason.PERMANENT_FAILURE),
        ("Permanent", "General", "5.1", "failed", Reason.PERMANENT_FAILURE),
        ("Permanent", "General", "5.1.1 (bad mailbox)", "failed", Reason.NO_SUCH_MAILBOX),
        ("Permanent", "General", "5.¹.1", "failed", Reason.PERMANENT_FAILURE),
        # AWS's own example of a Permanent bounce has a recipient with `4.0.0 delayed`
        ("Permanent", "General", "4.0.0", "delayed", Reason.TEMPORARY_FAILURE),
        ("Permanent", "General", "4.0.0", "failed", Reason.TEMPORARY_FAILURE),
        ("Permanent", "General", "4.1.1", "failed", Reason.TEMPORARY_FAILURE),
        ("Permanent", "General", "5.1.1", "delivered", Reason.TEMPORARY_FAILURE),
    ],
)
def test_each_recipient_is_classified_by_its_own_evidence(
    bounce_type: str | None,
    sub_type: str | None,
    status: str | None,
    action: str | None,
    reason: Reason,
) -> None:
    classified = bounced(bounce_type, sub_type, status=status, action=action)
    assert classified.reason is reason
    assert classified.basis


@pytest.mark.parametrize(
    ("feedback_type", "sub_type", "reason"),
    [
        ("abuse", None, Reason.COMPLAINT_ABUSE),
        ("fraud", None, Reason.COMPLAINT_FRAUD),
        ("virus", None, Reason.COMPLAINT_VIRUS),
        ("other", None, Reason.COMPLAINT_OTHER),
        (None, None, Reason.COMPLAINT_OTHER),
        ("something new", None, Reason.COMPLAINT_OTHER),
        ("not-spam", None, Reason.COMPLAINT_NOT_SPAM),
        ("auth-failure", None, Reason.COMPLAINT_AUTH_FAILURE),
        ("ABUSE", None, Reason.COMPLAINT_ABUSE),
        (None, "OnAccountSuppressionList", Reason.SUPPRESSED_BY_ACCOUNT),
    ],
)
def test_complaints_are_classified_by_their_feedback_type(
    feedback_type: str | None, sub_type: str | None, reason: Reason
) -> None:
    complaint = Complaint([], complaint_feedback_type=feedback_type, complaint_sub_type=sub_type)
    assert classify_complaint(complaint).reason is reason


def test_every_reason_has_an_effect() -> None:
    assert {reason.effect for reason in Reason} == set(Effect)


@pytest.mark.parametrize(
    ("diagnostic", "status", "reason"),
    [
        # Gmail
        (
            "smtp; 550-5.1.1 The email account that you tried to reach does not exist. Please try",
            "5.1.1",
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 550 5.2.1 The email account that you tried to reach is disabled.",
            "5.2.1",
            Reason.MAILBOX_DISABLED,
        ),
        (
            "smtp; 554 4.4.7 Message expired: unable to deliver in 840 minutes.<452-4.2.2 The "
            "recipient's inbox is out of storage space. Please direct the<CRLF>452-4.2.2 to>",
            "4.4.7",
            Reason.MAILBOX_FULL,
        ),
        (
            "smtp; 450-4.2.1 The user you are trying to contact is receiving mail too quickly.",
            "4.2.1",  # by the number: disabled
            Reason.RATE_LIMITED,
        ),
        (
            "smtp; 550-5.7.26 This mail has been blocked because the sender is unauthenticated.",
            "5.7.26",
            Reason.SENDER_UNAUTHENTICATED,
        ),
        # Microsoft
        (
            "smtp; 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient x@example.com not found",
            "5.1.10",  # by the number: a domain without mail
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 550 5.4.1 Recipient address rejected: Access denied. [DB5.eop-EUR05]",
            "5.4.1",  # by the number: no answer from the host
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).",
            "5.5.0",
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact "
            "your Internet service provider since part of their network is on our block list",
            "5.7.1",
            Reason.SENDER_BLOCKED,
        ),
        (
            "smtp; 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due "
            "to IP reputation.",
            "4.7.650",
            Reason.RATE_LIMITED,
        ),
        # Yahoo
        (
            "smtp; 554 delivery error: dd This user doesn't have a yahoo.com account "
            "(x@yahoo.com) [0]",
            "5.0.0",
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 552 1 Requested mail action aborted, mailbox not found",
            "5.0.0",  # by the reply code: full
            Reason.NO_SUCH_MAILBOX,
        ),
        (
            "smtp; 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to "
            "unexpected volume or user complaints",
            "4.7.0",
            Reason.RATE_LIMITED,
        ),
        # iCloud
        ("smtp; 550 5.1.1 <x@icloud.com>: user does not exist", "5.1.1", Reason.NO_SUCH_MAILBOX),
        ("smtp; 552 5.2.2 <x@icloud.com>: user is over quota", "5.2.2", Reason.MAILBOX_FULL),
        (
            "smtp; 550 5.7.1 [CS01] Message rejected due to local policy.",
            "5.7.1",
            Reason.BLOCKED,
        ),
        # Japanese carriers
        ("smtp; 550 Unknown user x@docomo.ne.jp", "5.0.0", Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 <x@ezweb.ne.jp>: User unknown", None, Reason.NO_SUCH_MAILBOX),
        ("smtp; 550 : User unknown", None, Reason.RECIPIENT_POLICY),
        ("smtp; 550 Invalid recipient: <x@softbank.ne.jp>", None, Reason.NO_SUCH_MAILBOX),
        # about the sender, not the recipient
        (
            "smtp; 550 5.1.0 <news@example.com>: Sender address rejected: User unknown in virtual",
            "5.1.0",
            Reason.SENDER_BLOCKED,
        ),
        (
            "smtp; 550 550 No Such User Here 550 Sender verify failed",
            None,
            Reason.SENDER_BLOCKED,
        ),
        ("smtp; 550 5.1.0 sender rejected", "5.1.0", Reason.SENDER_BLOCKED),
        ("smtp; 554 sender is over quota", None, Reason.RATE_LIMITED),
        ("smtp; 550 5.1.90 your message can't be sent: daily limit", "5.1.90", Reason.RATE_LIMITED),
        ("smtp; 452 Too many recipients", None, Reason.RATE_LIMITED),
        (
            "smtp; 552 Message size exceeds fixed maximum message size",
            None,
            Reason.MESSAGE_TOO_LARGE,
        ),
        # anybody
        ("smtp; 550 5.7.1 No such user!", "5.7.1", Reason.NO_SUCH_MAILBOX),
        ("smtp; 552 no such heap", "5.0.0", Reason.MAILBOX_FULL),
        ("smtp; 550 5.2.3 whatever", "5.0.0", Reason.MESSAGE_TOO_LARGE),
        ("smtp; 550-5.7.1 we do not like you", None, Reason.BLOCKED),
        ("smtp; 550 go away", None, Reason.PERMANENT_FAILURE),
        ("smtp; 553 sender.example does not exist", None, Reason.PERMANENT_FAILURE),
        ("", None, Reason.PERMANENT_FAILURE),
    ],
)
def test_the_text_of_the_receiving_host_is_recognised(
    diagnostic: str, status: str | None, reason: Reason
) -> None:
    classified = bounced("Permanent", "General", diagnostic=diagnostic, status=status)
    assert classified.reason is reason


def test_the_text_of_a_temporary_reply_is_no_hard_bounce() -> None:
    classified = bounced(
        "Transient", "General", diagnostic="smtp; 450 4.1.1 user unknown, try again"
    )
    assert classified.reason is Reason.TEMPORARY_FAILURE


def test_a_transient_bounce_without_a_dsn_is_an_automatic_reply() -> None:
    assert bounced("Transient", "General", None).reason is Reason.AUTO_REPLY
    assert bounced("Transient", "General").reason is Reason.TEMPORARY_FAILURE
    assert bounced("Transient", "General", None, status="4.0.0").reason is Reason.TEMPORARY_FAILURE
    # AWS documents Permanent bounces without a DSN: those are bounces.
    assert bounced("Permanent", "General", None).reason is Reason.PERMANENT_FAILURE


@pytest.mark.parametrize(
    ("delay_type", "reason"),
    [
        ("MailboxFull", Reason.MAILBOX_FULL),
        ("SpamDetected", Reason.RATE_LIMITED),
        ("IPFailure", Reason.SENDER_BLOCKED),
        ("TransientCommunicationFailure", Reason.TEMPORARY_FAILURE),
        ("New Type", Reason.UNDETERMINED),
    ],
)
def test_delays_are_classified_by_their_type(delay_type: str, reason: Reason) -> None:
    delay = DeliveryDelay([], delay_type=delay_type)
    assert classify_delay(delay, BouncedRecipient("jane@example.com")).reason is reason


def test_a_delay_is_never_a_hard_bounce() -> None:
    delayed = BouncedRecipient("jane@example.com", status="4.1.1")
    assert classify_delay(DeliveryDelay([]), delayed).reason is Reason.TEMPORARY_FAILURE
