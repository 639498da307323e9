import pytest

from sesbounce.reason import Effect, Reason, classify_bounce, classify_complaint


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
        ("Permanent", "Brand New", None, None, Reason.PERMANENT_FAILURE),
        ("Brand New", "Brand New", None, None, Reason.UNDETERMINED),
        (None, None, None, None, Reason.UNDETERMINED),
        # what SES did itself, whatever status it writes
        ("Permanent", "Suppressed", "5.1.1", "failed", Reason.SUPPRESSED_GLOBALLY),
        ("Permanent", "OnAccountSuppressionList", None, None, Reason.SUPPRESSED_BY_ACCOUNT),
        ("Permanent", "OnTenantSuppressionList", None, None, Reason.SUPPRESSED_BY_TENANT),
        ("Permanent", "EmailValidationSuppressed", None, None, Reason.SUPPRESSED_BY_VALIDATION),
        ("Permanent", "UnsubscribedRecipient", None, None, Reason.UNSUBSCRIBED),
        # the recipient's own status wins over the type
        ("Transient", "General", "5.1.1", "failed", Reason.NO_SUCH_MAILBOX),
        ("Transient", "General", "5.1.10", None, Reason.DOMAIN_NOT_FOUND),
        ("Permanent", "General", "5.2.2", "failed", Reason.MAILBOX_FULL),
        ("Permanent", "General", "5.2.1", "failed", Reason.MAILBOX_DISABLED),
        ("Permanent", "General", "5.7.1", "failed", Reason.BLOCKED),
        ("Permanent", "General", "5.1.8", "failed", Reason.BLOCKED),
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
def test_each_recipient_is_judged_by_its_own_evidence(
    bounce_type: str | None,
    sub_type: str | None,
    status: str | None,
    action: str | None,
    reason: Reason,
) -> None:
    classified = classify_bounce(bounce_type, sub_type, status=status, action=action)
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
def test_complaints_go_by_their_feedback_type(
    feedback_type: str | None, sub_type: str | None, reason: Reason
) -> None:
    assert classify_complaint(feedback_type, sub_type).reason is reason


def test_every_reason_has_an_effect() -> None:
    assert {reason.effect for reason in Reason} == set(Effect)
