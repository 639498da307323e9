"""The claims that rest on words, in English. The first row that matches counts.

The rows about the recipient come before those about the sender, and these before those about the
message. A few rows come first as they tell whom the words are about: `too many unknown users` and
`sender address rejected: user unknown` are about the sender.
"""

from sesbounce.feedback.claims.claim import Claim, Level
from sesbounce.feedback.reason import Reason

_SES = "https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types"
_SES_LISTS = "https://docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html"
_GMAIL = "https://support.google.com/a/answer/3726730"
_MICROSOFT = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
_OUTLOOK = "https://sendersupport.olc.protection.outlook.com/pm/troubleshooting.aspx"
_YAHOO = "https://senders.yahooinc.com/smtp-error-codes/"
_ICLOUD = "https://support.apple.com/102322"
_DOCOMO = "https://libsisimai.org/en/rhost/nttdocomo/"
_KDDI = "https://libsisimai.org/en/rhost/kddi/"
_GODADDY = "https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685"
_GMX = "https://postmaster.gmx.net/en/error-messages"
_MIMECAST = "https://community.mimecast.com/s/article/email-security-cloud-gateway-mimecast-smtp-error-codes"
_ORANGE = "https://libsisimai.org/en/rhost/franceptt/"
_POSTFIX = "https://www.postfix.org/access.5.html"
_EXIM = "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html"
_QMAIL = "https://cr.yp.to/qmail/guarantee.html"
_MAILMAN = "https://docs.mailman3.org/projects/mailman/en/latest/src/mailman/rules/docs/rules.html"
_SPAMHAUS = "https://www.spamhaus.org/faqs/"
_RFC1870 = "https://www.rfc-editor.org/rfc/rfc1870#section-6"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"
_RFC6647 = "https://www.rfc-editor.org/rfc/rfc6647"
_RFC7372 = "https://www.rfc-editor.org/rfc/rfc7372#section-3"
_RFC7504 = "https://www.rfc-editor.org/rfc/rfc7504"
_RFC7505 = "https://www.rfc-editor.org/rfc/rfc7505#section-4"


def _ses(match: str, reason: Reason, source: str = _SES_LISTS) -> Claim:
    return Claim(Level.ACTION, match, reason, "SES", source)


def _words(match: str, reason: Reason, host: str, source: str, *, clear: bool = True) -> Claim:
    return Claim(Level.WORDS, match, reason, host, source, clear)


def _vague(match: str, reason: Reason, host: str, source: str) -> Claim:
    return Claim(Level.VAGUE_WORDS, match, reason, host, source, clear=False)


BY_SES = (
    _ses("suppression list for your account|account suppression list|account level suppression list", Reason.SUPPRESSED_BY_ACCOUNT),
    _ses("suppression list for your tenant|tenant suppression list|tenant level suppression list|suppression list for the tenant", Reason.SUPPRESSED_BY_TENANT),
    _ses("amazon ses ~ not ~ validation|validated|auto validation", Reason.SUPPRESSED_BY_VALIDATION, _SES),
    _ses("amazon ses ~ not ~ unsubscribed|opted out", Reason.UNSUBSCRIBED, _SES),
    _ses("amazon ses ~ suppressed|suppression", Reason.SUPPRESSED_GLOBALLY),
    _ses("global suppression list", Reason.SUPPRESSED_GLOBALLY),
)

# Whom the words are about, where they also hold words about somebody else.
ABOUT_THE_SENDER = (
    _words("resolver rst + notauthorized*|authrequired|senderrestricted*|notauthenticated*|sendernotauthenticated*|restricted*", Reason.RECIPIENT_POLICY, "Microsoft", _MICROSOFT),
    _words("too many hops|hop count|maximum hop*|hops exceeded|too many received|loop|loops|looping|looped|maillooped|mxloopback", Reason.ROUTING_LOOP, "many", _RFC3463),
    _words("{mailbox} ~ receiving ~ quickly|rate", Reason.RATE_LIMITED, "Gmail", _GMAIL),
    _words("exceed*|reached|over ~ messages|message rate|recipients|rate|sending|connection|connections|daily|hourly ~ per|hour|day|minute|limit|limits|today|quota|allowed|receive|send|exceeded", Reason.RATE_LIMITED, "Microsoft", _MICROSOFT),
    _words("too many|to many|maximum number of|excessive|number of|volume of ~ messages|message|mails|emails|email|mail|recipients|recipient|connections|connection|sessions|requests|invalid|unknown|bad|errors|concurrent|attempts|rcpt|users|addresses|smtp|deliveries|traffic", Reason.RATE_LIMITED, "GoDaddy", _GODADDY),
    _words("rate limit*|ratelimit*|throttl*|too fast|too quickly|too frequently|sending rate|message rate|rate of|rate exceeded|rate control|rate that|slow down|slower|connection limit|connection rate|sending limit|daily limit|recipient limit|recipients limit|message limit|messages limit|hourly limit|sending quota|daily quota|frequency|too much mail from|too much email from|too much traffic|flood|flooding|high volume|unexpected volume|excessive volume|per hour|per minute|per connection|per session", Reason.RATE_LIMITED, "Yahoo", _YAHOO),
    _words("{sender} - {full}", Reason.RATE_LIMITED, "many", _RFC5321),
    _words("invalid|bad|unknown|malformed|missing|illegal ~ from header|header from|from field|from line|sender header|in from|in the from", Reason.SENDER_BLOCKED, "many", _EXIM),
    _words("{sender}|sender account|sending account|sending user ~ {disabled}|blocked", Reason.SENDER_BLOCKED, "many", _EXIM),
    _words("sender verify failed", Reason.SENDER_BLOCKED, "Exim", _EXIM),
    _words("dmarc|spf|dkim|domainkeys|senderid|sender id|policy framework", Reason.SENDER_UNAUTHENTICATED, "many", _RFC7372),
    _words("unauthenticated|not authenticated ~ sender|mail|email|message|it|messages|emails", Reason.SENDER_UNAUTHENTICATED, "Gmail", _GMAIL),
    _words("sender|mail|email|message|it|messages|emails|domain ~ unauthenticated|not authenticated|authentication fail*|failed authentication|fails authentication|pass authentication|authentication check*|authentication level|authentication requirements|authentication policy|authentication information|authentication results", Reason.SENDER_UNAUTHENTICATED, "Gmail, Microsoft", _GMAIL),
    _words("ptr|rdns|reverse dns|reverse lookup|reverse hostname|reverse host|reverse name|reverse mapping|reverse record|reverse ip|fcrdns|forward confirmed|find your hostname|find your reverse|valid hostname|helo|ehlo|name lookup failed|ip lookup|relay host name|mismatches|unverifyable|unverifiable", Reason.SENDER_UNAUTHENTICATED, "many", _RFC7372),
    _words("spoof*|forged|forgery|impersonat*", Reason.SENDER_UNAUTHENTICATED, "many", _RFC7372),
    _words("{sender}|from ~ {unknown}|unresolvable|not be verified|not verified|verify failed|verification failed|verification error|not resolve*|no mx|null mx|not be resolved|must exist|must resolve|malformed|callout|bogus|empty|blank|missing|not be validated|not owned", Reason.SENDER_BLOCKED, "Postfix, Exim", _EXIM),
    _words("invalid|unknown|bad|unresolvable|malformed|unverified|unroutable|unrouteable|nonexistent|no such|blank + {sender}|from", Reason.SENDER_BLOCKED, "many", _EXIM),
)

ABOUT_THE_RECIPIENT = (
    _words("greylist*|graylist*|grey listed|gray listed|greylisting|postgrey", Reason.TEMPORARY_FAILURE, "many", _RFC6647),
    _words("{box}|quota|space|disk|capacity|storage - {full}", Reason.MAILBOX_FULL, "many", _RFC5321),
    _words("overquota|over quota|quota exceeded|over the quota|over disk quota|over the allowed quota|over its quota|exceeded storage|mailbox full|mailbox is full|full mailbox|mailfolder is full|folder is full|storage allocation|disk quota|disc quota|diskspace quota|userdisk quota|quota violation|quota usage|mail quota|mailbox quota|space has been used|space used up|not enough storage|enough space|maximum allowed storage|disk space limit|mailbox size|storage limit|storage quota|no space left|quotaexceededexception", Reason.MAILBOX_FULL, "many", _RFC5321),
    _words("exceed*|reached|beyond|over ~ quota|allotted|mailbox|storage|disk space|mailbox limit", Reason.MAILBOX_FULL, "many", _RFC5321),
    _words("mailbox|account|inbox|maildir ~ exceed*|reached|over ~ limit|limits|quota", Reason.MAILBOX_FULL, "many", _RFC5321),
    _words("temporarily|temporarly ~ disabled|suspended|locked|unavailable|inactive|closed|not available|blocked", Reason.TEMPORARY_FAILURE, "many", _RFC3463),
    _words("mailbox busy|mailbox is busy|mailbox locked by|mailbox is locked by|locked by another|mailbox lock|maildrop lock*", Reason.TEMPORARY_FAILURE, "many", _RFC3463),
    _words("disabled|suspended|locked|unavailable|inactive|closed|not available|deactivated ~ temporarily|temporarly|for now|at this time|at the moment|momentarily", Reason.TEMPORARY_FAILURE, "many", _RFC3463),
    _words("5.4.1|5.1.0|5.1.1 + recipient address rejected access denied", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    _words("resolver adr + recipnotfound|recipientnotfound|exrecipnotfound|exrecipientnotfound|recipientnotfound", Reason.NO_SUCH_MAILBOX, "Microsoft", _MICROSOFT),
    _words("mailbox unavailable + s2017062302", Reason.NO_SUCH_MAILBOX, "Outlook.com", _OUTLOOK),
    _words("550|553 + : + user unknown", Reason.RECIPIENT_POLICY, "au (KDDI)", _KDDI),
    _words("message|mail|email|size of|length of|attachment|attachments|data ~ size exceed*|too large|too big|too long|size limit|exceed* ~ size|fixed|maximum|limit|length|bytes|kb|mb", Reason.MESSAGE_TOO_LARGE, "many", _RFC1870),
    _words("message size|message length|mail size|email size|message exceeds|message is larger|message larger|recipsizelimit|recipientsizelimit|sendsizelimit|maximum size|size limit|size limits|size exceeds|file too large|too large|too big|larger than", Reason.MESSAGE_TOO_LARGE, "many", _RFC1870),
    _words("attachment*|attached file|attached files|file type|file types|file extension|filetype|filename|exe|scr|vbs|docm|xlsm|executable|executables", Reason.ATTACHMENT_REJECTED, "many", _GMAIL),
    _words("anhang*|dateianhang*|dateityp*|piece jointe|pieces jointes|fichier joint|fichiers joints|allegat*|lallegat*|adjunto*|anexo*|вложени*|zalacznik*|添付|附件", Reason.ATTACHMENT_REJECTED, "many languages", _GMAIL),
    _words("too much mail data", Reason.MAILBOX_FULL, "NTT docomo", _DOCOMO),
    _words("nxdomain|nullmx|null mx|host not found|bad destination host|bad destination system|unknown host|host unknown|no such host|no such domain|unknown domain|invalid domain|unrouteable mail domain|unroutable domain|no mx|nonexistentdomain|unable to lookup dns|dns hard error|name or service not known|has no mail exchanger|name service error|unknown domain name|domain must exist|recipient domain must exist", Reason.DOMAIN_NOT_FOUND, "many", _RFC7505),
    _words("mx ~ nonexistent|non existent|invalid|unreachable|localhost|unknown", Reason.DOMAIN_NOT_FOUND, "many", _RFC7505),
    _words("domain|domains|domain name|mail domain|hostname|mx - {unknown}|not resolve*|cannot resolve|not be resolved|no mail server|expired|not accept mail|not accept email|accepts no mail|not receive mail|not receive email|has no mx|no mx|not configured|suspended|disabled", Reason.DOMAIN_NOT_FOUND, "many", _RFC7505),
    _words("account|mailbox + is|has been|was|currently|is currently + {disabled}", Reason.MAILBOX_DISABLED, "many", _RFC3463),
    _words("{mailbox} - {unknown}", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _words("{no} + {mailbox}", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _words("{no} + virtual|local|destination|email|one|mail|or unknown|or illegal|or invalid|or inactive|system|internal|valid|person + {mailbox}|email|at this|by that|here|virtual|or|with", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _words("{mailbox} - doesnt have|does not have|no longer have|no longer has|has no ~ account|mailbox|inbox", Reason.NO_SUCH_MAILBOX, "Yahoo", _YAHOO),
    _words("not our customer|not our user|not a customer|not a user here|nobody here|no one here|nobody by that name|no one by that name|left the company|left this company|no longer works here|no longer works at|no longer with|not one of our|cant accept user|isnt in my list of users|badrcptto|badrecipientto|validrcptto|suspend the service", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _words("email|mailbox name|recipients|login + not found|does not exist|doesnt exist|unknown|is invalid|is not valid|is unknown|is not found", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _words("{mailbox} - {disabled}", Reason.MAILBOX_DISABLED, "many", _RFC3463),
    _words("account|mailbox|inbox|mailboxes + blocked|is blocked|isblocked|has been blocked|was blocked", Reason.MAILBOX_DISABLED, "La Poste", _ORANGE),
    _words("{disabled} + {mailbox}|email|recipients|users", Reason.MAILBOX_DISABLED, "iCloud", _ICLOUD),
    _words("accountdisabled*|mapiexceptionaccountdisabled", Reason.MAILBOX_DISABLED, "Microsoft", _MICROSOFT),
    # Who may write to this recipient.
    _words("recipient address rejected access denied", Reason.RECIPIENT_POLICY, "Postfix", _POSTFIX),
    _words("members only|member only|subscribers only|closed list|closed mailing list|closed group|moderated|restricted to members|nonmember|nonmembers|non member|non members|post to this|posting to this|posting to the|post to the|to this group|to this list|not subscribed|not a subscriber|not a member|isnt a member|only members|only subscribers|only the members|only list", Reason.RECIPIENT_POLICY, "mailing lists", _MAILMAN),
    _words("accept*|takes|take|receives|receive|only|allows|allowed ~ only|from approved|from authorized|from members|may|can|members|from internal|from known|contacts", Reason.RECIPIENT_POLICY, "mailing lists", _MAILMAN),
    _words("{box}|person|addressee ~ block|blocks|chosen to|chose|chooses|prefers|has blocked|has rejected|has refused|has restricted|refuses|rejects|declined|declines ~ you|your|messages|message|mail|sender|email|senders|emails", Reason.RECIPIENT_POLICY, "many", _RFC3463),
    _words("{rejected}|filtered|filter ~ by the recipient|by recipient|by the user|by user|by the addressee|by the recipients|by recipients|recipient preferences|user rules|user filter|by this user|by account owner|by the owner|by receiver|user reject|recipients block*|recipients settings|recipients personal|recipients preferences", Reason.RECIPIENT_POLICY, "many", _RFC3463),
    _words("{box}|group|list|address|person|distribution ~ only accept*|accepts only|only receive*|accepting mail only|only accepting|accept mail only|does not accept|not accepting|doesnt accept|not accept|refuse*|has blocked|has rejected|restricted|restricts|protected|opted out|requires|does not want|doesnt want|not allow*|not permit* ~ mail|email|emails|messages|message|you|your|from|external|outside|by|sender|senders|authenticat*|to", Reason.RECIPIENT_POLICY, "many", _RFC3463),
    _words("{sender}|you|external|outside|unauthenticated ~ {rejected}|permission|may not|cannot|cant|not on the|not in the ~ to this|to the recipient|this recipient|recipient|recipients|this address|this mailbox|this user|group|distribution|list|this person|the mailbox", Reason.RECIPIENT_POLICY, "many", _RFC3463),
    _words("authentication|authenticated|authenticate|whitelisted ~ required|requires|must|only|need|needed|senders|client", Reason.RECIPIENT_POLICY, "Microsoft", _MICROSOFT),
)

ABOUT_THE_SENDERS_STANDING = (
    _words("message|mail|email|it ~ as spam|is spam|like spam|considered spam|spam content|as junk|as bulk|as unsolicited|as virus", Reason.CONTENT_REJECTED, "many", _RFC3463),
    _words("surbl|uribl|blacklisted url|blacklisted link|listed url|banned content|url in ~ message|body|mail|email|policy|rejected|blocked|listed|.", Reason.CONTENT_REJECTED, "many", _RFC3463),
    _words("does not accept mail|does not accept email|doesnt accept mail|accepts no mail|accept no mail|no mail accepted|not accept any mail|not accept any email + .|nor|;|here|at|!", Reason.DOMAIN_NOT_FOUND, "RFC 7504", _RFC7504),
    _words("dnsbl|rbl|dnsrbl|spamhaus|spamcop|barracuda|barracudacentral|sorbs|uceprotect|abusix|senderscore|senderbase|block list|blocklist*|black list|blacklist*|deny list|denylist*|realtime blackhole|blackhole|sbl|xbl|pbl|backscatterer", Reason.SENDER_BLOCKED, "many", _SPAMHAUS),
    _words("reputation", Reason.SENDER_BLOCKED, "many", _OUTLOOK),
    _words("{rejected} + see", Reason.SENDER_BLOCKED, "many", _POSTFIX),
    _words("{sender}|spammer|source|spammers ~ {rejected}|not pre approved|not approved|bad", Reason.SENDER_BLOCKED, "many", _POSTFIX),
    _words("your|our|this|the|from|sending|client|remote|source|originating + {machine}|mail ~ {rejected}|spam|abuse|abusive|complaints|suspicious|dynamic|residential", Reason.SENDER_BLOCKED, "many", _OUTLOOK),
    _words("policy|policies ~ reasons|reason|violation|rejection|restriction|rejected|denied|blocked|refused|prohibits", Reason.BLOCKED, "many", _RFC3463),
    _words("rejected|denied|blocked|refused|accepted|prohibited|reject|violates|violation|due|because|prohibition|prohibited ~ policy|policies|security policy|administrative|administratively|organizational", Reason.BLOCKED, "Mimecast", _MIMECAST),
    _words("administrative prohibition|administratively|prohibited by administrator", Reason.BLOCKED, "Exim", _EXIM),
    _words("client host|client|host|ip|ips|server|server access|connection|connections|% ~ {rejected}", Reason.SENDER_BLOCKED, "many", _POSTFIX),
    _words("{rejected} ~ dnsbl|using %|in %|on %|at %|via %|ip|ips|network|your domain|your server|your host|your ip|spamming|abuse|your mail|your email", Reason.SENDER_BLOCKED, "many", _POSTFIX),
    _words("complaints|sending spam|sent spam|sending unsolicited|spam abuse|abuse detected|spams|for abuse|abusive|spammer|spammers|source of spam|unwanted messages|unwanted mail|smtp server of your|open proxy|allowed to connect|no access from|bad ip|accepting mail from your|not allow connections|spam source|spam from|spamming|dynamic ip|residential|banned|not welcome|permanently deferred", Reason.SENDER_BLOCKED, "Yahoo", _YAHOO),
    _words("likely ~ unsolicited|suspicious|spam", Reason.SENDER_BLOCKED, "Gmail", _GMAIL),
    _words("policy restrictions", Reason.SENDER_BLOCKED, "GMX, WEB.DE", _GMX),
    _words("ofr_506|ofr_513|ouk_513|ofr006_102|ofr_999|lpn007_506", Reason.SENDER_BLOCKED, "Orange", _ORANGE),
)

ABOUT_THE_MESSAGE = (
    _words("virus|viruses|malware|trojan|infected|phish*|spam*|antispam|recurrent pattern|header error|bad header*|invalid header*|missing header*|duplicate header*|line too long|line length|line limit|lines too long|junk|unsolicited|bulk|malicious|spamassassin|ube|uce", Reason.CONTENT_REJECTED, "many", _RFC3463),
    _words("{message} ~ content|contents|offensive|profanity|prohibited words|inappropriate|malformed|rfc 5322|rfc5322|rfc 2822|rfc2822|non compliant|not compliant|compliant|headers|header|url|urls|link|links|domain in the body", Reason.CONTENT_REJECTED, "many", _RFC3463),
    _words("content ~ {rejected}|filter|filtered|violation|policy|restrictions|security", Reason.CONTENT_REJECTED, "many", _RFC3463),
)

ABOUT_NOBODY = (
    _words("relay|relaying|relayed|rcpthosts|relays ~ denied|prohibited|not permitted|not allowed|refused|rejected|%|@|for|access|mail|disallowed|not supported|from|through|here|that|to", Reason.BLOCKED, "many", _POSTFIX),
    _words("rcpthosts|not relay|unable to relay|cannot relay|not a relay|no relaying|no relay|open relay|relay not|relay access", Reason.BLOCKED, "qmail", _QMAIL),
    _words("temporary|temporarily|transient|try again|try later|retry|again later|please try|later|timed out|timeout|time out|internal error|local error|system error|local problem|server error|busy|unable to connect|could not connect|connection lost|connection dropped|lost connection|config error|configuration error|cant create|could not create|unable to create|connection reset|network error|network unreachable|no route|out of memory|insufficient system|insufficient resources|system storage|system resources|service unavailable|service not available|shutting down|maintenance", Reason.TEMPORARY_FAILURE, "many", _RFC5321),
)

VAGUE = (
    _vague("expired|delivery time|queue too long|in the queue|queue expired", Reason.TEMPORARY_FAILURE, "many", _RFC3463),
    _vague("mailbox unavailable|mailbox not available|mailbox is unavailable|unavailable mailbox|account unavailable|user unavailable|recipient unavailable|address unavailable|mailbox cannot be accessed|not accepting messages|not accepting mail", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
    _vague("address rejected|recipient rejected|recipients rejected|recipient refused|recipient not accepted|recipient denied|user rejected|rejected recipient|recipient not ok|recipient address rejected", Reason.NO_SUCH_MAILBOX, "many", _RFC5321),
)

ENGLISH = (
    *ABOUT_THE_SENDER,
    *ABOUT_THE_RECIPIENT,
    *ABOUT_THE_SENDERS_STANDING,
    *ABOUT_THE_MESSAGE,
    *ABOUT_NOBODY,
)
