"""Takes the pictures of docs/console.md: the console on the data of `make console`, in Chromium.

The data is made once more, so that its times are recent; the addresses in it are made up.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright

from scripts import ScriptError
from scripts.local import console_aws
from scripts.local.console import CHECKOUT, ensure_data, served
from sesbounce.opening import disposed
from sesbounce.store import tokens
from sesbounce.store.engine import open_database
from sesbounce.store.tokens import Scope, Token

DOCS = CHECKOUT / "docs"
MOST_BYTES = 100_000
_SIZE = ViewportSize(width=900, height=560)
# Down to the workers.
_OVERVIEW_SIZE = ViewportSize(width=900, height=820)
_LETTERS_SIZE = ViewportSize(width=900, height=622)
_DOCTOR_SIZE = ViewportSize(width=900, height=600)
_SCOPES = (Scope.CHECK, Scope.READ, Scope.DECIDE, Scope.EXPORT)
_ADDRESS = "member-1@gmail.com"
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")


class ScreenshotError(ScriptError):
    """A picture can't be taken, or is too large."""


def take(folder: Path) -> list[Path]:
    """Take all pictures; returns their files.

    Raises:
        ScreenshotError: Chromium is missing, or a picture is too large.
        ScriptError: the server does not start.
    """
    chromium = shutil.which("chromium")
    if chromium is None:
        raise ScreenshotError("chromium is not on PATH (Debian: apt-get install chromium)")
    with (
        tempfile.TemporaryDirectory() as temporary,
        console_aws.running() as (environment, queue_url),
        sync_playwright() as playwright,
    ):
        database = Path(temporary) / "console" / "sesbounce.sqlite3"
        ensure_data(database)
        token = _make_token(database)
        # Letters of grey alone make small pictures. The sandbox does not work for root.
        arguments = ["--disable-lcd-text", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
        with (
            served(database, environment, queue_url=queue_url) as (url, _),
            playwright.chromium.launch(executable_path=chromium, args=arguments) as browser,
        ):
            return [
                file for scheme in _SCHEMES for file in _take(browser, url, token, scheme, folder)
            ]


def _make_token(database: Path) -> str:
    now = datetime.now(UTC)
    made = Token(name="mary", scopes=_SCOPES, created_at=now, created_by="ann")
    with disposed(open_database(f"sqlite:///{database}")) as engine:
        return tokens.create(engine, made)


def _take(
    browser: Browser, url: str, token: str, scheme: Literal["light", "dark"], folder: Path
) -> Iterator[Path]:
    """Take the pictures in one colour scheme."""
    with _logged_in(browser, url, token, scheme) as page:
        page.fill("#address", _ADDRESS)
        page.click("button.primary")
        page.wait_for_selector(".verdict")
        page.locator("summary").first.click()
        yield _save(page, folder / f"console-address-{scheme}.png")
        page.goto("/console/suppressions")
        yield _save(page, folder / f"console-suppressions-{scheme}.png")
        page.set_viewport_size(_OVERVIEW_SIZE)
        page.goto("/console/overview")
        yield _save(page, folder / f"console-overview-{scheme}.png")
        page.set_viewport_size(_LETTERS_SIZE)
        page.goto("/console/dead-letters")
        page.click("button.primary")
        page.wait_for_selector(".list")
        yield _save(page, folder / f"console-dead-letters-{scheme}.png")
        page.goto("/console/doctor")
        page.click("main button.primary")
        while page.locator("main [role=status]").count():  # the examination goes on
            page.reload()
        # From the numbers down to the first checks that are ok.
        page.evaluate("scrollTo(0, document.querySelector('.totals').offsetTop - 16)")
        page.set_viewport_size(_DOCTOR_SIZE)
        yield _save(page, folder / f"console-doctor-{scheme}.png")


@contextmanager
def _logged_in(
    browser: Browser, url: str, token: str, scheme: Literal["light", "dark"]
) -> Iterator[Page]:
    with browser.new_context(
        base_url=url, viewport=_SIZE, color_scheme=scheme, locale="en", timezone_id="UTC"
    ) as context:
        page = context.new_page()
        page.goto("/console/login")
        page.fill("#token", token)
        page.click("button.primary")
        page.wait_for_url("**/console")
        yield page


def _save(page: Page, file: Path) -> Path:
    picture = page.screenshot()
    if len(picture) > MOST_BYTES:
        raise ScreenshotError(f"{file.name} has {len(picture)} bytes, more than {MOST_BYTES}")
    file.write_bytes(picture)
    return file


def main() -> int:
    """Run the command line; returns the exit code."""
    try:
        for file in take(DOCS):
            print(f"{file.relative_to(CHECKOUT)}: {file.stat().st_size} bytes")
    except ScriptError as error:
        print(f"screenshots: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
