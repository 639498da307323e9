"""What hosts say about the message, about the way that it took, and about nobody, in English."""

from sesbounce.feedback.claims.claim import ANY_HOST, Claim, Level, words
from sesbounce.feedback.reason import Reason

_POSTFIX = "https://www.postfix.org/access.5.html"
_RFC3463 = "https://www.rfc-editor.org/rfc/rfc3463#section-3"
_RFC5321 = "https://www.rfc-editor.org/rfc/rfc5321#section-4.2.2"


def _vague(match: str, reason: Reason, host: str, source: str) -> Claim:
    return Claim(Level.VAGUE_WORDS, match, reason, host, source, clear=False)


# fmt: off
MESSAGE = (
    words("virus|viruses|malware|trojan|infected|phish*|spam*|antispam|quarantine*|"
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
    words("relay|relaying|relayed|relays|rcpthosts", Reason.BLOCKED, ANY_HOST, _POSTFIX),
    words("relais|relayage|relai|relay verweigert|reenvio|ретрансляц*|пересылк*|中继|中継|"
          "przekazywani*", Reason.BLOCKED, "many languages", _POSTFIX),
    words("temporary|temporarily|transient|try again|retry|again later|try later|come back later|"
          "timed out|timeout|time out|internal error|local error|system error|local problem|"
          "server error|busy|unable to connect|could not connect|connection lost|"
          "connection dropped|lost connection|config error|configuration error|cant create|"
          "could not create|unable to create|connection reset|network error|network unreachable|"
          "no route|out of memory|insufficient system|insufficient resources|system storage|"
          "system resources|service unavailable|service not available|shutting down|maintenance",
          Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC5321),
)

VAGUE = (
    _vague("please try|later|expired|delivery time|queue too long|in the queue|queue expired|"
           "5.4.7|max time|maximum time", Reason.TEMPORARY_FAILURE, ANY_HOST, _RFC3463),
    _vague("mailbox unavailable|mailbox not available|mailbox is unavailable|unavailable mailbox|"
           "account unavailable|user unavailable|recipient unavailable|address unavailable|"
           "mailbox cannot be accessed|mailbox name not allowed|not accepting messages|"
           "not accepting mail", Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
    _vague("ip|ips|your server|your network|your domain|your host|bounce attack*|dns mx|"
           "resource record|submit messages|sending addresses",
           Reason.SENDER_BLOCKED, ANY_HOST, _RFC5321),
    _vague("message|mail|email|access|traffic ~ {rejected}", Reason.BLOCKED, ANY_HOST, _RFC5321),
    _vague("address rejected|recipient rejected|recipients rejected|recipient refused|"
           "recipient not accepted|recipient denied|user rejected|rejected recipient|"
           "recipient not ok|recipient address rejected",
           Reason.NO_SUCH_MAILBOX, ANY_HOST, _RFC5321),
)
# fmt: on
