import time

import pytest

from sesbounce.feedback.address import MAX_LENGTH, Address, parse


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("jane@example.com", "jane@example.com"),
        ("Jane.Doe@EXAMPLE.Com", "jane.doe@example.com"),
        ("Jane Doe <Jane@Example.com>", "jane@example.com"),
        ('"Doe, Jane" <jane@example.com>', "jane@example.com"),
        ("Doe, Jane (home) <jane@example.com>", "jane@example.com"),
        ("<jane@example.com>", "jane@example.com"),
        ("  jane@example.com \r\n", "jane@example.com"),
        ("jane@example.com.", "jane@example.com"),
        ("jane+tag.x@gmail.com", "jane+tag.x@gmail.com"),
        ("jane@bücher.example", "jane@xn--bcher-kva.example"),
        ("jane@xn--bcher-kva.example", "jane@xn--bcher-kva.example"),
        ("jane@bücher.example.", "jane@xn--bcher-kva.example"),
        ("jane@bücher.example。", "jane@xn--bcher-kva.example"),
        ("jane@BÜCHER.example", "jane@xn--bcher-kva.example"),
        ("Jösé@example.com", "jösé@example.com"),
        ("jo\u0301@example.com", "jó@example.com"),
        # Needless quotes make no difference (RFC 5321, 4.1.2).
        ('"Jane.Doe"@example.com', "jane.doe@example.com"),
        ('"jane doe"@example.com', '"jane doe"@example.com'),
        ('"jane@home"@example.com', '"jane@home"@example.com'),
        # Against the RFC, and in use at Japanese carriers for decades.
        ("jane..doe.@docomo.ne.jp", "jane..doe.@docomo.ne.jp"),
        ("jane@under_score.example.com", "jane@under_score.example.com"),
        ("jane@[192.0.2.1]", "jane@[192.0.2.1]"),
        ("jane@[IPv6:2001:db8::1]", "jane@[ipv6:2001:db8::1]"),
        ("postmaster@localhost", "postmaster@localhost"),
        ("jane @ example.com", "jane@example.com"),
        ("<@relay.example,@other.example:jane@example.com>", "jane@example.com"),
        # The joiners have a meaning between letters of some scripts.
        ("नम\u200dस्ते@example.com", "नम\u200dस्ते@example.com"),
    ],
)
def test_all_spellings_of_an_address_have_one_key(text: str, key: str) -> None:
    assert parse(text) == Address(key, text, parsed=True)
    assert parse(key).key == key


@pytest.mark.parametrize(
    "text",
    [
        *(
            text
            for character in (
                "\ufeff\u200b\u200c\u200d\u2060\u00ad\u200e\u200f\u202a\u202c\u202e\u2066\u2069\u061c"
                "\u034f\u180e\u3164\u115f\ufe0f\U000e0001\U000e0041\u2800"
            )
            for text in (
                f"{character}jane@example.com",
                f"jane@example.com{character}",
                f"ja{character}ne@exam{character}ple.com",
                f"Jane <{character}jane@example.com>{character}",
            )
        ),
        *(
            text
            for blank in "\u00a0\u2003\u3000\t\r\n\u2028\0\x1f\x7f\x9d"
            for text in (f"{blank}jane@example.com", f"jane@example.com{blank}")
        ),
        "jane@example.com;",
        "jane@example.com,",
        "jane@example.com.;",
        "jane@example.com :",
        "; jane@example.com",
        "<jane@example.com>;",
        "<jane@example.com>,",
        "<jane@example.com.>",
        "jane@example.com>",
        "<jane@example.com",
        "jane@example.com (Jane)",
        "jane@example.com (Jane (at home) Doe)",
        "jane@example.com(Jane) (Doe)",
        "(Jane) jane@example.com",
        "(Jane) jane@example.com (Doe);",
        "jane(Doe)@example.com",
        "jane@(home)example.com",
        "Jane <jane@example.com> (home)",
        "rfc822;jane@example.com",
        "rfc822; jane@example.com",
        "RFC822 ; <jane@example.com>",
        "rfc822; Jane@Example.com (Jane)",
        "utf-8; jane@example.com",
        "SMTP:jane@example.com",
        "mailto:jane@example.com",
        "MAILTO:jane@example.com?subject=Hello@you",
        "mailto:jane%40example.com",
        "mailto:jane@example.com%E2%80%8B",
        "<mailto:jane@example.com>",
        "jane@example.com<mailto:jane@example.com>",
        "[mailto:jane@example.com]",
        '"jane@example.com"',
        "'jane@example.com'",
        "'jane@example.com';",
        "“jane@example.com”",
        "`jane@example.com`",
        "(jane@example.com)",
        "[jane@example.com]",
        "\ufeffrfc822; <jane@example.com\u200b> (x);\u00a0",
    ],
)
def test_what_stands_around_an_address_is_no_part_of_its_key(text: str) -> None:
    assert parse(text) == Address("jane@example.com", text, parsed=True)


@pytest.mark.parametrize(
    "text",
    [
        '"(jane)"@example.com',
        '"jane;"@example.com',
        '"<jane>"@example.com',
        '"rfc822;jane"@example.com',
        "rfc822@example.com",
        "mailto@example.com",
        "'jane@example.com",
        "o'hara@example.com",
        "{jane}@example.com",
    ],
)
def test_what_is_a_part_of_an_address_stays(text: str) -> None:
    assert parse(text) == Address(text, text, parsed=True)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("", ""),
        ("Postmaster", "postmaster"),
        ("@example.com", "@example.com"),
        ("jane@", "jane@"),
        ("Jane Doe@example.com", "jane doe@example.com"),
        ("a@example.com, b@example.com", "a@example.com, b@example.com"),
        ("jane@exa mple.com", "jane@exa mple.com"),
        ("jane@example..com", "jane@example..com"),
        ("jane@.example.com", "jane@.example.com"),
        ("a@example.com;b@example.com", "a@example.com;b@example.com"),
        ("Jane jane@example.com", "jane jane@example.com"),
        ("()", "()"),
        ("(" * 20 + "jane@example.com" + ")" * 20, "(" * 20 + "jane@example.com" + ")" * 20),
        ("jane\x00@example.com", "jane\ufffd@example.com"),
        ("jane@\u2060\u00ad.example", "jane@\u2060\u00ad.example"),
        ("MAILER-DAEMON <>", "mailer-daemon <>"),
        ("Ann <a@x.org>, Bo <b@x.org>", "ann <a@x.org>, bo <b@x.org>"),
        ("<a@x.org>; <b@x.org>", "<a@x.org>; <b@x.org>"),
        ("a@x.org ,Bo <b@x.org>;", "a@x.org ,bo <b@x.org>;"),
        ('"Ann" <a@x.org>, "b@x.org" <b@x.org>', '"ann" <a@x.org>, "b@x.org" <b@x.org>'),
    ],
)
def test_a_text_that_is_no_address_is_kept_and_flagged(text: str, key: str) -> None:
    assert parse(text) == Address(key, text, parsed=False)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        *(
            (f"Jane <Jane@exam{character}ple.com>", f"jane@exam{character}ple.com")
            for character in "/?#!$%&'*+=^`{|}~"
        ),
        ("jane@example.com/", "jane@example.com/"),
        ("jane@example.com'", "jane@example.com'"),
        ("jane@example.com?subject=x", "jane@example.com?subject=x"),
        ("jane@[192.0.2.1", "jane@[192.0.2.1"),
        ("jane@[]", "jane@[]"),
        ("jane@[example/com]", "jane@[example/com]"),
        (f"Jane@{'d' * 64}.com", f"jane@{'d' * 64}.com"),
        (f"Jane@{'d.' * 126}dd", f"jane@{'d.' * 126}dd"),
    ],
)
def test_a_domain_that_no_host_can_have_is_flagged_and_keeps_its_key(text: str, key: str) -> None:
    """What was recorded about such a text stays under the key that it has."""
    assert parse(text) == Address(key, text, parsed=False)
    assert parse(key).key == key


def test_overlong_texts_are_cut_and_stay_distinct() -> None:
    one, other = (parse("x" * 5000 + end + "@example.com") for end in "ab")
    assert not one.parsed
    assert len(one.key) == len(other.key) == MAX_LENGTH
    assert one.key != other.key
    assert one.original.endswith("a@example.com")


def test_texts_that_are_slow_to_normalise_are_not_normalised() -> None:
    # Quadratic in Unicode's canonical ordering: minutes for the largest message there can be.
    marks = "\u0315\u0300" * 250_000
    assert not parse(marks).parsed


def test_the_longest_address_is_valid() -> None:
    domain = ".".join(["d" * 63] * 3 + ["d" * 61])
    assert parse("l" * 64 + "@" + domain).parsed


@pytest.mark.parametrize(
    "text", ["(" * 998, "()" * 499, "((a)" * 249, "(a" * 499, "<>" * 499, "@a," * 332, "'" * 998]
)
def test_texts_that_would_be_slow_to_unwrap_are_not_unwrapped_to_the_end(text: str) -> None:
    began = time.process_time()
    for _ in range(10):
        assert not parse(text).parsed
    assert time.process_time() - began < 1
