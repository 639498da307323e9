import pytest

from sesbounce.feedback.phrases import Phrase, Phrases

VOCABULARY = {"mailbox": "user|mail box", "other subject": "sender|host"}


@pytest.mark.parametrize(
    ("phrase", "words", "found"),
    [
        ("no such + user|mailbox", "550 no such user here", "no such … user"),
        ("no such + user|mailbox", "550 no such other user", None),
        ("{mailbox} ~ unknown", "the mail box of jane is unknown", "mail box … unknown"),
        (
            "{mailbox} ~ unknown",
            "user one two three four five six seven eight unknown",
            "user … unknown",
        ),
        ("{mailbox} ~ unknown", "user 1 2 3 4 5 6 7 8 9 unknown", None),
        ("{mailbox} ~ unknown", "user . unknown", None),
        ("{mailbox} ~ unknown", "users unknown", None),
        ("{mailbox} - unknown", "user of sender unknown", None),
        ("{mailbox} - unknown", "user of mine unknown", "user … unknown"),
        ("exist*|full", "it exists", "exists"),
        ("größe", "große", None),
        ("größe", "grosse", "grosse"),
        ("用户 ~ 不存在", "用 户 不 存 在", "用户 … 不存在"),
        ("ユーザー", "ユ ー ザ ー", "ユーザー"),
    ],
)
def test_a_phrase_matches_whole_words(phrase: str, words: str, found: str | None) -> None:
    assert Phrase(phrase, VOCABULARY).find(f" {words} ") == found


def test_the_words_between_are_not_shown() -> None:
    assert Phrase("user ~ unknown", VOCABULARY).find(" user janeroe unknown ") == "user … unknown"


def test_phrases_are_found_in_the_order_of_the_table() -> None:
    table = Phrases(["unknown", "no such", "user ~ unknown", "full"], VOCABULARY)
    assert list(table.find(" no such user unknown ")) == [
        (0, "unknown"),
        (1, "no such"),
        (2, "user … unknown"),
    ]
    assert list(table.find("")) == []
    assert list(Phrases([], VOCABULARY).find(" full ")) == []


def test_an_ending_needs_a_beginning() -> None:
    with pytest.raises(ValueError, match="at least 4 letters"):
        Phrase("duz*", VOCABULARY)
