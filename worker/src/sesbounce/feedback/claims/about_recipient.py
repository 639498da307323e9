"""What hosts say about the recipient, in English."""

from sesbounce.feedback.claims.claim import ANY_HOST, words
from sesbounce.feedback.reason import Reason

_GMAIL = "https://support.google.com/a/answer/3726730"
_MICROSOFT = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
_OUTLOOK = "https://sendersupport.olc.protection.outlook.com/pm/troubleshooting.aspx"
_YAHOO = "https://senders.yahooinc.com/smtp-error-codes/"
_ICLOUD = "https://support.apple.com/102322"
_DOCOMO = "https://libsisimai.org/en/rhost/nttdocomo/"
_KDDI = "https://libsisimai.org/en/rhost/kddi/"
_ORANGE = "https://libsisimai.org/en/rhost/franceptt/"
_POSTFIX = "https://www.postfix.org/access.5.html"
_MAILMAN = "https://docs.mailman3.org/projects/mailman/en/latest/src/mailman/rules/docs/rules.html"
_RFC1870 = "https://www.rfc-editor.org/rfc/rfc1870#section-6"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"
_RFC6647 = "https://www.rfc-editor.org/rfc/rfc6647"
_RFC7505 = "https://www.rfc-editor.org/rfc/rfc7505#section-4"


# fmt: off
RECIPIENT = (
    words("greylist*|graylist*|grey listed|gray listed|greylisting|postgrey",
          Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC6647),
    words("{box}|quota|space|disk|capacity|storage - {full}",
          Reason.MAILBOX_FULL, ANY_HOST, _RFC5321),
    words("overquota|over quota|quota exceeded|over the quota|over disk quota|"
          "over the allowed quota|over its quota|exceeded storage|mailbox full|mailbox is full|"
          "full mailbox|mailfolder is full|folder is full|storage allocation|disk quota|"
          "disc quota|diskspace quota|userdisk quota|quota violation|quota usage|mail quota|"
          "mailbox quota|space has been used|space used up|not enough storage|enough space|"
          "maximum allowed storage|disk space limit|mailbox size|enough room|storage limit|"
          "storage quota|no space left|quotaexceededexception",
          Reason.MAILBOX_FULL, ANY_HOST, _RFC5321),
    words("exceed*|reached|beyond|over ~ quota|allotted|mailbox|storage|disk space|mailbox limit",
          Reason.MAILBOX_FULL, ANY_HOST, _RFC5321),
    words("mailbox|account|inbox|maildir ~ exceed*|reached|over ~ limit|limits|quota",
          Reason.MAILBOX_FULL, ANY_HOST, _RFC5321),
    words("temporarily|temporarly ~ disabled|suspended|locked|unavailable|inactive|closed|"
          "not available", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    words("mailbox busy|mailbox is busy|mailbox locked by|mailbox is locked by|locked by another|"
          "mailbox lock|maildrop lock*", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    words("disabled|suspended|locked|unavailable|inactive|closed|not available|deactivated ~ "
          "temporarily|temporarly|for now|at this time|at the moment|momentarily",
          Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    words("5.4.1|5.1.0|5.1.1 - recipient address rejected access denied",
          Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    words("resolver adr + recipnotfound|recipientnotfound|exrecipnotfound|exrecipientnotfound|"
          "recipientnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    words("mailbox unavailable + s2017062302", Reason.NO_SUCH_MAILBOX, "Outlook.com", _OUTLOOK),
    words("550|553 + : + user unknown", Reason.RECIPIENT_POLICY, "au (KDDI)", _KDDI),
    words("message|mail|email|attachment|attachments|data|size|length ~ too large|too big|"
          "too long|bigger than|larger than|longer than|over limit|over the limit|over the size|"
          "mb limit|kb limit|"
          "size limit|too many bytes|oversize*", Reason.MESSAGE_TOO_LARGE, ANY_HOST, _RFC1870),
    words("message|mail|email|attachment|attachments|data|size|length ~ exceed* ~ size|fixed|"
          "maximum|limit|length|bytes|kb|mb", Reason.MESSAGE_TOO_LARGE, ANY_HOST, _RFC1870),
    words("message size|message length|mail size|email size|recipsizelimit|recipientsizelimit|"
          "sendsizelimit|maximum size|size limit|size limits|size exceeds|too large|too big|"
          "too many bytes|too much data|larger than", Reason.MESSAGE_TOO_LARGE, ANY_HOST, _RFC1870),
    words("attachment*|attached file|attached files|file type|file types|file extension|filetype|"
          "filename|exe|scr|vbs|docm|xlsm|executable|executables",
          Reason.ATTACHMENT_REJECTED, ANY_HOST, _GMAIL),
    words("anhang*|dateianhang*|dateityp*|piece jointe|pieces jointes|fichier joint|"
          "fichiers joints|allegat*|lallegat*|adjunto*|anexo*|вложени*|zalacznik*|添付|附件",
          Reason.ATTACHMENT_REJECTED, "many languages", _GMAIL),
    words("too much mail data", Reason.MAILBOX_FULL, "NTT docomo", _DOCOMO),
    words("nxdomain|nullmx|null mx|host not found|bad destination host|bad destination system|"
          "unknown host|host unknown|no such host|no such domain|unknown domain|invalid domain|"
          "unrouteable mail domain|unroutable domain|no mx|nonexistentdomain|unable to lookup dns|"
          "dns hard error|name or service not known|has no mail exchanger|name service error|"
          "unknown domain name|domain must exist|recipient domain must exist",
          Reason.DOMAIN_NOT_FOUND, ANY_HOST, _RFC7505),
    words("mx ~ nonexistent|non existent|invalid|unreachable|localhost|unknown",
          Reason.DOMAIN_NOT_FOUND, ANY_HOST, _RFC7505),
    words("relay|relaying|relay access + denied|disallowed|prohibited|forbidden|refused|"
          "not allowed|not permitted|not authorized|not authorised|is denied|is not allowed",
          Reason.BLOCKED, "Sendmail, Postfix", _POSTFIX),
    words("domain|domains|domain name|mail domain|hostname|mx - {unknown}|not resolve*|"
          "cannot resolve|not be resolved|no mail server|expired|not accept mail|not accept email|"
          "accepts no mail|not receive mail|not receive email|has no mx|no mx|not configured|"
          "suspended|disabled", Reason.DOMAIN_NOT_FOUND, ANY_HOST, _RFC7505),
    words("closed to|not open to|no external|external mail|external senders|internal address|"
          "internal use|internal only|internal mail|reachable from|reached from|from the internet|"
          "from the outside|from inside", Reason.RECIPIENT_POLICY, "mailing lists", _MAILMAN),
    words("account|mailbox|group|list + is|has been|was|currently|is currently + {disabled}",
          Reason.MAILBOX_DISABLED, ANY_HOST, _RFC3463),
    words("{mailbox} - {unknown}", Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("{no} + {mailbox}", Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("{no} + virtual|local|destination|email|one|mail|or unknown|or illegal|or invalid|"
          "or inactive|system|internal|valid|person + {mailbox}|email|at this|by that|here|"
          "virtual|or|with", Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("{mailbox} - doesnt have|does not have|no longer have|no longer has|has no ~ account|"
          "mailbox|inbox", Reason.NO_SUCH_MAILBOX, "Yahoo", _YAHOO),
    words("not have a|not have an|not have any|dont have a|dont have any + {mailbox}",
          Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("not our customer|not known here|not known at|recipient moved|user moved|"
          "no forwarding address|not our user|not a customer|not a user here|nobody here|"
          "no one here|nobody by that name|nobody of that name|no one by that name|"
          "left the company|left this company|no longer works here|no longer works at|"
          "no longer with|not one of our|cant accept user|isnt in my list of users|badrcptto|"
          "badrecipientto|validrcptto|suspend the service",
          Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("email|mailbox name|recipients|login + not found|does not exist|doesnt exist|unknown|"
          "is invalid|is not valid|is unknown|is not found",
          Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    words("unverified address|unverified recipient|verification in progress|"
          "complete recipient verif*|recipient verify callout",
          Reason.TEMPORARY_FAILURE, "Postfix, Exim", _POSTFIX),
    words("{mailbox} - {disabled}", Reason.MAILBOX_DISABLED, ANY_HOST, _RFC3463),
    words("account|mailbox|inbox|mailboxes + blocked|is blocked|isblocked|has been blocked|"
          "was blocked", Reason.MAILBOX_DISABLED, "La Poste", _ORANGE),
    words("{disabled} + {mailbox}|email|recipients|users",
          Reason.MAILBOX_DISABLED, "iCloud", _ICLOUD),
    words("accountdisabled*|mapiexceptionaccountdisabled",
          Reason.MAILBOX_DISABLED, "Microsoft", _MICROSOFT),
    # Who may write to this recipient.
    words("recipient|recipients|user|users|personal|manually + block list|blocklist|black list|"
          "blacklist|blocked senders|blocked list|deny list",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("recipient address rejected access denied",
          Reason.RECIPIENT_POLICY, "Postfix", _POSTFIX),
    words("only approved|only authorized|only authorised|only whitelisted|only known|"
          "only trusted|only certain + sender|senders|contacts|people",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("{box}|personal ~ whitelist|white list|allow list|allowlist|safe list|safe senders",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("from strangers|internal senders|send only|unmonitored|not monitored|"
          "confirm your address", Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("members only|member only|subscribers only|closed list|closed mailing list|closed group|"
          "moderated|restricted to members|nonmember|nonmembers|non member|non members|"
          "may not post|post to this|posting to this|posting to the|post to the|to this group|"
          "to this list|not subscribed|not a subscriber|not a member|isnt a member|only members|"
          "only subscribers|only the members|only list",
          Reason.RECIPIENT_POLICY, "mailing lists", _MAILMAN),
    words("accept*|takes|take|receives|receive|only|allows|allowed ~ only|from approved|"
          "from authorized|from members|may|can|members|from internal|from known|contacts",
          Reason.RECIPIENT_POLICY, "mailing lists", _MAILMAN),
    words("{box}|person|addressee ~ block|blocks|reject|refuse|chosen to|chose|chooses|prefers|"
          "has blocked|has rejected|has refused|has restricted|has filtered|refuses|rejects|"
          "declined|declines ~ you|your|messages|message|mail|sender|email|senders|emails",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("{rejected}|filtered|filter ~ by the recipient|by recipient|by the user|by user|"
          "by the addressee|by the recipients|by recipients|recipient preferences|user rules|"
          "user filter|by this user|by account owner|by the owner|by receiver|user reject|"
          "recipients block*|recipients settings|recipients personal|recipients preferences",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("{box}|group|list|address|person|distribution ~ only accept*|accepts only|only receive*|"
          "accepting mail only|only accepting|accept mail only|does not accept|not accepting|"
          "doesnt accept|not accept|not take|doesnt take|refuse*|has blocked|has rejected|"
          "restricted|restricts|protected|opted out|requires|does not want|doesnt want|"
          "not allow*|not permit* ~ mail|replies|email|emails|messages|message|you|your|from|"
          "external|outside|by|sender|senders|authenticat*|to",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("{sender}|you|external|outside|unauthenticated ~ {rejected}|permission|may not|cannot|"
          "cant|not on the|not in the ~ to this|to the recipient|this recipient|recipient|"
          "recipients|this address|this mailbox|this user|group|distribution|list|this person|"
          "the mailbox", Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("authentication|authenticated|authenticate|whitelisted ~ required|requires|must|only|"
          "need|needed|senders|client", Reason.RECIPIENT_POLICY, "Microsoft", _MICROSOFT),
)
# fmt: on
