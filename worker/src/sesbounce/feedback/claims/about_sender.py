"""What hosts say about the sender, in English.

The rows of `SENDER_NAMED` also hold words about others, and so come before all rows about the
recipient: `too many unknown users` and `sender address rejected: user unknown`.
"""

from sesbounce.feedback.claims.claim import ANY_HOST, words
from sesbounce.feedback.reason import Reason

_GMAIL = "https://support.google.com/a/answer/3726730"
_MICROSOFT = "https://learn.microsoft.com/exchange/mail-flow-best-practices/non-delivery-reports-in-exchange-online/non-delivery-reports-in-exchange-online"
_OUTLOOK = "https://sendersupport.olc.protection.outlook.com/pm/troubleshooting.aspx"
_YAHOO = "https://senders.yahooinc.com/smtp-error-codes/"
_SENDGRID = "https://www.twilio.com/docs/sendgrid/ui/sending-email/bounces"
_GODADDY = "https://www.godaddy.com/help/fix-rejected-email-with-a-bounce-error-40685"
_GMX = "https://postmaster.gmx.net/en/error-messages"
_MIMECAST = "https://community.mimecast.com/docs/DOC-1369"
_CISCO = "https://www.cisco.com/c/en/us/support/docs/security/email-security-appliance/118380-technote-esa-00.html"
_NETEASE = "https://help.163.com/09/1224/17/5RAJ4LMH00753VB8.html"
_ORANGE = "https://libsisimai.org/en/rhost/franceptt/"
_POSTFIX = "https://www.postfix.org/access.5.html"
_EXIM = "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html"
_SPAMHAUS = "https://www.spamhaus.org/faqs/"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"
_RFC7372 = "https://www.rfc-editor.org/rfc/rfc7372#section-3"
_RFC7504 = "https://www.rfc-editor.org/rfc/rfc7504"


# fmt: off
SENDER_NAMED = (
    # SendGrid's own words, about the domain of the recipient: `failed to get IPs from PTR record`.
    words("unable to get mx info", Reason.DOMAIN_NOT_FOUND, "SendGrid", _SENDGRID),
    words("resolver rst + notauthorized*|authrequired|senderrestricted*|notauthenticated*|"
          "sendernotauthenticated*|restricted*", Reason.RECIPIENT_POLICY, "Microsoft", _MICROSOFT),
    words("blocked|blacklisted|banned + by the addressee|by the user|by this user|"
          "by recipient block*|by recipient personal|by recipient own|by recipient list",
          Reason.RECIPIENT_POLICY, ANY_HOST, _RFC3463),
    words("authenticated by organization|authenticated by the organization",
          Reason.RECIPIENT_POLICY, "Microsoft", _MICROSOFT),
    words("too many hops|hop count|maximum hop*|hops exceeded|too many received|loop|loops|"
          "looping|looped|maillooped|mxloopback|circular|received headers|been here before",
          Reason.ROUTING_LOOP, ANY_HOST, _RFC3463),
    words("exceed*|reached|over|more than ~ messages|message rate|recipients|rate|sending|"
          "connection|connections|daily|hourly ~ per|hour|day|minute|limit|limits|today|quota|"
          "allowed|receive|send|exceeded", Reason.RATE_LIMITED, "Microsoft", _MICROSOFT),
    words("too many|maximum number of ~ messages|mails|emails ~ on the server|on server|in mailbox|"
          "in the mailbox|in his mailbox|in inbox|in the inbox|stored",
          Reason.MAILBOX_FULL, "GMX, WEB.DE", _GMX),
    words("too many|to many|maximum number of|excessive|number of|volume of ~ messages|message|"
          "mails|emails|email|mail|recipients|recipient|connections|connection|sessions|requests|"
          "invalid|unknown|bad|errors|concurrent|attempts|rcpt|users|addresses|bounces|smtp|"
          "deliveries|traffic", Reason.RATE_LIMITED, "GoDaddy", _GODADDY),
    words("rate limit*|ratelimit*|throttl*|too fast|too quickly|too frequently|sending rate|"
          "message rate|rate of|rate exceeded|rate control|rate that|slow down|slower|"
          "connection limit|connection rate|sending limit|daily limit|recipient limit|"
          "recipients limit|message limit|messages limit|hourly limit|sending quota|daily quota|"
          "hourly quota|mail volume|message volume|per day|frequency|too much mail from|"
          "too much email from|too much traffic|flood|flooding|high volume|unexpected volume|"
          "excessive volume|per hour|per minute|per connection|per session|concurrency|"
          "too much email|high rate|short period|short time|more mails than|more messages than|"
          "more emails than|more recipients than|more connections than|max connections",
          Reason.RATE_LIMITED, "Yahoo", _YAHOO),
    words("hl|mi|rp + icc|ifc|ifq|dmc|ccl|cel|drc|sfq|stc",
          Reason.RATE_LIMITED, "NetEase", _NETEASE),
    words("traffic|volume ~ exceed*|threshold|too high",
          Reason.RATE_LIMITED, ANY_HOST, _RFC3463),
    words("boucle|schleife|mailschleife|bucle|petla|зацикл*|циклич*|ループ|循环|循環",
          Reason.ROUTING_LOOP, "many languages", _RFC3463),
    words("{sender} - {full}", Reason.RATE_LIMITED, ANY_HOST, _RFC5321),
    words("invalid|bad|unknown|malformed|missing|illegal ~ from header|header from|from field|"
          "from line|sender header|reply to header|in from|in the from",
          Reason.SENDER_BLOCKED, ANY_HOST, _EXIM),
    words("{sender}|sender account|sending account|sending user ~ {disabled}|blocked",
          Reason.SENDER_BLOCKED, ANY_HOST, _EXIM),
    words("cant find|cannot find|no valid|not find|cannot resolve|could not resolve|"
          "unable to resolve|failed to resolve|lookup of|lookup for ~ sender|sender domain|"
          "your domain",
          Reason.SENDER_BLOCKED, "qmail", _RFC5321),
    words("sender verify failed|badmailfrom", Reason.SENDER_BLOCKED, "Exim, qmail", _EXIM),
    words("not verify|cannot verify|cant verify|couldnt verify|unable to verify|failed to verify ~ "
          "{sender}", Reason.SENDER_BLOCKED, ANY_HOST, _EXIM),
    words("dmarc|spf|dkim|domainkeys|senderid|sender id|policy framework|antispoof*|anti spoofing|"
          "anti spoof|must be signed|not signed|unsigned",
          Reason.SENDER_UNAUTHENTICATED, ANY_HOST, _RFC7372),
    words("over a tls connection", Reason.SENDER_UNAUTHENTICATED, "Gmail", _GMAIL),
    words("unauthenticated|not authenticated ~ sender|mail|email|message|it|messages|emails",
          Reason.SENDER_UNAUTHENTICATED, "Gmail", _GMAIL),
    words("sender|mail|email|message|it|messages|emails|domain ~ unauthenticated|"
          "not authenticated|authentication fail*|failed authentication|fails authentication|"
          "pass authentication|authentication check*|authentication level|"
          "authentication requirements|authentication policy|authentication information|"
          "authentication results", Reason.SENDER_UNAUTHENTICATED, "Gmail, Microsoft", _GMAIL),
    words("ptr|rdns|reverse dns|reverse lookup|reverse hostname|reverse host|reverse name|"
          "reverse mapping|reverse record|reverse ip|fcrdns|forward confirmed|find your hostname|"
          "find your reverse|valid hostname|helo|ehlo|name lookup failed|ip lookup|"
          "relay host name|mismatches|unverifyable|unverifiable",
          Reason.SENDER_UNAUTHENTICATED, ANY_HOST, _RFC7372),
    words("is|be|looks|appears|message|mail|email|sender|address|header|from|suspected|possible|"
          "likely|domain|rejecting|blocking|as + spoof*|forged|forgery|impersonat*|a forgery|"
          "to be forged", Reason.SENDER_UNAUTHENTICATED, ANY_HOST, _RFC7372),
    words("{sender}|from ~ {unknown}|unresolvable|not be verified|not verified|verify failed|"
          "verification failed|verification error|not resolve*|resolve fail*|resolution fail*|"
          "lookup fail*|check failed|no a|not in dns|dns error|no dns|no mx|"
          "null mx|not be resolved|must exist|must resolve|malformed|callout|bogus|empty|blank|"
          "missing|not be validated|not owned", Reason.SENDER_BLOCKED, "Postfix, Exim", _EXIM),
    words("invalid|unknown|bad|unresolvable|malformed|unverified|unroutable|unrouteable|"
          "nonexistent|no such|blank + {sender}|from", Reason.SENDER_BLOCKED, ANY_HOST, _EXIM),
)

SENDER_NOT_WELCOME = (
    words("message|mail|email|it ~ as spam|is spam|like spam|considered spam|spam content|as junk|"
          "as bulk|as unsolicited|as virus", Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("content ~ filter|filtered|filtering|examination|inspection|violation|policy|policies|"
          "restrictions|security", Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("surbl|uribl|blacklisted url|blacklisted link|listed url|banned content|url in ~ "
          "message|body|mail|email|policy|rejected|blocked|listed|.",
          Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("does not accept mail|does not accept email|doesnt accept mail|accepts no mail|"
          "accept no mail|no mail accepted|not accept any mail|not accept any email + .|nor|;|"
          "here|at|!", Reason.DOMAIN_NOT_FOUND, "RFC 7504", _RFC7504),
    words("banned|forbidden|prohibited|blocked|disallowed ~ word|words|phrase|phrases|keyword|"
          "keywords|subject", Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("dnsbl*|rbl|rbls|dnsrbl|spamhaus|spamcop|barracuda|barracudacentral|sorbs|uceprotect|abusix|"
          "senderscore|senderbase|block list|blocklist*|black list|blacklist*|deny list|denylist*|"
          "black listed|black listing|block listed|"
          "realtime blackhole|blackhole|sbl|xbl|pbl|backscatterer",
          Reason.SENDER_BLOCKED, ANY_HOST, _SPAMHAUS),
    words("reputation|spam statistics|spam source|spam sender|sending spam|source of spam",
          Reason.SENDER_BLOCKED, ANY_HOST, _OUTLOOK),
    words("{rejected} + see", Reason.SENDER_BLOCKED, ANY_HOST, _POSTFIX),
    words("{sender}|spammer|source|spammers ~ {rejected}|not pre approved|not approved|bad",
          Reason.SENDER_BLOCKED, ANY_HOST, _POSTFIX),
    words("your|our|this|the|from|sending|client|remote|source|originating + {machine}|mail ~ "
          "{rejected}|spam|abuse|abusive|complaints|suspicious|dynamic|residential",
          Reason.SENDER_BLOCKED, ANY_HOST, _OUTLOOK),
    words("your access|access to submit ~ {rejected}",
          Reason.SENDER_BLOCKED, "Cisco", _CISCO),
    words("policy restrictions", Reason.SENDER_BLOCKED, "GMX, WEB.DE", _GMX),
    # Nothing answered: that is no word of a host about the sender.
    words("connect to|connecting to|connection to ~ refused|timed out|unreachable|no route",
          Reason.TEMPORARY_FAILURE, "Postfix", _POSTFIX),
    words("client host|client|host|ip|ips|your server|server access|connections|% ~ {rejected}",
          Reason.SENDER_BLOCKED, ANY_HOST, _POSTFIX),
    words("connection refused|socket error", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC5321),
    words("connection ~ {rejected}", Reason.SENDER_BLOCKED, ANY_HOST, _POSTFIX),
    words("{rejected} ~ dnsbl|using %|in %|on %|at %|via %|ip|ips|network|your domain|your server|"
          "your host|your ip|spamming|abuse|your mail|your email|all mail from|all email from",
          Reason.SENDER_BLOCKED, ANY_HOST, _POSTFIX),
    words("complaints|longer accept mail from|longer accept email from|want your mail|"
          "want your email|sending spam|sent spam|sending unsolicited|spam abuse|abuse detected|"
          "spams|"
          "abuse from|for abuse|abusive|spammer|spammers|source of spam|not receive mail from|"
          "not accept mail from|not accept email from|accept mail from spammers|unwanted messages|"
          "unwanted mail|smtp server of your|open proxy|allowed to connect|no access from|bad ip|"
          "accepting mail from your|not allow connections|spam source|spam from|spamming|"
          "dynamic ip|residential|banned|not welcome|permanently deferred",
          Reason.SENDER_BLOCKED, "Yahoo", _YAHOO),
    words("likely ~ unsolicited|suspicious|spam", Reason.SENDER_BLOCKED, "Gmail", _GMAIL),
    words("hl|mi|dt|wm + rep|mep|ihu|ipb|rbl|bli|blu|spb|sum",
          Reason.SENDER_BLOCKED, "NetEase", _NETEASE),
    words("dt + spm", Reason.CONTENT_REJECTED, "NetEase", _NETEASE),
    words("ofr_506|ofr_513|ouk_513|ofr006_102|ofr_999|lpn007_506",
          Reason.SENDER_BLOCKED, "Orange", _ORANGE),
)
# fmt: on
