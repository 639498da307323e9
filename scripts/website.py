"""Builds the site of the documents; shows it as well with `--serve`.

    python -m scripts.website
    python -m scripts.website --serve

The site is made of the Markdown pages as they lie in this checkout, so that a relative link leads
to the same place there and on a code host. `docs/zensical.toml` says how it looks, and lists the
pages of its navigation. A link to a page or an anchor that does not exist is an error, and so is a
page that is not in the navigation.
"""

import argparse
import re
import shutil
import subprocess
import sys
import tomllib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from scripts import ScriptError
from scripts.setup.uv import ROOT
from scripts.setup.venvs import Venv, ensure

FOLDER = ROOT / ".local" / "docs"
"""Holds `pages`, links to what the site is made of, and `site`, the result."""

CONFIGURATION = ROOT / "docs" / "zensical.toml"
_SOURCES = (
    "*.md",
    "LICENSE",
    "docs/**/*.md",
    "docs/**/*.svg",
    "docs/**/*.png",
    "docs/**/*.css",
    "terraform/*.example",
    "terraform/*/README.md",
    "terraform/*/*/README.md",
)


_PORT = 8000
_ESCAPES = re.compile(r"\x1b\[[\d;]*m")
_WARNING = re.compile(r"Warning: (?P<what>.+)\n.*\[ (?P<place>\S+:\d+:\d+) \]")


class NavigationError(ScriptError):
    """The navigation lacks pages, or names pages that do not exist or are in it already."""


class ServerError(ScriptError):
    """The site can't be shown."""


class WebsiteError(ScriptError):
    """The generator has found broken links, or failed otherwise."""

    def __init__(self, output: str) -> None:
        """Take the places and the faults out of the generator's output, else all of it."""
        text = _ESCAPES.sub("", output).strip()
        found = [f"{warning['place']}: {warning['what']}" for warning in _WARNING.finditer(text)]
        super().__init__("\n".join([f"{len(found)} broken links", *found]) if found else text)


def sources() -> list[Path]:
    """Return the files that the site is made of, each by its path below the checkout."""
    found = {file.relative_to(ROOT) for pattern in _SOURCES for file in ROOT.glob(pattern)}
    return sorted(found)


def check_navigation(navigation: Any, pages: Collection[str]) -> None:
    """Check that each page is in the navigation once; the generator itself does not.

    Args:
        navigation: `nav` of the configuration: a page, or a list or table of such parts.
        pages: the pages that there are.

    Raises:
        NavigationError: a page is missing, is there twice, or does not exist.
    """
    named = Counter(_pages_in(navigation))
    faults = [f"{page}: add a line for it" for page in pages if page not in named]
    faults += [f"{page}: there is no such page" for page in named if page not in pages]
    faults += [f"{page}: it is there {count} times" for page, count in named.items() if count > 1]
    if faults:
        raise NavigationError("\n".join(["the navigation in docs/zensical.toml:", *sorted(faults)]))


def _pages_in(navigation: Any) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    else:
        parts = navigation.values() if isinstance(navigation, dict) else navigation
        for part in parts:
            yield from _pages_in(part)


def check_pages() -> None:
    """Check that each Markdown page of the site is in its navigation once.

    Raises:
        NavigationError: it is not.
    """
    configuration = tomllib.loads(CONFIGURATION.read_text("utf-8"))
    pages = [str(file) for file in sources() if file.suffix == ".md"]
    check_navigation(configuration["project"]["nav"], pages)


def venv(folder: Path = ROOT / ".local" / "docs-venv") -> Venv:
    """Return the environment that the generator is installed into."""
    return Venv("the generator of the site", folder, ROOT / "requirements-docs.txt")


def program() -> Path:
    """Return the generator, which is installed once for each set of versions."""
    return ensure(venv()).with_name("zensical")


def stage(folder: Path, files: Iterable[Path]) -> None:
    """Empty the folder, and put the configuration and links to these files of the checkout there.

    The configuration is a copy, since the generator takes the folder in which the file really
    lies for the root of the site.

    Args:
        folder: is made if it is missing.
        files: paths below the checkout.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    shutil.copy(CONFIGURATION, folder)
    for file in files:
        link = folder / "pages" / file
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(ROOT / file)


def build(folder: Path) -> Path:
    """Build the site of a staged folder, and return where it lies.

    Raises:
        WebsiteError: a link is broken, or the generator failed.
    """
    command = [str(program()), "build", "--strict", "--config-file", CONFIGURATION.name]
    run = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if run.returncode:
        raise WebsiteError(run.stdout + run.stderr)
    return folder / "site"


def serve(site: Path) -> None:
    """Show the site to browsers of this machine until Ctrl-C; another build renews it.

    Raises:
        ServerError: the port is in use.
    """
    handler = partial(SimpleHTTPRequestHandler, directory=str(site))
    try:
        server = ThreadingHTTPServer(("127.0.0.1", _PORT), handler)
    except OSError as error:
        raise ServerError(f"can't use port {_PORT}: {error.strerror}. End what uses it") from error
    with server, suppress(KeyboardInterrupt):
        print(f"http://localhost:{_PORT} shows it until Ctrl-C.", flush=True)
        server.serve_forever()


def main(arguments: Sequence[str] | None = None) -> None:
    """Build the site, and show it if the arguments say so."""
    parser = argparse.ArgumentParser(prog="python -m scripts.website", description=__doc__)
    parser.add_argument("--serve", action="store_true", help=f"show it at http://localhost:{_PORT}")
    options = parser.parse_args(arguments)
    try:
        check_pages()
        stage(FOLDER, sources())
        site = build(FOLDER)
        print(f"The site begins with {site.relative_to(ROOT)}/index.html.", flush=True)
        if options.serve:
            serve(site)
    except ScriptError as error:
        sys.exit(f"website: {error}")


if __name__ == "__main__":
    main()
