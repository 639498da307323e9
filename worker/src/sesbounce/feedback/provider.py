"""Names the mailbox provider that receives the mail of an address.

An outage of a provider concerns all of its domains: `gmail.com` as much as `googlemail.com`, and
the domains of companies whose mail it hosts, which only its replies show.
"""

from collections.abc import Mapping

from sesbounce.feedback.address import parse

# The domains of large providers.
_DOMAINS: Mapping[str, tuple[str, ...]] = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": (
        *("outlook.com", "hotmail.com", "live.com", "msn.com", "passport.com", "windowslive.com"),
        *("hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it", "hotmail.es", "hotmail.co.jp"),
        *("live.co.uk", "live.fr", "live.de", "live.it", "live.nl", "live.jp", "live.ca"),
        *("outlook.fr", "outlook.de", "outlook.it", "outlook.es", "outlook.jp", "outlook.com.br"),
    ),
    "yahoo": (
        *("yahoo.com", "ymail.com", "rocketmail.com", "aol.com", "aim.com", "myyahoo.com"),
        *("yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in"),
        *("yahoo.co.in", "yahoo.com.br", "yahoo.com.ar", "yahoo.com.mx", "yahoo.com.au"),
        *("verizon.net", "att.net", "sbcglobal.net", "bellsouth.net"),
    ),
    "yahoo-japan": ("yahoo.co.jp", "ybb.ne.jp"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "proton": ("proton.me", "protonmail.com", "pm.me"),
    "united-internet": ("gmx.de", "gmx.net", "gmx.at", "gmx.ch", "gmx.com", "web.de", "mail.com"),
    "orange": ("orange.fr", "wanadoo.fr"),
    "mail.ru": ("mail.ru", "bk.ru", "inbox.ru", "list.ru", "internet.ru"),
    "yandex": ("yandex.ru", "yandex.com", "ya.ru"),
    "netease": ("163.com", "126.com", "yeah.net"),
    "tencent": ("qq.com", "foxmail.com"),
    "docomo": ("docomo.ne.jp",),
    "kddi": ("ezweb.ne.jp", "au.com"),
    "softbank": ("softbank.ne.jp", "i.softbank.jp", "vodafone.ne.jp"),
    "comcast": ("comcast.net", "xfinity.com"),
    "telekom": ("t-online.de", "magenta.de"),
    "freenet": ("freenet.de",),
    "free": ("free.fr", "aliceadsl.fr"),
    "sfr": ("sfr.fr", "neuf.fr", "cegetel.net", "club-internet.fr"),
    "laposte": ("laposte.net",),
    "libero": ("libero.it", "virgilio.it", "inwind.it", "iol.it"),
    "tim": ("tim.it", "alice.it", "tin.it"),
    "uol": ("uol.com.br", "bol.com.br"),
    "terra": ("terra.com.br",),
    "wirtualna-polska": ("wp.pl", "o2.pl"),
    "onet": ("onet.pl", "op.pl", "poczta.onet.pl"),
    "interia": ("interia.pl", "interia.eu"),
    "seznam": ("seznam.cz", "email.cz"),
    "naver": ("naver.com",),
    "daum": ("daum.net", "hanmail.net"),
    "rediff": ("rediffmail.com",),
    "charter": ("charter.net", "spectrum.net", "rr.com"),
    "cox": ("cox.net",),
    "btinternet": ("btinternet.com", "btopenworld.com"),
    "virgin": ("virginmedia.com", "ntlworld.com"),
    "sky": ("sky.com",),
    "bigpond": ("bigpond.com", "bigpond.net.au"),
    "ziggo": ("ziggo.nl", "home.nl", "upcmail.nl"),
    "bluewin": ("bluewin.ch",),
    "telenet": ("telenet.be",),
    "rambler": ("rambler.ru",),
}
_BY_DOMAIN = {domain: name for name, domains in _DOMAINS.items() for domain in domains}

# What the replies of the providers that host other domains hold, in lower case.
_IN_REPLIES = (
    (" gsmtp", "google"),
    ("support.google.com/mail", "google"),
    (".protection.outlook.com", "microsoft"),
    (".prod.outlook.com", "microsoft"),
    (".yahoodns.net", "yahoo"),
)
# Their deliveries are counted by hour; there are too many other domains.
PROVIDERS = frozenset(_DOMAINS)
# https://docs.aws.amazon.com/ses/latest/dg/send-an-email-from-console.html
SIMULATOR = "simulator.amazonses.com"
# Stands for all other domains, where numbers are kept by provider.
OTHER = "other"
_LONGEST = 4000


def provider_of(address: str) -> str:
    """The provider of an address: its name, or the domain itself where it has no other.

    Args:
        address: the key of an address, or a domain. A text without `@` counts as a domain.
    """
    domain = address.rpartition("@")[2]
    return _BY_DOMAIN.get(domain, domain)


def large_provider_of(address: str) -> str:
    """The provider of an address: one of `PROVIDERS`, `OTHER`, or `SIMULATOR`.

    Args:
        address: the key of an address; a forgotten one has no provider that is known.
    """
    domain = address.rpartition("@")[2]
    return _BY_DOMAIN.get(domain) or (SIMULATOR if domain == SIMULATOR else OTHER)


def provider_named(text: str) -> str | None:
    """The provider that a person names by its name or a domain; None if it is neither.

    Args:
        text: `google`, `gmail.com`, `@Gmail.com`, or the domain of a host that has no name here.
    """
    word = text.strip().lower()
    if word in PROVIDERS:
        return word
    address = parse(f"x@{word.removeprefix('@')}")
    local, _, domain = address.key.partition("@")
    is_domain = address.parsed and local == "x" and "." in domain and "@" not in domain
    return domain if is_domain else None


def provider_in(reply: str | None) -> str:
    """The provider that wrote a reply, of those that host others' domains; empty if unknown."""
    if not reply:
        return ""
    text = reply[:_LONGEST].lower()
    for mark, name in _IN_REPLIES:
        if mark in text:
            return name
    return ""
