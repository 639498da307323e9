"""An address has one key, whatever stands around it; and a key is its own key."""

import re

from hypothesis import given
from hypothesis import strategies as st

from sesbounce.feedback import address as module
from sesbounce.feedback.address import parse, without_display_name
from sesbounce.feedback.invisible import without_invisible

invisible = st.text("\ufeff\u200b\u200c\u200d\u2060\u00ad\u200e\u202e\u2066", max_size=2)
blanks = st.text(" \t\u00a0", max_size=2)
around = st.sampled_from(
    """{} <{}> Jane·<{}> {}; {}, {}·(Jane) (Jane)·{} rfc822;·{} RFC822;{} '{}' mailto:{} <mailto:{}>
    "Doe,·Jane"·<{}> {}·(a·(b)) [{}]""".replace("\n", " ").split()
).map(lambda text: text.replace("·", " "))
local = st.from_regex(r"[a-z0-9]([a-z0-9.+_-]{0,10}[a-z0-9])?", fullmatch=True)
domain = st.from_regex(r"[a-z0-9]{1,8}(\.[a-z0-9]{2,8}){1,2}", fullmatch=True)


@given(local, domain, around, around, st.lists(invisible, min_size=3, max_size=3), blanks)
def test_any_two_things_around_an_address_leave_its_key(
    local: str, domain: str, inner: str, outer: str, unseen: list[str], blank: str
) -> None:
    start, middle, end = unseen
    written = f"{start}{local[:1]}{middle}{local[1:]}@{domain}{end}"
    text = f"{blank}{outer.format(inner.format(written))}{blank}"
    assert parse(text).key == f"{local}@{domain}"


@given(st.text())
def test_no_key_holds_an_end_of_line(text: str) -> None:
    # It stands between the keys that PostgreSQL gets in one parameter.
    assert "\n" not in parse(text).key


@given(st.text(max_size=30) | st.from_regex(r"[\s\"'();,<>:a@.-]{1,20}@[\s\"'();,<>:a@.-]{1,20}"))
def test_the_key_of_an_address_is_its_own_key(text: str) -> None:
    address = parse(text)
    assert address.original == text
    if address.parsed:
        assert parse(address.key).key == address.key
        assert parse(without_display_name(text)).key == address.key


@given(st.from_regex(r"a@([a-zü0-9_.:\[\]]|[!-~]){1,12}", fullmatch=True))
def test_the_domain_of_an_address_can_be_looked_up(text: str) -> None:
    address = parse(text)
    _, _, domain = address.key.rpartition("@")
    if address.parsed and not domain.startswith("["):
        assert re.fullmatch(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*", domain)


@given(st.text())
def test_what_is_invisible_goes_at_once(text: str) -> None:
    assert without_invisible(without_invisible(text)) == without_invisible(text)


@given(
    st.from_regex(module._PLAIN, fullmatch=True)
    | st.builds("a@{}.{}".format, st.integers(0, 70).map("d".__mul__), st.just("d" * 3))
    | st.integers(120, 135).map("d.".__mul__).map("a@{}d".format)
    | st.from_regex(r"[A-Za-z._+-]{1,5}@[A-Za-z._-]{1,8}", fullmatch=True)
)
def test_plain_addresses_take_a_shorter_way_to_the_same_key(text: str) -> None:
    assert parse(text) == module._read(text)
