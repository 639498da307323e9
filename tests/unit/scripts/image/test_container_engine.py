"""The command line of each engine, with stand-ins; tests/integration runs the real engines."""

import base64
import json
import stat
from pathlib import Path

import pytest

from scripts.image.container_engine import (
    ENGINE_VARIABLE,
    KINDS,
    Build,
    Credentials,
    Engine,
    EngineError,
    Kind,
    find_engine,
)

DIGEST = f"sha256:{'ab' * 32}"
CREDENTIALS = Credentials("AWS", "wrong way up")
LOGIN = base64.b64encode(b"AWS:wrong way up").decode()


class Stand:
    """Stand-in programs that record their arguments; `answer` is the shell code of each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def make(self, kind: str, answer: str = "") -> Engine:
        program = self.folder / kind
        program.write_text(
            f'#!/bin/sh\nprintf "%s\\n" "$@" >> "{self.folder}/{kind}.arguments"\n{answer}'
        )
        program.chmod(0o755)
        return Engine(str(program), next(known for known in KINDS if known == kind))

    def arguments(self, kind: str) -> list[str]:
        return (self.folder / f"{kind}.arguments").read_text().splitlines()


@pytest.fixture
def stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stand:
    programs = tmp_path / "programs"
    programs.mkdir()
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    monkeypatch.setenv("DOCKER_CONFIG", str(tmp_path / "docker"))
    return Stand(programs)


@pytest.fixture
def nothing_else(stand: Stand, monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's own engines are out of sight; `sh` and `printf` need no PATH."""
    monkeypatch.setenv("PATH", str(stand.folder))


def wanted(folder: Path, *, platform: str | None = None) -> Build:
    return Build(
        context=folder,
        dockerfile=folder / "Dockerfile",
        names=["sesbounce:one", "sesbounce:two"],
        arguments={"PYTHON_IMAGE": "python"},
        labels={"version": "1"},
        secrets={"pip_conf": folder / "pip.conf"},
        platform=platform,
        created=42,
    )


WRITES_ID = f"""
for argument; do case "$argument" in --iidfile=*) echo {DIGEST} > "${{argument#*=}}";; esac; done
"""
WRITES_DIGEST = f"""
for argument; do case "$argument" in
  --digestfile=*) echo {DIGEST} > "${{argument#*=}}";;
  --authfile=*) cp -p "${{argument#*=}}" "$0.login";;
esac; done
"""


@pytest.mark.usefixtures("nothing_else")
class TestFinding:
    def test_the_first_that_answers_is_taken(self, stand: Stand) -> None:
        for kind in KINDS:
            stand.make(kind)
        for kind in KINDS:
            assert find_engine({}).kind == kind
            stand.make(kind, "exit 1")

    def test_without_any_it_says_what_to_install(self, stand: Stand) -> None:
        stand.make("docker", "exit 1")
        with pytest.raises(EngineError, match="apt install buildah"):
            find_engine({})

    @pytest.mark.parametrize("whole", [False, True], ids=["name", "path"])
    def test_the_chosen_one_is_taken(self, stand: Stand, whole: bool) -> None:
        stand.make("docker")
        chosen = stand.make("buildah")
        name = chosen.program if whole else "buildah"
        assert find_engine({ENGINE_VARIABLE: name}) == chosen

    def test_the_chosen_one_has_to_be_installed(self) -> None:
        with pytest.raises(EngineError, match="is podman, but there is no such program"):
            find_engine({ENGINE_VARIABLE: "podman"})

    def test_the_chosen_one_has_to_answer(self, stand: Stand) -> None:
        stand.make("podman")
        stand.make("docker", "echo 'Is the daemon running?' >&2; exit 1")
        with pytest.raises(EngineError, match="does not answer: Is the daemon running"):
            find_engine({ENGINE_VARIABLE: "docker"})

    def test_other_engines_are_rejected(self) -> None:
        with pytest.raises(EngineError, match="one of docker, podman, buildah"):
            find_engine({ENGINE_VARIABLE: "kaniko"})


class TestBuilding:
    @pytest.mark.parametrize("kind", KINDS)
    def test_all_get_the_same_options(self, stand: Stand, tmp_path: Path, kind: Kind) -> None:
        engine = stand.make(kind, WRITES_ID)
        assert engine.build(wanted(tmp_path, platform="linux/arm64")) == DIGEST
        arguments = stand.arguments(kind)
        assert arguments[0] == "build"
        assert arguments[-1] == str(tmp_path)
        assert {
            f"--file={tmp_path}/Dockerfile",
            "--tag=sesbounce:one",
            "--tag=sesbounce:two",
            "--build-arg=PYTHON_IMAGE=python",
            "--label=version=1",
            f"--secret=id=pip_conf,src={tmp_path}/pip.conf",
            "--platform=linux/arm64",
        } <= set(arguments)

    @pytest.mark.parametrize("kind", ["podman", "buildah"])
    def test_podman_and_buildah_keep_the_health_check(
        self, stand: Stand, tmp_path: Path, kind: Kind
    ) -> None:
        stand.make(kind, WRITES_ID).build(wanted(tmp_path))
        assert {"--format=docker", "--timestamp=42"} <= set(stand.arguments(kind))
        assert not [option for option in stand.arguments(kind) if option.startswith("--platform")]

    def test_docker_gets_a_proxy_without_its_password_being_seen(
        self, stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", "http://me:secret@proxy.example")
        stand.make("docker", WRITES_ID).build(wanted(tmp_path))
        arguments = stand.arguments("docker")
        assert {"--build-arg=HTTPS_PROXY", "--build-arg=SOURCE_DATE_EPOCH=42"} <= set(arguments)
        assert "secret" not in " ".join(arguments).replace("--secret", "")

    def test_a_failure_is_an_error(self, stand: Stand, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match="buildah build` failed"):
            stand.make("buildah", "exit 3").build(wanted(tmp_path))

    @pytest.mark.parametrize(
        "said", ["exec /bin/sh: exec format error", "exec container process: Exec format error"]
    )
    def test_programs_of_another_cpu_are_recognised(
        self, stand: Stand, tmp_path: Path, capfd: pytest.CaptureFixture[str], said: str
    ) -> None:
        engine = stand.make("docker", f"echo {said!r} >&2\necho 'the last line'\nexit 1")
        with pytest.raises(EngineError, match=r"cpu_architecture = .*tonistiigi/binfmt"):
            engine.build(wanted(tmp_path, platform="linux/arm64"))
        assert capfd.readouterr().err == f"{said}\nthe last line\n"

    def test_other_failures_get_no_such_advice(self, stand: Stand, tmp_path: Path) -> None:
        with pytest.raises(EngineError, match=r"its output is above$"):
            stand.make("podman", "echo no space left on device; exit 1").build(wanted(tmp_path))

    def test_sizes_are_in_the_same_words(self, stand: Stand) -> None:
        assert stand.make("docker", "echo 214700000").size("sesbounce:one") == "215 MB"
        buildah = stand.make("buildah", """echo '[{"size": "215 MB"}]'""")
        assert buildah.size("sesbounce:one") == "215 MB"


class TestPushing:
    TARGET = "registry.example/acme/sesbounce:one"
    PUSHED = f"registry.example/acme/sesbounce@{DIGEST}"

    @pytest.mark.parametrize("kind", ["podman", "buildah"])
    def test_podman_and_buildah(self, stand: Stand, kind: Kind) -> None:
        engine = stand.make(kind, WRITES_DIGEST)
        assert engine.push("sesbounce:one", self.TARGET, CREDENTIALS) == self.PUSHED
        arguments = stand.arguments(kind)
        assert arguments[:4] == ["tag", "sesbounce:one", self.TARGET, "push"]
        assert arguments[-1] == self.TARGET
        login = Path(f"{engine.program}.login")
        assert json.loads(login.read_text()) == {"auths": {"registry.example": {"auth": LOGIN}}}
        assert stat.S_IMODE(login.stat().st_mode) == 0o600

    @pytest.mark.parametrize("kind", ["podman", "buildah"])
    def test_without_credentials_the_engine_s_own_are_used(self, stand: Stand, kind: Kind) -> None:
        engine = stand.make(kind, WRITES_DIGEST)
        assert engine.push("sesbounce:one", self.TARGET) == self.PUSHED
        assert not [option for option in stand.arguments(kind) if option.startswith("--authfile")]

    def docker(self, stand: Stand) -> Engine:
        digests = json.dumps([f"other.example/sesbounce@{DIGEST}", self.PUSHED])
        return stand.make(
            "docker",
            f"""
case "$1" in
  --config=*) cp -r "${{1#*=}}" "$0.config"; stat -c %a "${{1#*=}}" > "$0.mode";;
  image) echo '{digests}';;
esac
""",
        )

    def test_docker(self, stand: Stand, tmp_path: Path) -> None:
        own = tmp_path / "docker"
        (own / "contexts").mkdir(parents=True)
        (own / "config.json").write_text(
            '{"currentContext": "far", "credsStore": "desktop", "auths": {"other.example": {}}}'
        )
        engine = self.docker(stand)
        assert engine.push("sesbounce:one", self.TARGET, CREDENTIALS) == self.PUSHED
        arguments = stand.arguments("docker")
        given = Path(f"{engine.program}.config")
        assert json.loads((given / "config.json").read_text()) == {
            "auths": {"registry.example": {"auth": LOGIN}},
            "currentContext": "far",
        }
        assert (given / "contexts").resolve() == own / "contexts"
        assert Path(f"{engine.program}.mode").read_text().strip() == "700"
        assert not Path(arguments[3].removeprefix("--config=")).exists()

    def test_docker_without_credentials_uses_its_own(self, stand: Stand) -> None:
        assert self.docker(stand).push("sesbounce:one", self.TARGET) == self.PUSHED
        assert stand.arguments("docker")[3:5] == ["push", self.TARGET]

    @pytest.mark.parametrize("kind", KINDS)
    def test_the_password_is_on_no_command_line(self, stand: Stand, kind: Kind) -> None:
        engine = self.docker(stand) if kind == "docker" else stand.make(kind, WRITES_DIGEST)
        engine.push("sesbounce:one", self.TARGET, CREDENTIALS)
        arguments = " ".join(stand.arguments(kind))
        assert CREDENTIALS.password not in arguments
        assert LOGIN not in arguments

    def test_the_password_is_in_no_repr(self) -> None:
        assert CREDENTIALS.password not in repr(CREDENTIALS)

    def test_an_image_without_a_pushed_digest_is_an_error(self, stand: Stand) -> None:
        engine = stand.make("docker", "[ \"$1\" = image ] && echo '[]' || true")
        with pytest.raises(EngineError, match=r"no digest in registry\.example/acme/sesbounce"):
            engine.push("sesbounce:one", self.TARGET)
