"""The image: built by buildah, and run as strictly as a container can be, against LocalStack."""

import json
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.image.build import CHECKOUT, Image, build, content_tag, context_files, push
from scripts.image.container_engine import (
    ENGINE_VARIABLE,
    Build,
    Credentials,
    EngineError,
    find_engine,
)
from scripts.terraform.docs import parsed, plain
from tests.integration import container
from tests.integration.container import Registry, podman, podman_command
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.worker_process import Worker
from tests.ports import free_port
from tests.support import mail, said

if TYPE_CHECKING:
    from types_boto3_sns.client import SNSClient

USER = 10001
NAME = "sesbounce-test"
_WAIT_SECONDS = 300
# Nobody asks this host for anything. Its name would be wherever pip's settings are kept.
_CANARY = "canary.pypi.example"


@pytest.fixture(scope="module")
def tools() -> Iterator[Path]:
    with container.tools() as folder:
        yield folder


@pytest.fixture(scope="module")
def built(tools: Path) -> Image:
    """The image of the checkout, on a base of Debian's."""
    container.make_base()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PIP_TRUSTED_HOST", _CANARY)
        return build(base=container.BASE)


@pytest.fixture(scope="module")
def config(built: Image) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(
        container.run("buildah", "inspect", "--type=image", built.name)
    )
    config: dict[str, Any] = told["Docker"]["config"]
    return config


def in_image(built: Image, code: str) -> Any:
    """What Python code prints in a container of the image, read as JSON."""
    entry = ("--entrypoint", '["python", "-c"]')
    options = ("--rm", "--no-healthcheck", *container.hardened(), *entry)
    return json.loads(podman("run", *options, built.name, code))


class TestWhatItIs:
    def test_it_is_tagged_by_what_is_in_it(self, built: Image) -> None:
        tag = content_tag(base=container.BASE)
        assert built.name == f"sesbounce:{tag}"
        told = json.loads(podman("image", "inspect", built.name))[0]
        names = {f"localhost/sesbounce:{tag}", "localhost/sesbounce:latest"}
        assert set(told["RepoTags"]) == names
        assert built.id == f"sha256:{told['Id']}"
        assert re.fullmatch(r"[\d.]+ MB", built.size)

    def test_it_says_how_it_is_run(self, config: dict[str, Any]) -> None:
        assert config["User"] == f"{USER}:{USER}"
        assert config["Entrypoint"] == ["sesbounce"]
        assert config["Cmd"] == ["run"]
        assert config["WorkingDir"] == "/data"
        assert config["StopSignal"] == "SIGTERM"
        assert not config["Volumes"]
        assert config["Healthcheck"]["Test"] == ["CMD", "sesbounce", "health"]
        environment = dict(pair.split("=", 1) for pair in config["Env"])
        assert environment.pop("PATH").startswith("/opt/sesbounce/bin:")
        assert environment == {
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
            "SESBOUNCE_LOG_FORMAT": "json",
            "SESBOUNCE_METRICS_PORT": "9464",
        }
        assert config["Labels"]["org.opencontainers.image.base.name"] == container.BASE

    def test_nothing_in_it_can_build_or_install(self, built: Image) -> None:
        found: list[str] = in_image(
            built,
            "import json, os; print(json.dumps([os.path.join(folder, name)"
            " for top in ('/opt', '/usr', '/etc', '/root', '/build')"
            " for folder, folders, files in os.walk(top) for name in folders + files]))",
        )
        assert len(found) > 1000
        names = {Path(path).name for path in found}
        assert not names & {
            "gcc",
            "cc",
            "c++",
            "ld",
            "make",
            "hatchling",
            "setuptools",
            "ensurepip",
        }
        assert [path for path in found if re.search(r"/pip([\d.-]|$)|/python-wheels$", path)] == []
        assert not [path for path in found if path.startswith("/build")]

    def test_everything_is_compiled(self, built: Image) -> None:
        """Whatever the worker loads has bytecode, which is not compared with its source."""
        sources, stale = in_image(
            built,
            """
import importlib.util, json, pathlib, sysconfig
library = pathlib.Path(sysconfig.get_path("stdlib"))
left_out = {"idlelib", "lib2to3", "pydoc_data", "test", "tkinter", "turtledemo"}
sources = [
    path
    for top in (library, pathlib.Path("/opt/sesbounce/lib"))
    for path in top.rglob("*.py")
    if not left_out & set(path.relative_to(top).parts)
]
flags = {
    path: compiled.read_bytes()[4:8] if compiled.is_file() else None
    for path in sources
    for compiled in [pathlib.Path(importlib.util.cache_from_source(path))]
}
print(json.dumps([len(flags), [str(path) for path in flags if flags[path] != b"\\1\\0\\0\\0"]]))
""",
        )
        assert sources > 1000
        assert stale == []

    def test_its_sources_are_the_checkout_s_and_nothing_else(self, built: Image) -> None:
        found: list[str] = in_image(
            built,
            "import json, pathlib, sesbounce; top = pathlib.Path(sesbounce.__file__).parent;"
            "print(json.dumps([str(path.relative_to(top)) for path in top.rglob('*')"
            " if path.is_file() and path.suffix != '.pyc']))",
        )
        folder = Path("worker/src/sesbounce")
        allowed = [path for path in context_files() if path.is_relative_to(folder)]
        assert sorted(found) == sorted(str(path.relative_to(folder)) for path in allowed)

    def test_tracebacks_name_files_that_are_there(self, built: Image) -> None:
        code = """
import json, pathlib, boto3.session, sesbounce.cli.work
functions = (boto3.session.Session.client, sesbounce.cli.work.run.callback)
names = [function.__code__.co_filename for function in functions]
print(json.dumps([name for name in names if not pathlib.PurePath(name).is_absolute()]))
"""
        assert in_image(built, code) == []

    def test_nothing_of_the_way_to_pypi_is_kept(self, built: Image, tools: Path) -> None:
        saved = tools / "saved.tar"
        podman("save", "--quiet", f"--output={saved}", built.name)
        content = saved.read_bytes()
        saved.unlink()
        assert b"org.opencontainers.image.base.name" in content
        assert _CANARY.encode() not in content

    @pytest.mark.parametrize(
        "service",
        [*("sqs", "sesv2", "secretsmanager", "rds"), *("sts", "sso", "sso-oidc", "signin")],
    )
    def test_botocore_knows_what_is_called(self, built: Image, service: str) -> None:
        code = f"""
import boto3, json
print(json.dumps(boto3.client({service!r}, "us-east-1").meta.endpoint_url))
"""
        assert in_image(built, code).startswith("https://")


@pytest.fixture
def queue(session: Any) -> Iterator[FeedbackQueue]:
    with feedback_queue(session.boto3.client("sqs"), max_receives=2) as made:
        yield made


@pytest.fixture
def worker(queue: FeedbackQueue, environment: Mapping[str, str], tmp_path: Path) -> Worker:
    """The sender's own database, in a folder that the image's user may write."""
    own = {name: value for name, value in environment.items() if name.startswith("AWS_")}
    data = tmp_path / "data"
    data.mkdir()
    worker = Worker.make(own, queue.url, data, "Jane@Example.com")
    for path in (data, worker.database):
        os.chown(path, USER, USER)
    return worker


MEMBERS = """
import json, sqlite3
rows = sqlite3.connect("/data/sesbounce.sqlite3").execute("SELECT email, mailable FROM member")
print(json.dumps(dict(rows.fetchall())))
"""


@dataclass(frozen=True)
class Running:
    """A container that runs, as podman sees it and as a process of this machine."""

    process: subprocess.Popen[str]
    started_at: float

    def ask(self, code: str) -> Any:
        """What Python code prints inside, read as JSON."""
        return json.loads(podman("exec", NAME, "python", "-c", code))

    def members(self) -> dict[str, int]:
        """The sender's own table, as `Worker.members` gives it, read inside.

        SQLite makes its files beside the database as whoever opens it first, and only then gives
        them to the owner of the database: root must not open it while the worker does. The table
        is empty while the container is not up yet.
        """
        done = subprocess.run(
            podman_command("exec", NAME, "python", "-c", MEMBERS),
            stdout=subprocess.PIPE,
            check=False,
        )
        return json.loads(done.stdout) if done.returncode == 0 else {}

    def ended(self) -> tuple[int, str]:
        """The exit code of the worker, and its log."""
        log, _ = self.process.communicate(timeout=_WAIT_SECONDS)
        return self.process.returncode, log


@contextmanager
def start(
    built: Image, environment: Mapping[str, str], *options: str, command: Sequence[str] = ()
) -> Iterator[Running]:
    variables = [f"--env={name}={value}" for name, value in environment.items()]
    variables.append(f"--env=SESBOUNCE_METRICS_PORT={free_port()}")  # it shares the machine's
    arguments = ["run", f"--name={NAME}", *container.hardened(), *variables, *options, built.name]
    process = subprocess.Popen(
        podman_command(*arguments, *command),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield Running(process, time.monotonic())
    finally:
        podman("rm", "--force", "--ignore", "--time=0", NAME)
        process.communicate()


@pytest.fixture
def running(built: Image, worker: Worker) -> Iterator[Running]:
    """A container of the worker, with the database where the image expects it."""
    environment = {**worker.environment, "SESBOUNCE_WAIT_SECONDS": "2"}
    environment.pop("SESBOUNCE_DATABASE_URL")
    with start(built, environment, f"--volume={worker.database.parent}:/data") as running:
        yield running


@pytest.fixture
def published(queue: FeedbackQueue, session: Any) -> None:
    sns: SNSClient = session.boto3.client("sns")
    topic = sns.create_topic(Name=queue.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=queue.arn)
    sns.publish(TopicArn=topic, Message=json.dumps(said(about=mail())))


def until(condition: Callable[[], bool], running: Running) -> None:
    end = time.monotonic() + _WAIT_SECONDS
    while not condition():
        if running.process.poll() is not None or time.monotonic() > end:
            podman("stop", "--ignore", NAME)
            pytest.fail(running.ended()[1])
        time.sleep(0.05)


def healthy() -> bool:
    """What the image's own HEALTHCHECK says."""
    return subprocess.run(podman_command("healthcheck", "run", NAME), check=False).returncode == 0


@pytest.fixture(scope="module")
def registry(tools: Path) -> Iterator[Registry]:
    with container.registry(tools) as registry:
        yield registry


@pytest.fixture(params=["buildah", "podman"])
def small(request: pytest.FixtureRequest, tools: Path, tmp_path: Path) -> Image:
    """An image with next to nothing in it."""
    engine = find_engine({ENGINE_VARIABLE: request.param})
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY Dockerfile /\n")
    name = f"small:{request.param}"
    wanted = Build(tmp_path, tmp_path / "Dockerfile", [name], {}, {}, {}, None, 0)
    return Image(name, engine.build(wanted), engine.size(name), engine)


class TestPushing:
    def test_it_is_pushed_and_known_by_its_digest(
        self, small: Image, registry: Registry, capfd: pytest.CaptureFixture[str]
    ) -> None:
        repository = f"{registry.host}/acme/sesbounce"
        credentials = Credentials(registry.username, registry.password)
        name, _, digest = push(small, repository, credentials).partition("@")
        assert name == repository
        manifest = registry.get(f"/v2/acme/sesbounce/manifests/{digest}")
        assert manifest["config"]["digest"] == small.id
        tags = registry.get("/v2/acme/sesbounce/tags/list")["tags"]
        assert small.name.partition(":")[2] in tags
        assert registry.password not in "".join(capfd.readouterr())

    def test_the_password_is_kept_nowhere(self, small: Image, registry: Registry) -> None:
        repository = f"{registry.host}/acme/sesbounce"
        push(small, repository, Credentials(registry.username, registry.password))
        with pytest.raises(EngineError, match=f"{small.engine.kind} push` failed"):
            push(small, repository)

    def test_a_wrong_password_is_refused(self, small: Image, registry: Registry) -> None:
        wrong = Credentials(registry.username, "wrong")
        with pytest.raises(EngineError, match=f"{small.engine.kind} push` failed"):
            push(small, f"{registry.host}/acme/sesbounce", wrong)


# What the first process may do, as Python code that runs beside it.
WHAT_IT_MAY = """
import json, os
def refused(path):
    try:
        open(path, "w").close()
    except OSError as error:
        return error.strerror
status = dict(line.split(":", 1) for line in open("/proc/1/status"))
print(json.dumps({
    "user": [os.getuid(), os.getgid()],
    "process": open("/proc/1/cmdline").read().split("\\0")[1:3],
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "no_new_privileges": int(status["NoNewPrivs"]),
    "rejected": [refused(path) for path in ("/x", "/opt/sesbounce/x", "/var/tmp/x", "/tmp/x")],
}))
"""


def may(command: str) -> dict[str, Any]:
    """What `WHAT_IT_MAY` is to print for a command of sesbounce."""
    return {
        "user": [USER, USER],
        "process": ["/opt/sesbounce/bin/sesbounce", command],
        "capabilities": 0,
        "no_new_privileges": 1,
        "rejected": ["Read-only file system"] * 3 + [None],
    }


class TestRunning:
    def test_what_is_published_is_recorded(
        self,
        worker: Worker,
        published: None,
        running: Running,
        built: Image,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        until(lambda: running.members() == {"Jane@Example.com": 0}, running)
        seconds = time.monotonic() - running.started_at
        with capsys.disabled():
            print(f" {built.size}, first message recorded after {seconds:.1f} s ")  # noqa: T201
        podman("stop", f"--time={_WAIT_SECONDS}", NAME)
        suppressed = worker.rows("SELECT address, reason FROM suppressed")
        assert suppressed == [("jane@example.com", "no_such_mailbox")]

    def test_it_is_healthy_and_may_do_nothing_that_it_needs_not(self, running: Running) -> None:
        until(healthy, running)
        assert running.ask(WHAT_IT_MAY) == may("run")

    def test_its_stop_signal_ends_it_with_0(self, published: None, running: Running) -> None:
        # It is healthy while it starts, too, and a signal ends it at once then.
        until(lambda: running.members() == {"Jane@Example.com": 0}, running)
        podman("stop", f"--time={_WAIT_SECONDS}", NAME)
        code, log = running.ended()
        assert code == 0, log
        assert "Traceback" not in log

    def test_without_a_place_for_its_database_it_says_so(
        self, built: Image, worker: Worker
    ) -> None:
        environment = dict(worker.environment)
        environment.pop("SESBOUNCE_DATABASE_URL")
        with start(built, environment) as running:
            code, log = running.ended()
        assert code == 2
        assert "unable to open database file" in log
        assert "Traceback" not in log


class TestServing:
    def test_the_server_answers_as_strictly_and_ends_with_0(
        self, built: Image, tmp_path: Path
    ) -> None:
        """With the health check of its task definition, and on all addresses, as there."""
        os.chown(tmp_path, USER, USER)
        volume = f"--volume={tmp_path}:/data"
        once = ("run", "--rm", *container.hardened(), volume, built.name)
        podman(*once, "db", "upgrade")
        token = "Bearer " + podman(*once, "token", "create", "crm", "--scope=check").strip()
        port = free_port()
        environment = {"SESBOUNCE_SERVE_HOST": "0.0.0.0", "SESBOUNCE_SERVE_PORT": str(port)}  # noqa: S104
        options = (volume, f"--health-cmd={json.dumps(health_check())}")
        with start(built, environment, *options, command=["serve"]) as running:
            until(healthy, running)
            assert running.ask(WHAT_IT_MAY) == may("serve")
            with closing(HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
                path, headers = "/v1/suppressions/jane%40example.com", {"Authorization": token}
                connection.request("GET", path, headers=headers)
                assert json.load(connection.getresponse())["may_mail"] is True
            podman("stop", f"--time={_WAIT_SECONDS}", NAME)
            code, log = running.ended()
        assert code == 0, log
        assert "Traceback" not in log
        assert token.removeprefix("Bearer ") not in log


def health_check() -> list[str]:
    """The command of the health check in the server's task definition."""
    (local,) = parsed(CHECKOUT / "terraform/modules/api_service/main.tf")["locals"]
    command: list[str] = plain(local["health_check"]["command"])
    assert command.pop(0) == "CMD"
    return command
