from pathlib import Path

import pytest

from scripts.terraform.environments import environment
from scripts.terraform.tfvars import given

BROKEN = 'region = "'


def region(directory: Path, name: str = "", **variables: str) -> object:
    return given("region", directory, environment(directory, name), variables)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({}, None),
        ({"terraform.tfvars": 'name = "acme"\n'}, None),
        ({"terraform.tfvars": '# Ningxia\nregion = "cn-northwest-1" # far away'}, "cn-northwest-1"),
        ({"terraform.tfvars.json": '{"region": "cn-north-1"}'}, "cn-north-1"),
        ({"terraform.tfvars": 'region = "a"', "b.auto.tfvars": 'region = "b"'}, "b"),
        ({"c.auto.tfvars.json": '{"region": "c"}', "b.auto.tfvars": 'region = "b"'}, "c"),
        ({"terraform.tfvars": 'region = "a"', "b.auto.tfvars": "region = null"}, None),
        # Terraform says what is wrong with these.
        ({"terraform.tfvars": BROKEN}, None),
        ({"terraform.tfvars.json": "{"}, None),
    ],
)
def test_the_value_is_that_of_the_last_file(
    tmp_path: Path, files: dict[str, str], expected: object
) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    assert region(tmp_path) == expected


def test_an_environment_s_file_counts_more_and_the_process_less(tmp_path: Path) -> None:
    (tmp_path / "environments").mkdir()
    (tmp_path / "environments/staging.tfvars").write_text('region = "eu-west-1"\n')
    (tmp_path / "all.auto.tfvars").write_text('region = "eu-central-1"\n')
    assert region(tmp_path, "staging", TF_VAR_region="us-east-1") == "eu-west-1"
    assert region(tmp_path, TF_VAR_region="us-east-1") == "eu-central-1"
    (tmp_path / "all.auto.tfvars").unlink()
    assert region(tmp_path, TF_VAR_region="us-east-1") == "us-east-1"
