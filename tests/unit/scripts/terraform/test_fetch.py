"""The pinned Terraform is fetched from a local server, a small archive that holds a script."""

import hashlib
import io
import os
import socket
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import get_context
from pathlib import Path
from threading import Thread

import pytest

from scripts.terraform import env, fetch
from scripts.terraform.env import BINARY_VARIABLE, TerraformError, terraform_binary
from scripts.terraform.fetch import RELEASES_VARIABLE, VERSION, FetchError, ensure
from tests.ports import LOOPBACK, silent_port

CHECKOUT = Path(fetch.__file__).parents[2]
PLATFORM = "linux_amd64"
PATH = f"/terraform/{VERSION}/terraform_{VERSION}_{PLATFORM}.zip"


def script(version: str) -> str:
    return f"""#!/bin/sh\necho '{{"terraform_version": "{version}"}}'\n"""


def packed(**members: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members_of:
        for name, text in members.items():
            members_of.writestr(name, text)
    return archive.getvalue()


ARCHIVE = packed(LICENSE="of the release", terraform=script(VERSION))


class Releases:
    """HashiCorp's server: the archive, and what was asked for."""

    def __init__(self) -> None:
        self.answers = {PATH: ARCHIVE}
        self.asked: list[str] = []
        self.short_by = 0
        releases = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                releases.asked.append(self.path)
                body = releases.answers.get(self.path)
                if body is None:
                    self.send_error(404)
                    return
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body[: len(body) - releases.short_by])

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.http.server_port}"


@pytest.fixture
def releases() -> Iterator[Releases]:
    made = Releases()
    thread = Thread(target=made.http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    return tmp_path / ".local/bin/terraform"


@pytest.fixture
def base(
    tmp_path: Path, fetched: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> dict[str, str]:
    """A machine without Terraform."""
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY", BINARY_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(env, "FETCHED", fetched)
    monkeypatch.setattr(fetch, "platform_name", lambda: PLATFORM)
    monkeypatch.setitem(fetch.DIGESTS, PLATFORM, hashlib.sha256(ARCHIVE).hexdigest())
    for folder in ("home", "path"):
        (tmp_path / folder).mkdir()
    return {
        "HOME": str(tmp_path / "home"),
        "PATH": str(tmp_path / "path"),
        RELEASES_VARIABLE: f"{releases.address}/terraform",
    }


def install(folder: Path, version: str, name: str = "terraform") -> Path:
    binary = folder / name
    binary.parent.mkdir(parents=True, exist_ok=True)
    binary.write_text(script(version))
    binary.chmod(0o755)
    return binary


def test_a_missing_terraform_is_fetched(
    base: dict[str, str], fetched: Path, releases: Releases, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ensure(base) == fetched
    assert fetched.read_text() == script(VERSION)
    assert stat.S_IMODE(fetched.stat().st_mode) == 0o755
    assert list(fetched.parent.iterdir()) == [fetched]
    assert releases.asked == [PATH]
    assert capfd.readouterr().err == f"terraform: fetching {releases.address}{PATH}\n"


def test_the_scripts_find_the_one_that_was_fetched(base: dict[str, str], fetched: Path) -> None:
    with pytest.raises(TerraformError, match="no terraform on the PATH"):
        terraform_binary(base)
    ensure(base)
    assert terraform_binary(base) == fetched


def test_it_is_fetched_once(base: dict[str, str], releases: Releases) -> None:
    assert ensure(base) == ensure(base)
    assert len(releases.asked) == 1


def test_one_on_the_path_is_used_as_it_is(
    base: dict[str, str], tmp_path: Path, fetched: Path, releases: Releases
) -> None:
    install(fetched.parent, VERSION)
    assert ensure(base) == fetched
    newer = install(tmp_path / "path", "1.14.0")
    assert ensure(base) == newer
    assert releases.asked == []


def test_in_place_of_one_that_is_too_old_the_pinned_one_is_fetched(
    base: dict[str, str], tmp_path: Path, fetched: Path
) -> None:
    install(tmp_path / "path", "1.8.5")
    assert ensure(base) == fetched
    assert terraform_binary(base) == fetched


def test_a_fetched_one_that_has_become_too_old_is_replaced(
    base: dict[str, str], fetched: Path
) -> None:
    install(fetched.parent, "1.10.5")
    assert ensure(base) == fetched
    assert fetched.read_text() == script(VERSION)


def test_the_one_that_is_named_counts_before_all_others(
    base: dict[str, str], tmp_path: Path, fetched: Path, releases: Releases
) -> None:
    install(tmp_path / "path", "1.14.0")
    install(fetched.parent, VERSION)
    mine = install(tmp_path / "mine", "1.12.0", "terraform-1.12")
    assert ensure(base | {BINARY_VARIABLE: str(mine)}) == mine
    on_path = install(tmp_path / "path", "1.13.0", "tf")
    assert ensure(base | {BINARY_VARIABLE: "tf"}) == on_path
    assert releases.asked == []


@pytest.mark.parametrize(
    ("version", "complaint"), [(None, "is no program"), ("1.8.5", r"is Terraform 1\.8\.5; 1\.11")]
)
def test_for_a_named_one_that_does_not_do_no_other_is_taken(
    base: dict[str, str], tmp_path: Path, releases: Releases, version: str | None, complaint: str
) -> None:
    install(tmp_path / "path", "1.14.0")
    mine = tmp_path / "mine/terraform"
    if version:
        install(mine.parent, version)
    with pytest.raises(TerraformError, match=f"{mine} {complaint}"):
        ensure(base | {BINARY_VARIABLE: str(mine)})
    assert releases.asked == []


def assert_nothing_is_left(fetched: Path) -> None:
    assert not fetched.parent.exists() or list(fetched.parent.iterdir()) == []


def test_an_archive_with_another_digest_is_not_unpacked(
    base: dict[str, str], fetched: Path, releases: Releases
) -> None:
    releases.answers[PATH] = packed(terraform=script("6.6.6"))
    expected = hashlib.sha256(ARCHIVE).hexdigest()
    with pytest.raises(FetchError, match=f"its SHA-256 is .*, not {expected}"):
        ensure(base)
    assert_nothing_is_left(fetched)


def test_an_archive_that_is_cut_short_is_not_unpacked(
    base: dict[str, str], fetched: Path, releases: Releases
) -> None:
    releases.short_by = 10
    with pytest.raises(FetchError, match=r"its SHA-256 is|IncompleteRead"):
        ensure(base)
    assert_nothing_is_left(fetched)


def test_an_archive_that_is_too_large_is_given_up(
    base: dict[str, str], fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_BYTES", len(ARCHIVE) - 1)
    with pytest.raises(FetchError, match="it is larger than"):
        ensure(base)
    assert_nothing_is_left(fetched)


def test_an_archive_that_takes_too_long_is_given_up(
    base: dict[str, str], fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_MOST_SECONDS", -1.0)
    with pytest.raises(FetchError, match="it takes longer than"):
        ensure(base)
    assert_nothing_is_left(fetched)


def test_a_server_that_falls_silent_is_given_up(
    base: dict[str, str], fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "_SILENCE_SECONDS", 0.1)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(FetchError, match="timed out"):
            ensure(base | {RELEASES_VARIABLE: url})
    assert_nothing_is_left(fetched)


def test_a_release_that_is_not_there_says_what_to_do(
    base: dict[str, str], fetched: Path, releases: Releases
) -> None:
    releases.answers.clear()
    with pytest.raises(FetchError, match=r"404.*developer\.hashicorp\.com.*TERRAFORM=/path"):
        ensure(base)
    assert_nothing_is_left(fetched)


def test_without_a_route_it_says_what_to_do(base: dict[str, str], fetched: Path) -> None:
    with (
        silent_port() as port,
        pytest.raises(FetchError, match=r"Connection refused.*developer\.hashicorp\.com"),
    ):
        ensure(base | {RELEASES_VARIABLE: f"http://{LOOPBACK}:{port}"})
    assert_nothing_is_left(fetched)


def test_what_is_no_url_is_refused(base: dict[str, str], fetched: Path) -> None:
    with pytest.raises(FetchError, match="unknown url type: 'no-url/"):
        ensure(base | {RELEASES_VARIABLE: "no-url"})
    assert_nothing_is_left(fetched)


def test_for_another_platform_nothing_is_fetched(
    base: dict[str, str], releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "platform_name", lambda: "plan9_mips")
    with pytest.raises(FetchError, match=r"no release is pinned for plan9_mips.*TERRAFORM="):
        ensure(base)
    assert releases.asked == []


def test_a_proxy_is_used(
    base: dict[str, str], fetched: Path, releases: Releases, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("http_proxy", releases.address)
    url = f"http://releases.invalid{PATH}"
    releases.answers[url] = ARCHIVE
    assert ensure(base | {RELEASES_VARIABLE: "http://releases.invalid/terraform/"}) == fetched
    assert releases.asked == [url]


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_several_may_fetch_at_once(base: dict[str, str], fetched: Path) -> None:
    # Processes, as make starts them: a thread that starts a program would let it keep the file of
    # another thread open, and the system runs no file that is open for writing.
    with ProcessPoolExecutor(4, get_context("fork")) as pool:
        done = list(pool.map(ensure, [base] * 4))
    assert done == [fetched] * 4
    assert list(fetched.parent.iterdir()) == [fetched]


def run(module: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a module as before anything is installed: -S leaves out all packages but our own."""
    return subprocess.run(
        [sys.executable, "-S", "-m", module, *arguments],
        cwd=CHECKOUT,
        env={"PATH": os.defpath, "HOME": "/", **variables},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize("module", ["scripts.terraform.fetch", "scripts.terraform"])
def test_the_commands_say_in_one_line_what_is_wrong(tmp_path: Path, module: str) -> None:
    done = run(module, TERRAFORM=str(tmp_path / "none"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"terraform: {tmp_path}/none is no program; 1.11 or later")


def test_the_command_is_silent_where_a_terraform_is(tmp_path: Path) -> None:
    done = run("scripts.terraform.fetch", TERRAFORM=str(install(tmp_path, VERSION)))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_one_that_is_found_runs_with_arguments(tmp_path: Path) -> None:
    mine = install(tmp_path, VERSION)
    mine.write_text(f"{script(VERSION)}[ $1 = version ] || {{ echo $TF_INPUT $@; exit 3; }}\n")
    done = run("scripts.terraform", "fmt", "-check", TERRAFORM=str(mine))
    assert done.returncode == 3
    assert done.stdout.splitlines()[-1] == "0 fmt -check"


def test_an_old_python_is_refused_before_anything_else() -> None:
    program = "import sys; sys.version_info = (3, 9, 2, 'final', 0); import scripts.terraform.env"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == (
        f"Python 3.11 or newer is needed; {sys.executable} is 3.9.2. "
        "Choose another: make PYTHON=python3.12 …\n"
    )
