"""The log events that docs/worker.md explains are the ones that the worker logs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
PAGE = (ROOT / "docs/worker.md").read_text("utf-8")
SECTION = PAGE.partition("## What it logs")[2].partition("\n## ")[0]
# All of the package that works in a worker or a function.
PACKAGES = ("worker", "outbound", "telemetry", "store", "aws", "lambda_function")
SOURCES = "".join(
    file.read_text("utf-8")
    for package in PACKAGES
    for file in (ROOT / "worker/src/sesbounce" / package).rglob("*.py")
)
CALL = re.compile(r"\blog\.(?:info|warning|error|critical|exception)\(\s*\"([^\"]+)\"")


def test_the_page_explains_the_events_that_the_code_logs_and_no_others() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", SECTION, re.MULTILINE)
    explained = {event for row in rows for event in re.findall(r"`([^`]+)`", row)}
    assert len(explained) > 30
    # The page leaves out what an event says behind its first words.
    logged = {event.partition("%")[0].rstrip(": ") for event in CALL.findall(SOURCES)}
    assert sorted(logged - explained) == []
    assert [event for event in sorted(explained) if f'"{event}' not in SOURCES] == []
