import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.telemetry.visible import visible, visible_json, visible_lines


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m", r"\x1b[31mred\x1b[0m"),
        ("\x1b]0;title\x07", r"\x1b]0;title\x07"),
        ("a\r\nb\tc\x00", r"a\r\nb\tc\x00"),
        ("\x9b31m\x85\x7f", r"\x9b31m\x85\x7f"),
        ("\u202egnp.exe\u2066\u200f", r"\u202egnp.exe\u2066\u200f"),
        ("ja\u200bne\ufeff\u00ad", r"ja\u200bne\ufeff\xad"),
        ("a\u2028b\u2029", r"a\u2028b\u2029"),
        ("\udc80\ue000\U000e0041", r"\udc80\ue000\U000e0041"),
        ("नमस्ते, Jörg, 李, a\u0301, \xa0, \U0001f600", "नमस्ते, Jörg, 李, a\u0301, \xa0, \U0001f600"),
    ],
)
def test_characters_that_act_are_shown_and_letters_stay(text: str, shown: str) -> None:
    assert visible(text) == shown


def acts(text: str) -> bool:
    return any(unicodedata.category(c) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for c in text)


@given(st.text(alphabet=st.characters()))
def test_no_text_acts(text: str) -> None:
    assert not acts(visible(text))
    assert not acts(visible_lines(text).replace("\n", "").replace("\t", ""))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_json_means_the_same_and_does_not_act(text: str) -> None:
    shown = visible_json(json.dumps({text: [text]}, ensure_ascii=False))
    assert not acts(shown)
    assert json.loads(shown) == {text: [text]}
