"""What receiving hosts say when they refuse a mail, and what they mean by it.

Status codes are used loosely; the words of the large providers are not. A table is read from
the top, the first text that occurs in the diagnostic counts, whatever its case.
"""

import re
from typing import NamedTuple

from sesbounce.feedback.reason import Reason

_GMAIL = "https://support.google.com/a/answer/3726730"
_MICROSOFT = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
_OUTLOOK = "https://sendersupport.olc.protection.outlook.com/pm/troubleshooting.aspx"
_YAHOO = "https://senders.yahooinc.com/smtp-error-codes/"
_ICLOUD = "https://support.apple.com/102322"
_ICLOUD_CODES = "https://smtp.codes/icloud"
_DOCOMO = "https://libsisimai.org/en/rhost/nttdocomo/"
_KDDI = "https://libsisimai.org/en/rhost/kddi/"
_SOFTBANK = "https://note.com/sendmagic/n/n5afbf98aeb25"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"
_POSTFIX = "https://www.postfix.org/access.5.html"
_RFC1870 = "https://www.rfc-editor.org/rfc/rfc1870#section-6"
_EXIM = "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html"
_SES = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html"


class Reply(NamedTuple):
    """A text, lower case, the reason it stands for, whose it is and where that is documented."""

    text: str
    reason: Reason
    host: str
    source: str


# fmt: off
PROVIDERS = (
    # About the sender, whatever else they say: before all others, and before the status.
    Reply("sender address rejected", Reason.BLOCKED, "Postfix", _POSTFIX),
    Reply("sender verify failed", Reason.BLOCKED, "Exim", _EXIM),
    Reply("sender rejected", Reason.BLOCKED, "many", _RFC5321),
    Reply("sender is over quota", Reason.RATE_LIMITED, "many", _RFC5321),

    Reply("account that you tried to reach does not exist", Reason.NO_SUCH_MAILBOX, "Gmail", _GMAIL),
    Reply("account that you tried to reach is disabled", Reason.MAILBOX_DISABLED, "Gmail", _GMAIL),
    Reply("account that you tried to reach is inactive", Reason.MAILBOX_DISABLED, "Gmail", _GMAIL),
    Reply("account that you tried to reach is over quota", Reason.MAILBOX_FULL, "Gmail", _GMAIL),
    Reply("inbox is out of storage space", Reason.MAILBOX_FULL, "Gmail", _GMAIL),
    Reply("receiving mail too quickly", Reason.RATE_LIMITED, "Gmail, Yahoo", _GMAIL),
    Reply("receiving mail at a rate that", Reason.RATE_LIMITED, "Gmail", _GMAIL),
    Reply("unusual rate of unsolicited mail", Reason.RATE_LIMITED, "Gmail", _GMAIL),
    Reply("message is likely unsolicited mail", Reason.BLOCKED, "Gmail", _GMAIL),
    Reply("message is likely suspicious", Reason.BLOCKED, "Gmail", _GMAIL),
    Reply("sender is unauthenticated", Reason.BLOCKED, "Gmail, Yahoo", _GMAIL),
    Reply("its content presents a potential security issue", Reason.ATTACHMENT_REJECTED, "Gmail", _GMAIL),
    Reply("message exceeded google's message size limits", Reason.MESSAGE_TOO_LARGE, "Gmail", _GMAIL),

    # Exchange writes 5.1.10, which RFC 7505 has for domains without mail, about a mailbox.
    Reply("resolver.adr.recipientnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    Reply("resolver.adr.recipnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    Reply("resolver.adr.exrecipnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    # 5.4.1 by its number a network problem; Exchange Online means the recipient.
    Reply("recipient address rejected: access denied", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    Reply("mailbox unavailable (s2017062302)", Reason.NO_SUCH_MAILBOX, "Microsoft", _OUTLOOK),
    Reply("quotaexceededexception", Reason.MAILBOX_FULL, "Microsoft", _MICROSOFT),
    Reply("accountdisabled", Reason.MAILBOX_DISABLED, "Microsoft", _MICROSOFT),
    Reply("resolver.rst.notauthorized", Reason.BLOCKED, "Microsoft", _MICROSOFT),
    Reply("resolver.rst.authrequired", Reason.BLOCKED, "Microsoft", _MICROSOFT),
    Reply("resolver.rst.recipsizelimit", Reason.MESSAGE_TOO_LARGE, "Microsoft", _MICROSOFT),
    Reply("temporarily rate limited due to ip reputation", Reason.RATE_LIMITED, "Microsoft", _OUTLOOK),
    Reply("part of their network is on our block list", Reason.BLOCKED, "Microsoft", _OUTLOOK),

    Reply("this user doesn't have a ", Reason.NO_SUCH_MAILBOX, "Yahoo", _YAHOO),
    Reply("requested mail action aborted, mailbox not found", Reason.NO_SUCH_MAILBOX, "Yahoo", _YAHOO),
    Reply("this account has been disabled or discontinued", Reason.MAILBOX_DISABLED, "Yahoo", _YAHOO),
    Reply("this mailbox is disabled", Reason.MAILBOX_DISABLED, "Yahoo", _YAHOO),
    Reply("due to unexpected volume or user complaints", Reason.RATE_LIMITED, "Yahoo", _YAHOO),
    Reply("will be permanently deferred", Reason.BLOCKED, "Yahoo", _YAHOO),
    Reply("not accepted for policy reasons", Reason.BLOCKED, "Yahoo", _YAHOO),

    Reply("deferred due to excessive volume", Reason.RATE_LIMITED, "iCloud", _ICLOUD_CODES),
    Reply("user does not exist", Reason.NO_SUCH_MAILBOX, "iCloud", _ICLOUD_CODES),
    Reply("inactive email address", Reason.MAILBOX_DISABLED, "iCloud", _ICLOUD_CODES),
    Reply("user is over quota", Reason.MAILBOX_FULL, "iCloud", _ICLOUD_CODES),
    Reply("user is overquota", Reason.MAILBOX_FULL, "iCloud", _ICLOUD_CODES),
    Reply("message rejected due to local policy", Reason.BLOCKED, "iCloud", _ICLOUD),

    Reply("550 unknown user", Reason.NO_SUCH_MAILBOX, "NTT docomo", _DOCOMO),
    Reply("552 too much mail data", Reason.MAILBOX_FULL, "NTT docomo", _DOCOMO),
    # au answers so where the recipient's own filter rejects the sender; with an address
    # between the code and the colon it means what it says.
    Reply("550 : user unknown", Reason.BLOCKED, "au (KDDI)", _KDDI),
    Reply(">: user unknown", Reason.NO_SUCH_MAILBOX, "au (KDDI), Postfix", _KDDI),

    Reply("550 invalid recipient", Reason.NO_SUCH_MAILBOX, "SoftBank", _SOFTBANK),
)

# Words that many hosts use. An exact status code says it better where there is one.
COMMON = (
    Reply("recipient address rejected: user unknown", Reason.NO_SUCH_MAILBOX, "Postfix", _POSTFIX),
    Reply("user unknown", Reason.NO_SUCH_MAILBOX, "Sendmail, SES", _SES),
    Reply("no such user", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    Reply("unable to lookup dns", Reason.DOMAIN_NOT_FOUND, "SES", _SES),
    Reply("over quota", Reason.MAILBOX_FULL, "many", _RFC5321),
    Reply("mailbox is full", Reason.MAILBOX_FULL, "many", _RFC5321),
    Reply("mailbox full", Reason.MAILBOX_FULL, "many", _RFC5321),
    Reply("exceeded storage allocation", Reason.MAILBOX_FULL, "many", _RFC5321),
    Reply("message size exceeds", Reason.MESSAGE_TOO_LARGE, "many", _RFC1870),
    Reply("too many recipients", Reason.RATE_LIMITED, "many", _RFC5321),
    Reply("spamhaus", Reason.BLOCKED, "many", "https://www.spamhaus.org/faqs/"),
)
# fmt: on

# SMTP reply codes that mean one thing where no words say otherwise (RFC 5321, 4.2.3). 550 may
# mean anything, and 553 is more often about the sender than about the recipient.
_BY_REPLY_CODE = {
    "551": Reason.NO_SUCH_MAILBOX,  # user not local
    "552": Reason.MAILBOX_FULL,  # exceeded storage allocation
}
# `550 5.1.1`, `550-5.1.1`, and within a text that wraps another host's words.
_CODES = re.compile(r"(?<![\d.])([245]\d\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})|(?=[ -]))", re.ASCII)
# A diagnostic is a line or two; what is longer is somebody's essay, or an attack.
_LONGEST = 4000


def reply_in(diagnostic: str | None, table: tuple[Reply, ...]) -> Reply | None:
    """The first row of a table whose text occurs in a diagnostic."""
    said = (diagnostic or "")[:_LONGEST].lower()
    if not said:
        return None
    for reply in table:  # a loop: a generator costs as much again as the search
        if reply.text in said:
            return reply
    return None


def codes_in(diagnostic: str | None) -> list[tuple[str, str]]:
    """The SMTP reply codes in a diagnostic, each with its enhanced status code or "".

    A host that gives up on a mail quotes what the other one had said, so there may be several:
    `554 4.4.7 Message expired. <452-4.2.2 The recipient's inbox is out of storage space>`.
    """
    return _CODES.findall((diagnostic or "")[:_LONGEST])


def reason_of_code(reply_code: str) -> Reason | None:
    """What an SMTP reply code means by itself, where it means one thing."""
    return _BY_REPLY_CODE.get(reply_code)
