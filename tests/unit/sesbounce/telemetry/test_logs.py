import io
import json
import logging
import sys
import warnings
from typing import Any

import pytest
import structlog

from sesbounce.telemetry.logs import set_up_logs


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Any:
    """Returns the log lines since the last call, decoded."""

    def read() -> list[dict[str, Any]]:
        captured = capsys.readouterr()
        assert captured.out == ""
        return [json.loads(line) for line in captured.err.splitlines()]

    return read


def test_an_event_is_one_line_of_json(lines: Any) -> None:
    set_up_logs("auto")
    structlog.get_logger().info("batch", received=10, kinds={"bounce": 2})
    (line,) = lines()
    timestamp = line.pop("timestamp")
    assert timestamp.endswith("Z")
    assert line == {"event": "batch", "level": "info", "received": 10, "kinds": {"bounce": 2}}


def test_addresses_are_redacted_at_any_depth(lines: Any) -> None:
    set_up_logs("json")
    structlog.get_logger("x").warning(
        "message not recorded: Jörg@example.com",
        problem=ValueError("jane@example.com"),
        all=["m@e.org"],
    )
    (line,) = lines()
    assert line["event"] == "message not recorded: …@example.com"
    assert line["problem"] == "ValueError(…@example.com')"
    assert line["all"] == ["…@e.org"]


def test_addresses_in_a_traceback_are_redacted(lines: Any) -> None:
    set_up_logs("json")
    try:
        int("jane@example.com")
    except ValueError:
        structlog.get_logger().exception("failed")
    (line,) = lines()
    assert line["exception"].startswith("Traceback")
    assert "…@example.com" in line["exception"].splitlines()[-1]
    assert "jane" not in line["exception"]


def test_redaction_can_be_switched_off(lines: Any) -> None:
    set_up_logs("json", redact=False)
    structlog.get_logger().info("to jane@example.com")
    assert lines()[0]["event"] == "to jane@example.com"


def test_other_libraries_log_in_the_same_format(lines: Any) -> None:
    set_up_logs("json")
    logging.getLogger("botocore.retries").warning("retry %d of %s", 2, "jane%40example.com")
    (line,) = lines()
    del line["timestamp"]
    assert line == {
        "event": "retry 2 of …%40example.com",
        "level": "warning",
        "logger": "botocore.retries",
    }


def test_info_and_debug_of_libraries_are_left_out(lines: Any) -> None:
    set_up_logs("json")
    logging.getLogger("alembic.runtime.migration").info("Context impl SQLiteImpl.")
    structlog.get_logger("sesbounce.store.store").debug("detail")
    assert lines() == []


def test_warnings_are_log_lines(lines: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        set_up_logs("json")
        warnings.warn("deprecated by jane@example.com", stacklevel=1)
        logging.captureWarnings(capture=False)
    (line,) = lines()
    assert line["logger"] == "py.warnings"
    assert "deprecated by …@example.com" in line["event"]


def test_an_error_of_another_library_keeps_its_traceback(lines: Any) -> None:
    set_up_logs("json")
    try:
        int("no")
    except ValueError:
        logging.getLogger("urllib3").exception("failed")
    (line,) = lines()
    assert line["exception"].splitlines()[-1].startswith("ValueError: ")


@pytest.mark.parametrize("log_format", ["auto", "text"])
def test_people_get_colours_on_a_terminal(monkeypatch: pytest.MonkeyPatch, log_format: Any) -> None:
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    set_up_logs(log_format)
    structlog.get_logger().info("batch", received=10)
    logging.getLogger("botocore").warning("careful")
    ours, theirs = terminal.getvalue().splitlines()
    assert "\x1b[" in ours
    assert "batch" in ours
    assert "\x1b[" in theirs
    assert "careful" in theirs


def test_text_that_is_no_terminal_has_no_colours(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logs("text")
    structlog.get_logger().info("batch", to="jane@example.com")
    text = capsys.readouterr().err
    assert "\x1b[" not in text
    assert "to=…@example.com" in text


def test_a_second_setup_does_not_double_the_lines(lines: Any) -> None:
    set_up_logs("json")
    set_up_logs("json")
    structlog.get_logger().info("once")
    logging.getLogger("botocore").warning("once")
    assert len(lines()) == 2


HOSTILE = "\x1b[2J\r\nforged\x9b31m\u2028\u2029\u202e\x7f"


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_field_acts_on_a_terminal_or_begins_a_line(
    capsys: pytest.CaptureFixture[str], log_format: Any
) -> None:
    set_up_logs(log_format)
    structlog.get_logger().warning(HOSTILE, problem=HOSTILE, all=[HOSTILE], **{HOSTILE: 1})
    logging.getLogger("urllib3").error(HOSTILE)
    text = capsys.readouterr().err
    assert len(text.splitlines()) == 2
    assert text.replace("\n", "").isprintable()
    if log_format == "json":
        line = json.loads(text.splitlines()[0])
        assert (line["event"], line["problem"], line["all"]) == (HOSTILE, HOSTILE, [HOSTILE])


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_field_is_longer_than_a_kilobyte(
    capsys: pytest.CaptureFixture[str], log_format: Any
) -> None:
    set_up_logs(log_format)
    structlog.get_logger().warning(
        "x" * 5000,
        short="kept",
        problem="é" * 5000,
        all=["z"] * 5000,
        nested={"k": "v" * 5000},
        control="\x9b" * 5000,
    )
    text = capsys.readouterr().err
    assert "kept" in text
    # The quotes of a list are escaped once more.
    assert len(text.encode()) < 5 * 1000 + 1000
    if log_format == "json":
        line = json.loads(text)
        assert all(len(str(value).encode()) <= 1000 for value in line.values())
        assert line["problem"].endswith("é…")


def test_of_a_long_traceback_the_end_is_kept(lines: Any) -> None:
    set_up_logs("json")
    try:
        dict[str, int]()["x" * 3000 + " the end"]
    except KeyError:
        structlog.get_logger().exception("failed")
    (line,) = lines()
    assert len(line["exception"].encode()) <= 1000
    assert line["exception"].startswith("…")
    assert line["exception"].endswith("x the end'")


def test_a_long_address_is_redacted_before_it_is_cut(lines: Any) -> None:
    set_up_logs("json")
    structlog.get_logger().warning("x", problem=f"{'y' * 980} {'jane' * 20}@example.com")
    (line,) = lines()
    assert "jane" not in line["problem"]
