import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sesbounce.telemetry.redaction import redact, redact_all


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("no row for jane@example.com.", "no row for …@example.com."),
        ("Jane <Jane.D+news@Mail.Example.co.uk>, you", "Jane <…@Mail.Example.co.uk>, you"),
        ('"jane doe"@example.com', "…@example.com"),
        ("jörg@müller.example and 李@例え.jp", "…@müller.example and …@例え.jp"),
        ("o'neil@localhost", "…@localhost"),
        ("jane@[192.0.2.1]", "…@[192.0.2.1]"),
        ("jane@a.example,mary@b.example", "…@a.example,…@b.example"),
        ("addresses:jane%40example.com?x=1", "addresses:…%40example.com?x=1"),
        ("a%40jane@example.com", "…%40…@example.com"),
        ("jane%doe@example.com", "…@example.com"),
        ('{"email":"jane@example.com"}', '{"email":"…@example.com"}'),
        (r"line\njane@example.com", r"line\…@example.com"),
        ("postgresql://app:secret@db.example/app", "postgresql://app:…@db.example/app"),
        ("@property, a @ b, 50%40", "@property, a @ b, 50%40"),
        (
            "https://sqs.eu-central-1.amazonaws.com/1/q",
            "https://sqs.eu-central-1.amazonaws.com/1/q",
        ),
        ("", ""),
        # Characters that are no letters: combining marks, zero-width ones, symbols.
        ("नमस्ते@example.com", "…@example.com"),
        ("a\u0301lvaro@example.com", "…@example.com"),
        ("ja\u200bne\u2060@example.com", "…@example.com"),
        ("o\u2019neil\u00ad@example.com", "…@example.com"),
        ("jane\U0001f600@example.com", "…@example.com"),
        ("jane@\u200bexample.com", "…@\u200bexample.com"),
        ("jane@\U0001f48c.example", "…@\U0001f48c.example"),
        ("user@नमस्ते.भारत, user@xn--e1afmkfd.example", "…@नमस्ते.भारत, …@xn--e1afmkfd.example"),
        # Quoted local parts, also with quotes, backslashes and ends of lines in them.
        ('<"a b"@example.com>', "<…@example.com>"),
        (r'"a\"b c"@example.com', "…@example.com"),
        (r'"a\\"@example.com', "…@example.com"),
        ('"a\nb"@example.com', "…@example.com"),
        ('"a@b c"@example.com', "…@example.com"),
        (r'{"text": "to \"a b\"@example.com"}', r'{"text": "to …@example.com"}'),
        (
            "Duplicate entry '\"a b\"@example.com' for key",
            "Duplicate entry '…@example.com' for key",
        ),
        # A comment behind the local part.
        ("jane(at work)@example.com", "…@example.com"),
        # Other ways to write the @.
        ("jane%2540example.com", "…%2540example.com"),
        ("jane\uff20example.com", "…\uff20example.com"),
        ("jane&#64;example.com, mary&#x40;example.com", "…&#64;example.com, …&#x40;example.com"),
        (r"jane\u0040example.com", r"…\u0040example.com"),
    ],
)
def test_the_local_part_is_hidden_and_the_rest_stays(text: str, redacted: str) -> None:
    assert redact(text) == redacted


@given(
    before=st.text(alphabet=" <:,;(\n"),
    local=st.text(alphabet="abcxyzäé0189.+-_'=!/%&", min_size=1).filter(lambda t: "%40" not in t),
    after=st.text(),
)
def test_no_part_of_an_address_is_left_at_any_place(before: str, local: str, after: str) -> None:
    assert redact(f"{before}{local}@example.com {after}").startswith(f"{before}…@example.com ")


@given(st.text(alphabet='a@%40"[. \n'))
def test_redacted_text_does_not_change_when_redacted_twice(text: str) -> None:
    assert redact(redact(text)) == redact(text)


def test_a_long_text_of_one_run_is_read_once() -> None:
    # A search that restarts at each letter of the run would take hours.
    run = "a" * 1_000_000
    assert redact(run) == run
    assert redact(f"{run}@example.com") == "…@example.com"


@pytest.mark.parametrize(
    "piece",
    [
        '"',
        '"\\',
        '"a',
        r'"\a',
        r"\"",
        "(",
        "a(",
        "a(b)",
        '"a"(',
        "%40",
        "a%40",
        "%2540",
        "40",
        "&#0",
    ],
)
def test_no_text_takes_long(piece: str) -> None:
    text = piece * 100_000
    began = time.process_time()
    redact(text)
    # A quadratic search would take minutes.
    assert time.process_time() - began < 5


def test_nested_values_are_redacted() -> None:
    class Odd:
        def __repr__(self) -> str:
            return "Odd(jane@example.com)"

    assert redact_all(
        {
            "jane@a.example": [("jane@b.example", 1), {"x": None}],
            "error": ValueError("jane@c.example"),
            "odd": Odd(),
            "bytes": b"jane@d.example",
            "numbers": (1, 2.5, True),
        }
    ) == {
        "…@a.example": [["…@b.example", 1], {"x": None}],
        "error": "ValueError(…@c.example')",
        "odd": "Odd(…@example.com)",
        "bytes": "…@d.example'",
        "numbers": [1, 2.5, True],
    }
