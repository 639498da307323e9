"""What hosts say about the message, about the way that it took, and about nobody, in English."""

from sesbounce.feedback.claims.claim import ANY_HOST, Claim, Level, words
from sesbounce.feedback.reason import Reason

_EXIM = "https://www.exim.org/exim-html-current/doc/html/spec_html/ch-access_control_lists.html"
_HARAKA = "https://haraka.github.io/core/Plugins"
_MIMECAST = "https://community.mimecast.com/docs/DOC-1369"
_POSTFIX = "https://www.postfix.org/access.5.html"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"
_RFC7372 = "https://www.rfc-editor.org/rfc/rfc7372#section-3"
_RFC8689 = "https://www.rfc-editor.org/rfc/rfc8689#section-5"


def _vague(match: str, reason: Reason, host: str, source: str) -> Claim:
    return Claim(Level.VAGUE_WORDS, match, reason, host, source, clear=False)


# fmt: off
MESSAGE = (
    words("virus|viruses|clamav|malware|trojan|infected|phish*|spam*|antispam|quarantine*|"
          "recurrent pattern|message format|invalid message|header error|bad header*|"
          "invalid header*|missing header*|duplicate header*|line too long|line length|line limit|"
          "lines too long|junk|unsolicited|bulk|malicious|spamassassin|ube|uce",
          Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("{message} ~ content|contents|offensive|profanity|prohibited words|inappropriate|html|"
          "malformed|rfc|rfc5322|rfc2822|non compliant|not compliant|compliant|headers|header|url|"
          "urls|link|links|domain in the body", Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    words("content|html ~ {rejected}", Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
)

NOBODY = (
    words("policy|policies ~ reasons|reason|violation|rejection|restriction|rejected|denied|"
          "blocked|refused|prohibits", Reason.BLOCKED, ANY_HOST, _RFC3463),
    words("rejected|denied|blocked|refused|accepted|prohibited|reject|violates|violation|due|"
          "because|prohibition|prohibited ~ policy|policies|security policy|administrative|"
          "administratively|organizational", Reason.BLOCKED, "Mimecast", _MIMECAST),
    words("administrative prohibition|administratively|prohibited by administrator",
          Reason.BLOCKED, "Exim", _EXIM),
    words("relay|relaying|relayed|relays|rcpthosts", Reason.BLOCKED, ANY_HOST, _POSTFIX),
    words("relais|relayage|relai|relay verweigert|reenvio|ретрансляц*|пересылк*|中继|中継|"
          "przekazywani*", Reason.BLOCKED, "many languages", _POSTFIX),
    words("temporary|temporarily|transient|try again|retry|again later|try later|come back later|"
          "timed out|timeout|time out|internal error|local error|system error|local problem|"
          "server error|busy|unable to connect|could not connect|connection lost|"
          "connection dropped|lost connection|config error|configuration error|cant create|"
          "could not create|unable to create|connection reset|network error|network unreachable|"
          "no route|out of memory|insufficient system|insufficient resources|system storage|"
          "system resources|service unavailable|service not available|shutting down|maintenance|"
          "at this time|server unavailable|is down|ldap|database",
          Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC5321),
)

VAGUE = (
    _vague("please try|later|expired|delivery time|queue too long|in the queue|queue expired|"
           "5.4.7|max time|maximum time", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    _vague("tls|starttls|ssl|encryption|encrypted|unencrypted|cleartext|secure connection",
           Reason.BLOCKED, ANY_HOST, _RFC8689),
    _vague("mailbox unavailable|mailbox not available|mailbox is unavailable|unavailable mailbox|"
           "account unavailable|user unavailable|recipient unavailable|address unavailable|"
           "mailbox cannot be accessed|mailbox name not allowed|not accepting messages|"
           "not accepting mail", Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    _vague("ip|ips|your server|your network|your domain|your host|bounce attack*|dns mx|"
           "resource record|submit messages|sending addresses",
           Reason.SENDER_BLOCKED, ANY_HOST, _RFC5321),
    _vague("message|mail|email|access|traffic ~ {rejected}", Reason.BLOCKED, ANY_HOST, _RFC5321),
    _vague("deliver mail for", Reason.BLOCKED, "Haraka", _HARAKA),
    _vague("address rejected|recipient rejected|recipients rejected|recipient refused|"
           "recipient not accepted|recipient denied|user rejected|rejected recipient|"
           "recipient not ok|recipient address rejected",
           Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    # Of what these words speak, a mailbox that does not exist is no cause.
    _vague("overload*|load|resources|backend|migration|migrated|being moved|write error|writing|"
           "read error|io error|minutes|resend|lookup failed|permission denied|not stored|"
           "not be stored|not be scanned", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    _vague("quota|storage|overflow|capacity|disk|allotted|space left",
           Reason.MAILBOX_FULL, ANY_HOST, _RFC3463),
    _vague("content|contents|filter|filters|filtered|score|scored|scam|suspicious|html|mime|header|"
           "headers|body|link|links|bayes*|cloudmark|macro|macros|verdict",
           Reason.CONTENT_REJECTED, ANY_HOST, _RFC3463),
    _vague("authentication|signature|impersonation",
           Reason.SENDER_UNAUTHENTICATED, ANY_HOST, _RFC7372),
    _vague("{sender}|return address|envelope|listing|blocking list|country|countries|reputation",
           Reason.SENDER_BLOCKED, ANY_HOST, _RFC3463),
    _vague("quoten|kontingent*|speicherplatz*|stockage|espace disque|spazio|espacio|armazenamento|"
           "квот*|miejsca|容量|空间|空間|opslag*", Reason.MAILBOX_FULL, "many languages", _RFC3463),
    _vague("absender*|expediteur|emetteur|mittente|remitente|remetente|отправител*|nadawc*|差出人|"
           "送信者|送信元|发件人|寄件者|afzender|odesilatel*|gonderen|발신자",
           Reason.SENDER_BLOCKED, "many languages", _RFC3463),
    _vague("politique|securite|richtlinie*|sicherheit*|politica|politicas|sicurezza|seguridad|"
           "seguranca|политик*|безопасност*|polityk*|bezpieczenstw*|ポリシー|セキュリティ|策略|安全|"
           "beleid|guvenlik|bezpecnost*|보안|정책", Reason.BLOCKED, "many languages", _RFC3463),
    _vague("blocked|banned|forbidden|prohibited|policy|policies|rule|rules|by administrator|"
           "permission|authorized|authorised|unauthorized|permitted|security|"
           "delivery is not allowed", Reason.BLOCKED, ANY_HOST, _RFC3463),
)
# fmt: on
