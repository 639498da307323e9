"""docs/state.md: the state is kept as it says, in moto's S3."""

import re
from pathlib import Path

import pytest

from scripts.terraform.env import terraform_env
from scripts.terraform.stack import Stack
from tests.terraform.conftest import SOURCE
from tests.terraform.moto import running_moto

STATE = (SOURCE.parent / "docs/state.md").read_text("utf-8")
BUCKET = "acme-terraform-state"
KEY = "sesbounce/terraform.tfstate"
# moto can't be asked by a bucket's own host name.
BY_PATH = "use_path_style = true\n"


@pytest.fixture
def backend() -> str:
    (code,) = re.findall(r"(?ms)^```hcl\n(.*?)^```$", STATE)
    assert isinstance(code, str)
    return code


def test_the_state_is_kept_and_locked_there(backend: str, tmp_path: Path) -> None:
    folder = tmp_path / "configuration"
    folder.mkdir()
    (folder / "backend.tf").write_text(backend)
    (folder / "main.tf").write_text('resource "terraform_data" "this" {}\n')
    (tmp_path / "moto.s3.tfbackend").write_text(BY_PATH)
    with running_moto(tmp_path) as moto:
        moto.client("s3").create_bucket(
            Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"}
        )
        moto.client("s3").put_bucket_versioning(
            Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"}
        )
        stack = Stack(
            folder,
            data_dir=tmp_path / "data",
            state=tmp_path / "terraform.tfstate",
            variables={},
            environment=terraform_env(moto.environment),
        )
        stack.init(tmp_path / "moto.s3.tfbackend")
        stack.apply()
        kept = moto.client("s3").list_objects_v2(Bucket=BUCKET)["Contents"]
        assert [found["Key"] for found in kept] == [KEY]
        assert stack.plan().empty
        versions = moto.client("s3").list_object_versions(Bucket=BUCKET)
    assert not (tmp_path / "terraform.tfstate").exists()
    # The lock was made beside it, and taken away.
    assert {gone["Key"] for gone in versions["DeleteMarkers"]} == {f"{KEY}.tflock"}


def test_its_key_is_where_the_deploy_role_may_write(backend: str) -> None:
    assert f'key          = "{KEY}"' in backend
    variables = (SOURCE / "variables.tf").read_text("utf-8")
    assert f'state_key         = optional(string, "{KEY}")' in variables
