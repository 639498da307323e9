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
