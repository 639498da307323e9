"""The texts that receiving hosts write when they reject a mail, and the reason for each.

Hosts use status codes loosely, but the large providers' texts are exact. The first row of a
table whose text occurs in the diagnostic counts; letter case makes no difference.
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
    """One row of a table.

    Attributes:
        text: the text to find in the diagnostic, in lower case.
        reason: the reason that it stands for.
        host: the provider or software that writes it.
        source: the URL that documents it.
    """

    text: str
    reason: Reason
    host: str
    source: str


# fmt: off
PROVIDERS = (
    # These are about the sender, whatever else the diagnostic holds: so they come first.
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

    # Exchange writes 5.1.10 about a mailbox; RFC 7505 defines it for domains without mail.
    Reply("resolver.adr.recipientnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    Reply("resolver.adr.recipnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    Reply("resolver.adr.exrecipnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    # RFC 3463 defines 5.4.1 as a network problem; Exchange Online writes it about the recipient.
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
    # au writes this where the recipient's own filter rejects the sender. With an address between
    # the code and the colon, the user really is unknown.
    Reply("550 : user unknown", Reason.BLOCKED, "au (KDDI)", _KDDI),
    Reply(">: user unknown", Reason.NO_SUCH_MAILBOX, "au (KDDI), Postfix", _KDDI),

    Reply("550 invalid recipient", Reason.NO_SUCH_MAILBOX, "SoftBank", _SOFTBANK),
)

# Texts that many hosts use. An exact status code is better evidence where there is one.
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

# SMTP reply codes with one meaning only, for diagnostics whose text is unknown (RFC 5321, 4.2.3).
# 550 may mean anything, and 553 is more often about the sender than about the recipient.
_BY_REPLY_CODE = {
    "551": Reason.NO_SUCH_MAILBOX,  # user not local
    "552": Reason.MAILBOX_FULL,  # exceeded storage allocation
}
# `550 5.1.1`, `550-5.1.1`, also where the diagnostic quotes another host's reply.
_CODES = re.compile(r"(?<![\d.])([245]\d\d)(?:[ -]+([245]\.\d{1,3}\.\d{1,3})|(?=[ -]))", re.ASCII)
# A diagnostic is a line or two; a much longer one is a mistake or an attack.
_LONGEST = 4000


def reply_in(diagnostic: str | None, table: tuple[Reply, ...]) -> Reply | None:
    """The first row of a table whose text occurs in a diagnostic."""
    text = (diagnostic or "")[:_LONGEST].lower()
    if not text:
        return None
    for reply in table:  # a loop: a generator would double the cost of the search
        if reply.text in text:
            return reply
    return None


def codes_in(diagnostic: str | None) -> list[tuple[str, str]]:
    """The SMTP reply codes in a diagnostic, each with its enhanced status code or "".

    There may be several, as a host that gives up on a mail quotes the other host's reply:
    `554 4.4.7 Message expired. <452-4.2.2 The recipient's inbox is out of storage space>`.
    """
    return _CODES.findall((diagnostic or "")[:_LONGEST])


def reason_of_code(reply_code: str) -> Reason | None:
    """The reason that an SMTP reply code stands for, if it has one meaning only."""
    return _BY_REPLY_CODE.get(reply_code)
