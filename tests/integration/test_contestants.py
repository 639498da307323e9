"""The benchmark's contestants that need nothing but boto3 do their work on the stub."""

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.bench.sqs_stub import QUEUE, Counts, counts_of

ROOT = Path(__file__).parents[2]
MESSAGES = 40
PATIENCE_SECONDS = 300


@contextmanager
def module(name: str, **options: Any) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", f"tests.bench.{name}", *options.pop("arguments", ())]
    with subprocess.Popen(command, cwd=ROOT, text=True, **options) as process:
        try:
            yield process
        finally:
            process.terminate()


def wait_until_all_are_deleted(address: str, process: subprocess.Popen[str]) -> Counts:
    late = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < late:
        counts = counts_of(address)
        if counts.deleted >= MESSAGES:
            return counts
        assert process.poll() is None, "it has ended by itself, see above"
        time.sleep(0.05)
    raise AssertionError(counts)


@pytest.mark.parametrize(
    ("name", "deletes", "records"),
    [
        ("tutorial", "DeleteMessage", True),
        ("boto3_threads", "DeleteMessageBatch", True),
        ("null_pump", "DeleteMessageBatch", False),
    ],
)
def test_a_contestant_deletes_all_messages(
    name: str, deletes: str, records: bool, tmp_path: Path
) -> None:
    database = tmp_path / "bench.sqlite3"
    stub = ["--messages", str(MESSAGES), "--delay-ms", "0"]
    with module("sqs_stub", arguments=stub, stdout=subprocess.PIPE) as serving:
        assert serving.stdout
        address = serving.stdout.readline().strip()
        environment = {
            "PATH": os.environ["PATH"],
            "AWS_ENDPOINT_URL": address,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "SESBOUNCE_QUEUE_URL": f"{address}/{QUEUE}",
            "SESBOUNCE_DATABASE_URL": f"sqlite:///{database}",
        }
        with module(f"contestants.{name}", env=environment) as contestant:
            counts = wait_until_all_are_deleted(address, contestant)
    assert counts.deleted == counts.received == MESSAGES
    assert counts.calls[deletes] >= (MESSAGES if deletes == "DeleteMessage" else MESSAGES // 10)
    assert database.exists() is records
    if records:
        with closing(sqlite3.connect(database)) as connection:
            assert connection.execute("SELECT count(*) FROM feedback_event").fetchone() == (40,)
