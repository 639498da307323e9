"""Asks a running worker for its health, as health checks do."""

import http.client
import json
import sys
from collections.abc import Callable

# The real limits are minutes. Tests that wait for minutes would not show more; a busy machine must
# not exceed them while all is well.
HURRIED = (
    sys.executable,
    "-c",
    "from sesbounce import cli\n"
    "from sesbounce.telemetry import health\n"
    "from sesbounce.worker import loop\n"
    "health.POLL_GRACE_SECONDS = health.COMMIT_GRACE_SECONDS = 15.0\n"
    "health.SWEEP_EVERY_SECONDS = loop._SWEEP_SECONDS = 1.0\n"
    "cli.main(['run'])",
)


def faults(port: int) -> list[str] | None:
    """The faults that the worker reports; None where nothing answers on the port."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        faults: list[str] = json.load(answer)["faults"]
        assert answer.status == (503 if faults else 200)
        return faults
    except OSError:
        return None
    finally:
        connection.close()


def red(port: int, words: str) -> Callable[[], bool]:
    """A condition: one of the worker's faults holds these words."""
    return lambda: any(words in fault for fault in faults(port) or [])


def green(port: int) -> Callable[[], bool]:
    """A condition: the worker reports no fault."""
    return lambda: faults(port) == []
