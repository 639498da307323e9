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
    ],
)
def test_all_spellings_of_an_address_have_one_key(text: str, key: str) -> None:
    assert parse(text) == Address(key, text, parsed=True)
    assert parse(key).key == key


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
        ("jane\x00@example.com", "jane\ufffd@example.com"),
        ("jane@\u2060\u00ad.example", "jane@\u2060\u00ad.example"),
        ("MAILER-DAEMON <>", "mailer-daemon <>"),
    ],
)
def test_a_text_that_is_no_address_is_kept_and_flagged(text: str, key: str) -> None:
    assert parse(text) == Address(key, text, parsed=False)


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
