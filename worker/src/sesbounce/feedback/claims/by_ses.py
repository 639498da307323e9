"""The words with which SES itself says that it did not try to deliver a mail."""

from sesbounce.feedback.claims.claim import Claim, Level
from sesbounce.feedback.reason import Reason

_SES = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types"
_SES_LISTS = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"


def _ses(match: str, reason: Reason, source: str = _SES_LISTS) -> Claim:
    return Claim(Level.ACTION, match, reason, "SES", source)


# fmt: off
BY_SES = (
    _ses("suppression list for your account|account suppression list|"
         "account level suppression list", Reason.SUPPRESSED_BY_ACCOUNT),
    _ses("suppression list for your tenant|tenant suppression list|tenant level suppression list|"
         "suppression list for the tenant", Reason.SUPPRESSED_BY_TENANT),
    _ses("amazon ses ~ not ~ because|message|address|recipient ~ validation|validated",
         Reason.SUPPRESSED_BY_VALIDATION, _SES),
    _ses("amazon ses ~ not ~ because|message|address|recipient ~ unsubscribed|opted out",
         Reason.UNSUBSCRIBED, _SES),
    _ses("amazon ses ~ suppressed|suppression|did not send|did not attempt",
         Reason.SUPPRESSED_GLOBALLY),
    _ses("global suppression list", Reason.SUPPRESSED_GLOBALLY),
)
# fmt: on
