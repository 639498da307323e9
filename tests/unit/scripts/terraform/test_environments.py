import subprocess
from pathlib import Path

import pytest

from scripts.terraform.environments import (
    UnknownEnvironmentError,
    environment,
    has_variables,
)


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    (tmp_path / "environments").mkdir()
    for name in ("staging", "production"):
        (tmp_path / f"environments/{name}.tfvars").write_text("")
    return tmp_path


def test_without_a_name_all_is_where_terraform_has_it(directory: Path) -> None:
    (directory / "terraform.tfvars").write_text("")
    place = environment(directory, "")
    assert place.var_files == ()  # Terraform finds its own
    assert place.state == directory / "terraform.tfstate"
    assert place.data_dir == directory / ".terraform"
    assert place.backend_config is None


def test_environments_share_nothing(directory: Path) -> None:
    staging, production = (environment(directory, name) for name in ("staging", "production"))
    assert staging.var_files == (directory / "environments/staging.tfvars",)
    places = [
        {place.state, place.data_dir, *place.var_files}
        for place in (staging, production, environment(directory, ""))
    ]
    assert not places[0] & places[1]
    assert not (places[0] | places[1]) & places[2]


def test_a_backend_s_file_is_found_by_the_environment_s_name(directory: Path) -> None:
    file = directory / "environments/staging.s3.tfbackend"
    file.write_text("")
    assert environment(directory, "staging").backend_config == file
    assert environment(directory, "production").backend_config is None


def test_two_backends_are_refused(directory: Path) -> None:
    for kind in ("s3", "gcs"):
        (directory / f"environments/staging.{kind}.tfbackend").write_text("")
    with pytest.raises(UnknownEnvironmentError, match=r"staging\.gcs\.tfbackend, .*staging\.s3"):
        environment(directory, "staging")


@pytest.mark.parametrize("name", ["test", "../staging", "/etc/kshrc", "stag ing", "-x"])
def test_an_unknown_one_is_told_with_those_that_exist(directory: Path, name: str) -> None:
    with pytest.raises(UnknownEnvironmentError, match="there are: production, staging"):
        environment(directory, name)


def test_the_first_one_is_told_where_to_be(tmp_path: Path) -> None:
    with pytest.raises(UnknownEnvironmentError, match=r"environments/NAME\.tfvars, and there is n"):
        environment(tmp_path, "staging")


@pytest.mark.parametrize("name", ["terraform.tfvars", "terraform.tfvars.json"])
def test_variables_of_another_stack_do_not_get_in(directory: Path, name: str) -> None:
    (directory / name).write_text("")
    with pytest.raises(UnknownEnvironmentError, match="what belongs to another stack"):
        environment(directory, "staging")


@pytest.mark.parametrize(
    ("name", "stack"),
    [
        ("staging", "sesbounce-staging"),
        ("Pre_Prod-2", "sesbounce-pre-prod-2"),
        ("a-_-b_", "sesbounce-a-b"),
        ("", None),
    ],
)
def test_each_has_a_name_of_its_own(directory: Path, name: str, stack: str | None) -> None:
    (directory / f"environments/{name}.tfvars").touch()
    assert environment(directory, name).stack_name == stack


@pytest.mark.parametrize(
    "file", ["terraform.tfvars", "terraform.tfvars.json", "all.auto.tfvars", "x.auto.tfvars.json"]
)
def test_files_of_variables_are_known(directory: Path, file: str) -> None:
    place = environment(directory, "")
    assert not has_variables(directory, place)
    (directory / file).touch()
    assert has_variables(directory, place)


def test_an_environment_has_a_file_of_its_own(directory: Path) -> None:
    assert has_variables(directory, environment(directory, "staging"))


def test_only_files_of_environments_are_for_git() -> None:
    """They are needed where nobody has them on the disk, in CI; a state never gets in."""
    root = Path(__file__).parents[4]

    def ignored(path: str) -> bool:
        command = ["git", "check-ignore", "--quiet", "--no-index", path]
        return subprocess.run(command, cwd=root, check=False).returncode == 0

    assert not ignored("terraform/environments/staging.tfvars")
    assert ignored("terraform/terraform.tfvars")
    assert ignored("terraform/environments/staging.tfstate")
    assert ignored("terraform/environments/.terraform/staging/terraform.tfstate")
