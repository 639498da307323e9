"""Everything about LocalStack that can be told without one; tests/integration starts it."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from scripts.local import (
    localstack,
    localstack_container,
    localstack_package,
    localstack_process,
)
from scripts.local.localstack import LocalStack, LocalStackError
from scripts.local.localstack_process import Process
from scripts.local.localstack_shared import Files, wait
from scripts.setup import venvs
from scripts.setup.once import once
from scripts.setup.uv import UvError

Sleeper = subprocess.Popen[bytes]

docker_answers = localstack_container.docker_answers


@pytest.fixture(autouse=True)
def neither_docker_nor_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(localstack.ENDPOINT_VARIABLE, raising=False)
    monkeypatch.setattr(localstack_container, "docker_answers", lambda: False)
    monkeypatch.setattr(localstack_package, "docker_answers", lambda: False)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.fixture
def sleeper() -> Iterator[Sleeper]:
    with subprocess.Popen(["sleep", "600"], start_new_session=True) as process:
        yield process
        process.kill()


class Health(BaseHTTPRequestHandler):
    """Answers as LocalStack does when asked for its health."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/_localstack/health" else 404)
        self.end_headers()
        self.wfile.write(b'{"services": {"sqs": "available"}}')

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def port() -> Iterator[int]:
    with HTTPServer(("127.0.0.1", 0), Health) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def process_of(sleeper: Sleeper, port: int = 1) -> Process:
    started = localstack_process.started(sleeper.pid)
    assert started
    return Process(port, sleeper.pid, started)


def save(files: Files, server: localstack._Server) -> None:
    files.run.mkdir(parents=True)
    localstack._save(files, server)


def quiet(_: str) -> None:
    """Take no notice."""


def executable(path: Path, script: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def installed(files: Files, script: str) -> None:
    """Make an environment that is complete, with this script as its Python."""
    venv = localstack_package.venv(files.root)

    def make() -> None:
        executable(venv.python, script)

    once(venv.folder, venv.sources, make, waiting=lambda: None)


# --- The environment for AWS clients


def test_no_setting_of_the_users_reaches_localstack() -> None:
    base = {
        "PATH": "/bin",
        "AWS_PROFILE": "real",
        "AWS_SESSION_TOKEN": "real",
        "AWS_ACCESS_KEY_ID": "real",
        "AWS_ROLE_ARN": "real",
        "AWS_ENDPOINT_URL_SQS": "https://real",
        "AWS_CONFIG_FILE": "/home/real",
    }
    env = localstack.environment("http://127.0.0.1:4566", base)
    assert "real" not in " ".join(env.values())
    assert env == {
        "PATH": "/bin",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1",
        "no_proxy": "127.0.0.1",
    }


@pytest.mark.parametrize("name", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_users_region_is_kept(name: str) -> None:
    env = localstack.environment("http://127.0.0.1:1", {name: "eu-west-1"})
    assert (env["AWS_REGION"], env["AWS_DEFAULT_REGION"]) == ("eu-west-1", "eu-west-1")


def test_the_users_proxy_exceptions_are_kept() -> None:
    env = localstack.environment("http://127.0.0.1:1", {"NO_PROXY": "intra.example"})
    assert env["no_proxy"] == env["NO_PROXY"] == "intra.example,127.0.0.1"


def test_localstack_itself_gets_nothing_of_the_users_but_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "real")
    monkeypatch.setenv("GATEWAY_LISTEN", "192.0.2.1:4566")
    env = localstack_process.environment(4700, tmp_path)
    assert "AWS_SESSION_TOKEN" not in env
    assert env["GATEWAY_LISTEN"] == "127.0.0.1:4700"
    for name in ("HOME", "TMP", "FILESYSTEM_ROOT", "XDG_CACHE_HOME", "XDG_STATE_HOME"):
        assert Path(env[name]).is_relative_to(tmp_path)


# --- Attaching


def test_a_named_endpoint_is_attached_and_never_stopped(
    tmp_path: Path, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(localstack.ENDPOINT_VARIABLE, f"http://127.0.0.1:{port}/")
    expected = LocalStack(f"http://127.0.0.1:{port}", "attached", started=False)
    assert localstack.ensure(tmp_path) == expected
    assert localstack.find(tmp_path) == expected
    assert not localstack.stop(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("endpoint", "words"),
    [("http://127.0.0.1:1", "no LocalStack answers there"), ("localhost:4566", "must be a URL")],
)
def test_an_endpoint_that_does_not_answer_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, endpoint: str, words: str
) -> None:
    monkeypatch.setenv(localstack.ENDPOINT_VARIABLE, endpoint)
    with pytest.raises(LocalStackError, match=words):
        localstack.ensure(tmp_path)


def test_what_is_no_localstack_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        assert not localstack.answers(f"http://127.0.0.1:{port}")
        thread.join()


# --- Finding and stopping what an earlier run started


def test_one_that_answers_is_used_again(
    files: Files, sleeper: Sleeper, port: int, tmp_path: Path
) -> None:
    save(files, process_of(sleeper, port))
    expected = LocalStack(f"http://127.0.0.1:{port}", "process", started=False)
    assert localstack.ensure(tmp_path) == expected
    assert localstack.find(tmp_path) == expected


def test_stop_ends_it_and_removes_its_data(files: Files, sleeper: Sleeper, tmp_path: Path) -> None:
    save(files, process_of(sleeper))
    assert localstack.stop(tmp_path)
    assert localstack_process.started(sleeper.pid) is None
    assert not files.run.exists()
    assert not localstack.stop(tmp_path)


def test_one_that_will_not_end_is_killed(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(localstack_process, "_STOP_SECONDS", 0.2)
    command = ["sh", "-c", "trap '' TERM; echo; sleep 600 & while :; do wait; done"]
    with subprocess.Popen(command, start_new_session=True, stdout=subprocess.PIPE) as stubborn:
        assert stubborn.stdout
        stubborn.stdout.readline()  # the signal is ignored from here on
        save(files, process_of(stubborn))
        assert localstack.stop(tmp_path)
        # The end of its output: its child has ended too.
        assert stubborn.stdout.read() == b""


def test_a_pid_that_is_another_process_by_now_is_left_alone(
    files: Files, sleeper: Sleeper, port: int, tmp_path: Path
) -> None:
    save(files, Process(port, sleeper.pid, started=1.0))
    assert localstack.find(tmp_path) is None
    assert not localstack.stop(tmp_path)
    assert sleeper.poll() is None
    assert not files.run.exists()


def test_a_process_that_was_not_reaped_is_dead(sleeper: Sleeper) -> None:
    process = process_of(sleeper)
    assert process.alive()
    os.kill(sleeper.pid, signal.SIGKILL)
    wait(lambda: not process.alive(), 60)
    assert not process.alive()


def test_a_process_that_has_ended_has_no_start(sleeper: Sleeper) -> None:
    sleeper.kill()
    sleeper.wait()
    assert localstack_process.started(sleeper.pid) is None


def test_the_clock_does_not_change_when_a_process_started(
    sleeper: Sleeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    process = process_of(sleeper)
    boot, created = psutil.boot_time(), psutil.Process(sleeper.pid).create_time()
    monkeypatch.setattr(psutil, "boot_time", lambda: boot + 3600)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: created + 3600)
    assert process.alive()


def test_a_state_that_cannot_be_read_says_what_to_do(files: Files, tmp_path: Path) -> None:
    files.run.mkdir(parents=True)
    for text in ("", "[]", '{"kind": "balloon"}', '{"kind": "process", "port": 1}'):
        files.state.write_text(text)
        with pytest.raises(LocalStackError, match=f"then delete {files.run}"):
            localstack.find(tmp_path)


def test_stopping_where_nothing_ever_ran_makes_no_file(tmp_path: Path) -> None:
    assert not localstack.stop(tmp_path)
    assert list(tmp_path.iterdir()) == []


# --- Starting a process


def test_one_that_dies_at_once_shows_its_log(files: Files, tmp_path: Path) -> None:
    installed(files, "echo the port is taken; exit 3")
    with pytest.raises(LocalStackError, match=r"(?s)ended while it started.*the port is taken"):
        localstack.ensure(tmp_path, quiet)
    assert files.log.exists()
    assert not files.state.exists()


def test_one_that_never_answers_is_ended(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(_: str) -> bool:
        while not (files.log.exists() and "thinking" in files.log.read_text()):
            time.sleep(0.01)
        return False

    monkeypatch.setattr(localstack, "_READY_SECONDS", 0)
    monkeypatch.setattr(localstack, "answers", never)
    installed(files, 'echo $$ > "$HOME/pid"; echo still thinking; exec sleep 600')
    with pytest.raises(LocalStackError, match=r"(?s)did not answer.*still thinking"):
        localstack.ensure(tmp_path, quiet)
    assert localstack_process.started(int((files.data / "home/pid").read_text())) is None


def test_an_interrupt_leaves_no_process(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installed(files, "exec sleep 600")
    started: list[localstack._Server] = []

    def interrupt(_: Files, server: localstack._Server) -> None:
        started.append(server)
        raise KeyboardInterrupt

    monkeypatch.setattr(localstack, "_READY_SECONDS", 0)
    monkeypatch.setattr(localstack, "_check_ready", interrupt)
    with pytest.raises(KeyboardInterrupt):
        localstack.ensure(tmp_path, quiet)
    assert not started[0].alive()
    assert localstack.find(tmp_path) is None


# --- Installing the package


def test_an_index_that_fails_names_the_other_ways(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: str) -> None:
        raise UvError("no such package")

    monkeypatch.setattr(venvs, "uv", fail)
    with pytest.raises(LocalStackError, match=r"(?s)no such package.*start a Docker engine"):
        localstack.ensure(tmp_path, quiet)


def test_nothing_is_installed_where_docker_answers_or_an_endpoint_is_named(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(localstack_package, "docker_answers", lambda: True)
        localstack.install(tmp_path, quiet)
    monkeypatch.setenv(localstack.ENDPOINT_VARIABLE, "http://127.0.0.1:1")
    localstack.install(tmp_path, quiet)
    assert not files.venv.exists()


@pytest.mark.parametrize("version", [(3, 10, 4), (3, 14, 0)])
def test_another_python_is_refused(
    files: Files, monkeypatch: pytest.MonkeyPatch, version: tuple[int, int, int]
) -> None:
    monkeypatch.setattr(sys, "version_info", version)
    words = rf"needs Python 3\.11 to 3\.13, and this is 3\.{version[1]} "
    with pytest.raises(LocalStackError, match=words):
        localstack_package.python(files.root, quiet)


def test_image_and_package_are_the_same_release() -> None:
    release = localstack_container.IMAGE.partition(":")[2]
    text = localstack_package.REQUIREMENTS.read_text()
    assert re.search(rf"^localstack-core=={re.escape(release)} ", text, re.MULTILINE)


# --- Docker


@pytest.fixture
def docker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A docker command that writes down its calls, and knows one container: the file `up`."""
    folder = tmp_path / "bin"
    executable(
        folder / "docker",
        f"""\
cd {tmp_path}
echo "$@" >> calls
case $1 in
  info) echo 29.1 ;;
  context) cat host 2>/dev/null || echo unix:///var/run/docker.sock ;;
  run) [ -e denied ] && {{ echo pull access denied >&2; exit 125; }}
       echo "Unable to find image locally" >&2; echo 5eed; touch up ;;
  ps) [ -e up ] && echo 5eed || true ;;
  logs) echo out of memory >&2 ;;
  rm) rm up ;;
esac""",
    )
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setattr(localstack_container, "docker_answers", docker_answers)
    return tmp_path


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localstack, "answers", lambda _: True)


@pytest.mark.usefixtures("answers")
def test_a_container_is_published_on_the_loopback_alone(docker: Path) -> None:
    found = localstack.ensure(docker, quiet)
    assert (found.kind, found.started) == ("container", True)
    port = found.endpoint.rpartition(":")[2]
    run = next(line for line in (docker / "calls").read_text().splitlines() if "run" in line)
    assert f"--publish=127.0.0.1:{port}:4566" in run
    assert f"--env=LOCALSTACK_HOST=127.0.0.1:{port}" in run
    assert run.endswith(f" {localstack_container.IMAGE}")
    assert not localstack.ensure(docker, quiet).started


@pytest.mark.usefixtures("answers")
def test_stop_removes_the_container(docker: Path, files: Files) -> None:
    localstack.ensure(docker, quiet)
    assert localstack.stop(docker)
    assert not (docker / "up").exists()
    assert not files.run.exists()
    assert not localstack.stop(docker)


@pytest.mark.usefixtures("answers")
def test_a_container_behind_an_engine_that_is_down_is_not_forgotten(
    docker: Path, files: Files
) -> None:
    localstack.ensure(docker, quiet)
    executable(docker / "bin/docker", "echo Cannot connect to the Docker daemon >&2; exit 1")
    with pytest.raises(LocalStackError, match=r"(?s)Cannot connect.*Start the Docker engine"):
        localstack.stop(docker)
    assert files.state.exists()


def test_a_container_that_ends_at_once_shows_its_log(
    docker: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def die(_: str) -> bool:
        (docker / "up").unlink(missing_ok=True)
        return False

    monkeypatch.setattr(localstack, "answers", die)
    with pytest.raises(LocalStackError, match=r"(?s)ended while it started.*out of memory"):
        localstack.ensure(docker, quiet)


def test_without_the_image_the_package_is_taken(docker: Path, files: Files) -> None:
    (docker / "denied").touch()
    installed(files, "echo this is the package; exit 1")
    lines: list[str] = []
    with pytest.raises(LocalStackError, match="this is the package"):
        localstack.ensure(docker, lines.append)
    assert "Docker could not: pull access denied" in lines


def test_an_engine_elsewhere_is_no_use(docker: Path) -> None:
    assert localstack_container.docker_answers()
    (docker / "host").write_text("tcp://build.example:2375")
    assert not localstack_container.docker_answers()


def test_no_docker_command_is_no_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not docker_answers()


# --- The command line


@pytest.fixture
def checkout(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(localstack, "CHECKOUT", tmp_path)
    return tmp_path


@pytest.mark.usefixtures("checkout")
@pytest.mark.parametrize(
    ("command", "status", "words"),
    [
        ("status", 1, "No LocalStack"),
        ("stop", 0, "No LocalStack was running"),
        ("endpoint", 1, "start one: python -m scripts.local.localstack start"),
    ],
)
def test_commands_without_one(
    capsys: pytest.CaptureFixture[str], command: str, status: int, words: str
) -> None:
    assert localstack.main([command]) == status
    assert words in "".join(capsys.readouterr())


@pytest.mark.usefixtures("checkout")
def test_commands_with_one(
    files: Files, sleeper: Sleeper, port: int, capsys: pytest.CaptureFixture[str]
) -> None:
    save(files, process_of(sleeper, port))
    statuses = [localstack.main([c]) for c in ("start", "status", "endpoint", "stop")]
    assert statuses == [0, 0, 0, 0]
    endpoint = f"http://127.0.0.1:{port}"
    assert capsys.readouterr().out.splitlines() == [
        endpoint,
        f"LocalStack (process): {endpoint}",
        endpoint,
        "LocalStack stopped",
    ]


def test_an_error_is_told_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(localstack.ENDPOINT_VARIABLE, "http://127.0.0.1:1")
    assert localstack.main(["start"]) == 1
    assert capsys.readouterr().err.startswith(f"{localstack.ENDPOINT_VARIABLE} is ")
