import stat
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.terraform import env as module
from scripts.terraform.env import MIRROR_VARIABLE, TerraformError, terraform_binary, terraform_env

PROVIDER = "registry.terraform.io/hashicorp/aws"


@pytest.fixture(autouse=True)
def no_machine_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_PLACES", ())


@pytest.fixture(autouse=True)
def no_fetched_terraform(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "FETCHED", tmp_path / "fetched/terraform")


@pytest.fixture
def base(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"HOME": str(home), "XDG_DATA_DIRS": str(tmp_path / "share"), "PATH": str(tmp_path)}


def make_mirror(folder: Path, *, platform: str | None = None, packed: bool = False) -> Path:
    platform = platform or module.platform_name()
    provider = folder / PROVIDER
    if packed:
        provider.mkdir(parents=True)
        (provider / f"terraform-provider-aws_5.0.0_{platform}.zip").touch()
    else:
        (provider / "5.0.0" / platform).mkdir(parents=True)
    return folder


def make_terraform(folder: Path, script: str) -> None:
    binary = folder / "terraform"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)


def test_it_is_the_whole_environment_for_a_script(base: dict[str, str]) -> None:
    assert terraform_env(base) == {
        **base,
        "TF_IN_AUTOMATION": "1",
        "TF_INPUT": "0",
        "CHECKPOINT_DISABLE": "1",
    }


def test_the_users_configuration_is_left_alone(base: dict[str, str], tmp_path: Path) -> None:
    mine = tmp_path / "mine.tfrc"
    mine.touch()
    base |= {"TF_CLI_CONFIG_FILE": str(mine), MIRROR_VARIABLE: str(make_mirror(tmp_path / "m"))}
    assert terraform_env(base)["TF_CLI_CONFIG_FILE"] == str(mine)


def test_a_configuration_that_is_not_there_is_dropped(base: dict[str, str]) -> None:
    assert "TF_CLI_CONFIG_FILE" not in terraform_env({**base, "TF_CLI_CONFIG_FILE": "/none.tfrc"})


def test_the_home_configuration_is_left_alone(base: dict[str, str], tmp_path: Path) -> None:
    Path(base["HOME"], ".terraformrc").touch()
    base |= {"TF_CLI_CONFIG_FILE": "/none", MIRROR_VARIABLE: str(make_mirror(tmp_path / "m"))}
    assert "TF_CLI_CONFIG_FILE" not in terraform_env(base)


@pytest.mark.parametrize("packed", [False, True])
def test_a_named_mirror_is_configured(
    base: dict[str, str], tmp_path: Path, *, packed: bool
) -> None:
    mirror = make_mirror(tmp_path / 'a "mirror"', packed=packed)
    config = Path(terraform_env({**base, MIRROR_VARIABLE: str(mirror)})["TF_CLI_CONFIG_FILE"])
    text = config.read_text()
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    assert str(mirror).replace('"', '\\"') in text
    assert f'include = ["{PROVIDER}"]' in text
    assert f'exclude = ["{PROVIDER}"]' in text


def test_the_configuration_is_written_once(base: dict[str, str], tmp_path: Path) -> None:
    base |= {MIRROR_VARIABLE: str(make_mirror(tmp_path / "m"))}
    assert terraform_env(base) == terraform_env(base)


def test_the_configuration_goes_when_python_ends(base: dict[str, str], tmp_path: Path) -> None:
    base |= {MIRROR_VARIABLE: str(make_mirror(tmp_path / "m"))}
    program = (
        "from scripts.terraform.env import terraform_env\n"
        f"print(terraform_env({base!r})['TF_CLI_CONFIG_FILE'])"
    )
    run = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(module.__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip().endswith(".tfrc")
    assert not Path(run.stdout.strip()).exists()


def test_a_named_mirror_without_the_provider_is_an_error(
    base: dict[str, str], tmp_path: Path
) -> None:
    with pytest.raises(TerraformError, match="terraform providers mirror"):
        terraform_env({**base, MIRROR_VARIABLE: str(tmp_path)})


def test_a_mirror_for_another_platform_does_not_count(base: dict[str, str], tmp_path: Path) -> None:
    mirror = make_mirror(tmp_path / "m", platform="plan9_mips")
    with pytest.raises(TerraformError, match=module.platform_name()):
        terraform_env({**base, MIRROR_VARIABLE: str(mirror)})


@pytest.mark.parametrize("folder", ["home/.terraform.d/plugins", "share/terraform/plugins"])
def test_where_terraform_looks_itself_nothing_is_configured(
    base: dict[str, str], tmp_path: Path, folder: str
) -> None:
    make_mirror(tmp_path / folder)
    make_mirror(Path(base["HOME"], "mirror"))
    assert "TF_CLI_CONFIG_FILE" not in terraform_env(base)


def test_the_usual_places_are_searched_one_level_deep(
    base: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_PLACES", (str(tmp_path / "none"), str(tmp_path / "place")))
    mirror = make_mirror(tmp_path / "place" / "plugins")
    assert str(mirror) in Path(terraform_env(base)["TF_CLI_CONFIG_FILE"]).read_text()


def test_an_empty_name_means_the_public_registry(base: dict[str, str]) -> None:
    make_mirror(Path(base["HOME"], "mirror"))
    assert "TF_CLI_CONFIG_FILE" in terraform_env(base)
    assert "TF_CLI_CONFIG_FILE" not in terraform_env({**base, MIRROR_VARIABLE: ""})


@pytest.mark.parametrize("version", ["1.11.0", "1.11.4", "1.14.0-beta1", "2.0.0"])
def test_a_recent_terraform_is_found(base: dict[str, str], tmp_path: Path, version: str) -> None:
    make_terraform(tmp_path, f"""echo '{{"terraform_version": "{version}"}}'""")
    assert terraform_binary(base) == tmp_path / "terraform"


@pytest.mark.parametrize("version", ["0.15.5", "1.8.5", "1.10.5"])
def test_an_old_terraform_is_refused(base: dict[str, str], tmp_path: Path, version: str) -> None:
    make_terraform(tmp_path, f"""echo '{{"terraform_version": "{version}"}}'""")
    with pytest.raises(TerraformError, match=rf"is Terraform {version}; 1\.11 or later"):
        terraform_binary(base)


def test_a_terraform_that_does_not_run_is_quoted(base: dict[str, str], tmp_path: Path) -> None:
    make_terraform(tmp_path, "echo cannot execute >&2; exit 1")
    with pytest.raises(TerraformError, match="cannot execute"):
        terraform_binary(base)


def test_a_terraform_of_another_kind_of_machine_is_named(
    base: dict[str, str], tmp_path: Path
) -> None:
    make_terraform(tmp_path, "")
    (tmp_path / "terraform").write_bytes(b"\x7fELF of nowhere")
    with pytest.raises(TerraformError, match="terraform does not run: Exec format error"):
        terraform_binary(base)


def test_no_terraform_says_where_to_get_it(base: dict[str, str]) -> None:
    with pytest.raises(TerraformError, match=r"developer\.hashicorp\.com"):
        terraform_binary(base)
