"""Published payloads of other projects, if a copy of them lies beside the checkout."""

import csv
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(os.environ.get("SES_CORPUS", Path(__file__).parents[2] / "shared" / "corpus"))
MISSING = "no corpus beside the checkout; SES_CORPUS may name its folder"
needs_corpus = pytest.mark.skipif(not FOLDER.is_dir(), reason=MISSING)


def listed(name: str) -> list[dict[str, str]]:
    """The rows of one of its tables; an empty list without a corpus."""
    if not FOLDER.is_dir():
        return []
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def payload(name: str) -> bytes:
    return (FOLDER / "payloads" / name).read_bytes()


def bodies(content: bytes) -> Iterator[str | bytes]:
    """The bodies as SQS would deliver them; records of Lambda and SQS are unpacked first."""
    try:
        payload: Any = json.loads(content)
    except ValueError:
        yield content
        return
    records = payload.get("Records") if isinstance(payload, dict) else None
    if not records:
        yield content
        return
    for record in records:
        yield record["body"] if "body" in record else json.dumps(record["Sns"])


def edge(name: str) -> bytes:
    """A payload at the edge of what can be told, from `EDGE.tsv`."""
    return (FOLDER / "edge" / name).read_bytes()
