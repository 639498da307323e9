from pathlib import Path

import pytest

from scripts.terraform.environments import UnknownEnvironmentError, environment


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
