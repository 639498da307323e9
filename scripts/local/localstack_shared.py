"""What all kinds of LocalStack share: where its files lie, its settings, how one is known."""

import json
import time
import urllib.request
from collections.abc import Callable
from http.client import HTTPException
from pathlib import Path
from typing import Literal

from scripts import ScriptError

CHECKOUT = Path(__file__).resolve().parents[2]
ENDPOINT_VARIABLE = "LOCALSTACK_ENDPOINT"
OTHER_WAYS = f"start a Docker engine, or set {ENDPOINT_VARIABLE} to a LocalStack that runs"

_POLL_SECONDS = 0.1
# A LocalStack that many processes use answers late.
_ANSWER_SECONDS = 30.0
_SHOWN_LINES = 15

Kind = Literal["attached", "container", "process"]
Progress = Callable[[str], None]


class LocalStackError(ScriptError):
    """LocalStack can't be had, or has stopped working."""


class Files:
    """Where things lie in a checkout."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.local = self.root / ".local"
        self.run = self.local / "localstack"
        self.data = self.run / "root"
        self.log = self.run / "log"
        self.state = self.run / "state.json"
        # Outside `run`, which goes when LocalStack is stopped.
        self.lock = self.local / "localstack.lock"
        self.venv = self.local / "localstack-venv"


def settings(port: int) -> dict[str, str]:
    """Return the settings of LocalStack's that a process and a container share."""
    return {
        # Else queue URLs are below localhost.localstack.cloud, which needs the public DNS, and
        # the SNS certificate's URL too. "off" gives http://127.0.0.1:port/account/queue.
        "LOCALSTACK_HOST": f"127.0.0.1:{port}",
        "SQS_ENDPOINT_STRATEGY": "off",
        # Nothing goes to or comes from the outside.
        "DISABLE_EVENTS": "1",
        "SKIP_SSL_CERT_DOWNLOAD": "1",
    }


def answers(endpoint: str) -> bool:
    """Whether a LocalStack answers at the endpoint."""
    # No proxy: a system-wide one can't reach our loopback.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"{endpoint}/_localstack/health", timeout=_ANSWER_SECONDS) as response:
            return "services" in json.load(response)
    except (OSError, ValueError, HTTPException):
        return False


def wait(condition: Callable[[], bool], seconds: float) -> bool:
    """Wait until the condition holds, at most so long; return whether it does."""
    end = time.monotonic() + seconds
    while not (holds := condition()) and time.monotonic() < end:
        time.sleep(_POLL_SECONDS)
    return holds


def tail(text: str) -> str:
    """Return the last lines of a log."""
    return "\n".join(text.strip().splitlines()[-_SHOWN_LINES:])
