"""The log events that docs/worker.md explains are the ones that the worker logs."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[4]
SECTION = (
    (ROOT / "docs/worker.md").read_text().partition("## What it logs")[2].partition("\n## ")[0]
)
PACKAGE = ROOT / "worker/src/sesbounce"
SOURCES = "".join(
    file.read_text() for file in (*PACKAGE.glob("worker/*.py"), PACKAGE / "aws/sqs_direct.py")
)


def test_the_page_explains_the_events_that_the_code_logs_and_no_others() -> None:
    rows = re.findall(r"^\| (`[^|]+) \|", SECTION, re.MULTILINE)
    explained = {event for row in rows for event in re.findall(r"`([^`]+)`", row)}
    assert len(explained) > 15
    assert [event for event in explained if f'"{event}"' not in SOURCES] == []
    logged = set(re.findall(r'log\.\w+\(\s*"([^"]+)"', SOURCES))
    assert logged - explained == set()
