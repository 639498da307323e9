"""Opens the console on made-up data of ninety days: nothing but Python is needed.

The data is in an SQLite file inside the checkout, and is made once. No worker runs beside it, and
nothing is sent to anybody. Ctrl-C ends the server.
"""

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import webbrowser
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from rich.console import Console

from scripts import ScriptError
from scripts.local import console_data
from scripts.ports import LOOPBACK, free_port
from sesbounce.errors import SesBounceError
from sesbounce.settings import PREFIX

CHECKOUT = Path(__file__).resolve().parents[2]
DATABASE = CHECKOUT / ".local" / "console" / "sesbounce.sqlite3"
_STARTS_WITHIN_SECONDS = 60.0
_WORKER_WRITES_SECONDS = 60.0
# These say that a person looks at a screen of this machine; macOS needs none.
_DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")

console = Console(highlight=False)


class ConsoleError(ScriptError):
    """The console did not start."""


def ensure_data(database: Path, *, fresh: bool = False) -> None:
    """Make the data where there is none.

    Args:
        database: the SQLite file; it is complete, or not there at all.
        fresh: whether to make the data once more, so that it ends now.

    Raises:
        StoreError: the database can't be used.
    """
    if database.exists() and not fresh:
        console.print(
            "The data was made before; ARGS=--fresh makes it once more, so that it ends now."
        )
        return
    console.print("Making the data of ninety days, which takes some seconds …")
    database.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    for file in database.parent.glob(f"{database.name}*"):
        file.unlink()
    unfinished = database.with_name(f"{database.name}.new")
    events = console_data.make(f"sqlite:///{unfinished}", datetime.now(UTC))
    unfinished.rename(database)
    console.print(f"{events} events are recorded.")


@contextmanager
def served(
    database: Path,
    environment: Mapping[str, str],
    log: IO[bytes] | None = None,
    queue_url: str | None = None,
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Run `sesbounce serve --console` on a free port; gives the URL of the server and its process.

    Args:
        database: the SQLite file with the data.
        environment: the variables; those with sesbounce's prefix do not count.
        log: where the server writes its log; None for the standard error of this process.
        queue_url: the queue whose dead letters the console shows; None for none.

    Raises:
        ConsoleError: the server does not start.
    """
    port = free_port()
    url = f"sqlite:///{database}"
    console_data.keep_worker(url, datetime.now(UTC))
    settings = {
        **console_data.SETTINGS,
        "database_url": url,
        "serve_port": port,
        "queue_url": queue_url or "",
    }
    variables = {f"{PREFIX}{name.upper()}": str(value) for name, value in settings.items()}
    command = [str(Path(sys.executable).with_name("sesbounce")), "serve", "--console"]
    # Ctrl-C is for this process, which ends the server by one signal: a second one would hurry it.
    process = subprocess.Popen(
        command,
        env={**_without_ours(environment), **variables},
        stderr=log,
        start_new_session=True,
    )
    try:
        _wait_for(process, port)
        yield f"http://{LOOPBACK}:{port}", process
    finally:
        process.terminate()
        process.wait()


def run(database: Path, *, fresh: bool) -> None:
    """Make the data, serve the console, and wait until a person ends it."""
    ensure_data(database, fresh=fresh)
    with served(database, os.environ) as (url, process):
        console.print(f"\nThe console is at [bold]{url}/console[/bold]. Look these addresses up:")
        for address, why in console_data.LOOK_UP.items():
            console.print(f"  {address:<24} {why}", markup=False, soft_wrap=True)
        console.print("Ctrl-C ends it. The data is made up; nothing is sent to anybody.\n")
        if has_screen(os.environ):
            webbrowser.open(f"{url}/console")
        _wait_for_end(process, f"sqlite:///{database}")


def _wait_for_end(process: subprocess.Popen[bytes], url: str) -> None:
    """Wait until the server ends, and let the made-up worker write its row meanwhile.

    Raises:
        ConsoleError: the server has failed.
    """
    while process.poll() is None:
        console_data.keep_worker(url, datetime.now(UTC))
        with suppress(subprocess.TimeoutExpired):
            process.wait(_WORKER_WRITES_SECONDS)
    if process.returncode:
        raise ConsoleError("the server has ended; its log is above")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m scripts.local.console", description=__doc__)
    parser.add_argument(
        "--fresh", action="store_true", help="make the data once more, so that it ends now"
    )
    options = parser.parse_args(arguments)
    # The settings of another database do not fit the data.
    for name in set(os.environ) - set(_without_ours(os.environ)):
        del os.environ[name]
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        run(DATABASE, fresh=options.fresh)
    except (ScriptError, SesBounceError) as error:
        console.print(f"console: {error}", style="red", markup=False)
        return 1
    except KeyboardInterrupt:
        console.print("The console has ended.")
    return 0


def _without_ours(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if not name.startswith(PREFIX)}


def _wait_for(process: subprocess.Popen[bytes], port: int) -> None:
    ends_at = time.monotonic() + _STARTS_WITHIN_SECONDS
    while time.monotonic() < ends_at and process.poll() is None:
        try:
            socket.create_connection((LOOPBACK, port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise ConsoleError(
        "the server does not start; its log is above. ARGS=--fresh makes the data once more"
    )


def has_screen(environment: Mapping[str, str]) -> bool:
    """Whether a browser can be opened for a person."""
    if environment.get("CI"):
        return False
    return sys.platform == "darwin" or any(environment.get(name) for name in _DISPLAYS)


if __name__ == "__main__":
    sys.exit(main())
