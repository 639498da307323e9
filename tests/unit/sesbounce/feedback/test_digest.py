from hypothesis import given
from hypothesis import strategies as st

from sesbounce.feedback.digest import digest, time_ordered

# As SES writes them: region and time, then the id of the mail.
EARLY = "0100018c1f3a2b00-4a35bd7e-c75a-4c69-b4b5-a4d0b8d1f0aa-000000"
LATE = "0100018c1f3a2b01-0035bd7e-c75a-4c69-b4b5-a4d0b8d1f0aa-000000"


def test_digests_sort_by_the_time_of_their_mails() -> None:
    early = [digest(bytes([n]), EARLY) for n in range(50)]
    late = [digest(bytes([n]), LATE) for n in range(50)]
    assert max(early) < min(late)
    assert len({*early, *late}) == 100


@given(st.binary(), st.none() | st.text() | st.sampled_from([EARLY, EARLY.upper(), EARLY[:16]]))
def test_a_digest_is_64_hex_digits_for_any_mail_id(content: bytes, mail_id: str | None) -> None:
    made = digest(content, mail_id)
    assert len(made) == 64
    assert set(made) <= set("0123456789abcdef")
    assert time_ordered(made, mail_id) == made
    assert (digest(content, None) == made) == (mail_id != EARLY)


def test_contents_of_the_same_time_have_different_digests() -> None:
    assert digest(b"a", EARLY)[:16] == digest(b"b", EARLY)[:16] == EARLY[:16]
    assert digest(b"a", EARLY)[16:] == digest(b"a", LATE)[16:] == digest(b"a", None)[16:]
