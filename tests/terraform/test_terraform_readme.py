"""The READMEs, the examples and the documents agree with the code."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from scripts.terraform import fetch
from scripts.terraform.docs import blocks, main, tables
from tests.terraform.conftest import FOLDERS, SOURCE, Terraform, assert_passed

MODULES = sorted(file.parent.name for file in SOURCE.glob("modules/*/versions.tf"))
EXAMPLES = sorted(file.parent.name for file in SOURCE.glob("examples/*/versions.tf"))
DOCUMENTED = [folder for folder in FOLDERS if folder != "."]
# Every module and example looks alike: whoever knows one finds their way in the others.
FILES = {"main.tf", "variables.tf", "outputs.tf", "versions.tf", "README.md"}


def module(name: str) -> Path:
    return SOURCE / "modules" / name


def readme(name: str) -> str:
    return (module(name) / "README.md").read_text("utf-8")


def test_the_tables_are_those_of_today() -> None:
    assert main(["--check"]) == 0


@pytest.mark.parametrize("name", DOCUMENTED)
def test_each_module_and_example_has_the_same_files(name: str) -> None:
    assert {file.name for file in (SOURCE / name).iterdir()} >= FILES


@pytest.mark.parametrize("name", DOCUMENTED)
def test_the_tables_name_everything(name: str) -> None:
    """Counted without the parser that made them."""
    folder = SOURCE / name
    said = (folder / "README.md").read_text("utf-8")
    for kind in ("variable", "output"):
        code = (folder / f"{kind}s.tf").read_text("utf-8")
        names = re.findall(rf'^{kind} "(\w+)" {{', code, re.MULTILINE)
        assert names
        assert [each for each in names if f"| `{each}` |" not in said] == []
    for file in folder.glob("*.tf"):
        for of_type, its_name in re.findall(
            r'^(?:resource|data) "(\w+)" "(\w+)"', file.read_text("utf-8"), re.MULTILINE
        ):
            assert f"{of_type}.{its_name}`" in said


def test_stale_tables_are_found_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "queue_consumer"
    copy.mkdir()
    for file in (*module("queue_consumer").glob("*.tf"), module("queue_consumer") / "README.md"):
        (copy / file.name).write_text(file.read_text("utf-8"))
    variables = copy / "variables.tf"
    variables.write_text(variables.read_text("utf-8").replace("of the one queue", "of a queue"))
    assert main(["--check"], [tmp_path]) == 1
    assert capsys.readouterr().out == "queue_consumer: out of date\n"
    assert main([], [tmp_path]) == 0
    assert tables(copy) in (copy / "README.md").read_text("utf-8")
    assert main(["--check"], [tmp_path]) == 0


def test_a_readme_without_a_place_for_the_tables_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "queue_consumer"
    copy.mkdir()
    (copy / "README.md").write_text("# queue_consumer\n")
    assert main([], [tmp_path]) == 2
    assert "lacks the lines" in capsys.readouterr().err


def test_the_usages_are_valid(terraform: Terraform) -> None:
    """All at once: each module's usage is a file of one configuration."""
    folder = terraform.root / "terraform" / "usages"
    folder.mkdir()
    for name in MODULES:
        (usage,) = re.findall(
            r"^## Usage\n.*?^```hcl\n(.*?)^```$", readme(name), re.MULTILINE | re.DOTALL
        )
        assert f'source = "./modules/{name}"' in usage
        (folder / f"{name}.tf").write_text(usage.replace('"./modules/', '"../modules/'))
    result = terraform.validate(folder.name)
    assert result["diagnostics"] == []
    assert result["valid"]
    done = terraform("fmt", "-check", "-diff", folder=folder.name)
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def workflow_text() -> str:
    (text,) = re.findall(r"^```yaml\n(.*?)^```$", readme("deploy_role"), re.MULTILINE | re.DOTALL)
    assert isinstance(text, str)
    return text


@pytest.fixture(scope="module")
def workflow(workflow_text: str) -> dict[str, Any]:
    loaded: dict[str, Any] = YAML(typ="safe").load(workflow_text)
    return loaded


@pytest.mark.parametrize(
    "linter",
    [
        ("check-jsonschema", "--builtin-schema", "vendor.github-workflows"),
        ("yamllint", "--strict", "-d", "{extends: default, rules: {line-length: {max: 100}}}"),
    ],
    ids=lambda linter: linter[0],
)
def test_the_workflow_is_valid(workflow_text: str, linter: tuple[str, ...], tmp_path: Path) -> None:
    file = tmp_path / "deploy.yml"
    file.write_text(workflow_text)
    command = [str(Path(sys.executable).parent / linter[0]), *linter[1:], str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_workflow_has_all_that_a_deployment_needs(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"id-token": "write", "contents": "read"}
    (job,) = workflow["jobs"].values()
    # The stack's image is for ARM64 unless the user says otherwise.
    assert 'cpu_architecture     = optional(string, "ARM64")' in (
        SOURCE / "variables.tf"
    ).read_text("utf-8")
    assert job["runs-on"].endswith("-arm")
    used = {step["uses"].split("@")[0]: step.get("with", {}) for step in job["steps"][:-1]}
    assert list(used) == [
        "actions/checkout",
        "actions/setup-python",
        "hashicorp/setup-terraform",
        "aws-actions/configure-aws-credentials",
    ]
    assert used["hashicorp/setup-terraform"] == {
        "terraform_version": fetch.VERSION,
        "terraform_wrapper": False,
    }
    assert job["steps"][-1] == {"run": "make deploy ENV=production ARGS=--yes"}


def test_the_workflow_s_job_is_one_that_the_usage_trusts(workflow: dict[str, Any]) -> None:
    (job,) = workflow["jobs"].values()
    assert f'environments  = ["{job["environment"]}"]' in readme("deploy_role")
    role = job["steps"][-2]["with"]["role-to-assume"]
    assert role == "arn:aws:iam::123456789012:role/sesbounce-deploy"


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_example_is_linked(name: str) -> None:
    readme = (SOURCE / "examples/README.md").read_text("utf-8")
    assert f"]({name}/README.md)" in readme


def test_the_list_of_modules_is_complete() -> None:
    readme = (SOURCE / "modules/README.md").read_text("utf-8")
    linked = re.findall(r"^\| \[(\w+)\]\(\1/README\.md\) \| \S", readme, re.MULTILINE)
    assert sorted(linked) == sorted(path.parent.name for path in SOURCE.glob("modules/*/main.tf"))


@pytest.mark.parametrize("name", MODULES)
def test_every_module_is_used_by_the_stack(name: str) -> None:
    """By the stack itself, or by a module that it uses."""
    by_stack = f'"./modules/{name}"' in (SOURCE / "main.tf").read_text("utf-8")
    code = "".join(file.read_text("utf-8") for file in SOURCE.glob("modules/*/main.tf"))
    assert by_stack or f'"../{name}"' in code


def test_the_stack_passes_the_feedback_queue_on_as_it_is() -> None:
    for kind, keys in {
        "variable": ("description", "type", "default", "nullable"),
        "output": ("description",),
    }.items():
        said_by_stack = blocks(SOURCE, kind)
        for name, block in blocks(module("feedback_queue"), kind).items():
            if name == "tags":  # the stack sets tags in its provider
                continue
            # The stack derives it for a function, and says so.
            same = ("type",) if name == "visibility_timeout_seconds" else keys
            told = {key: block.get(key) for key in same}
            assert {key: said_by_stack[name].get(key) for key in same} == told, name


EXAMPLE_RUN = """\
mock_provider "aws" {
  source          = "./tests/mocks"
  override_during = plan
}

run "example" {
  command = plan
}
"""
OPTIONAL = re.compile(r"(\w+) = optional\((.*?)(?:, (.*))?\)$")


@pytest.mark.parametrize(
    ("variable", "name", "elsewhere"),
    [
        ("worker", "worker_service", {"mode", "schedule", "function", "webhooks"}),
        ("function", "worker_lambda", set()),
        ("api", "api_service", {"client_security_group_ids", "doctor", "dead_letters"}),
        ("database", "database", set()),
        ("monitoring", "monitoring", set()),
        ("github", "deploy_role", {"repository"}),
    ],
)
def test_the_stack_s_objects_have_the_defaults_of_the_modules(
    variable: str, name: str, elsewhere: set[str]
) -> None:
    of_module = blocks(module(name), "variable")
    code = (SOURCE / "variables.tf").read_text("utf-8")
    # Objects within the worker's; the others are variables.
    (function,) = re.findall(r"optional\(object\({\n(.*?)\n    }\), {}\)", code, re.DOTALL)
    (webhooks,) = re.findall(
        r"\n    webhooks += optional\(map\(object\((.*?)\)\), {}\)", code, re.DOTALL
    )
    code = code.replace(webhooks, "")
    (body,) = (
        [function]
        if variable == "function"
        else re.findall(
            rf'^variable "{variable}" {{.*?type = object\({{\n(.*?)\n  }}\)',
            code.replace(function, ""),
            re.MULTILINE | re.DOTALL,
        )
    )
    if "webhooks" in elsewhere:
        type_ = f"map(object({webhooks}))"
        assert "".join(type_.split()) in "".join(
            (module(name) / "variables.tf").read_text().split()
        )
    for line in body.splitlines():
        found = OPTIONAL.match(re.sub(r"\s+", " ", line).strip())
        if found is None:
            assert set(re.findall(r"\w+", line)[:1]) <= elsewhere
            continue
        attribute, of_type, default = found.groups()
        if attribute in elsewhere:
            continue
        assert of_module[attribute]["type"] == of_type, attribute
        expected = of_module[attribute]["default"]
        assert json.loads(default or "null") == expected, attribute


def test_the_example_names_every_variable_of_the_stack() -> None:
    example = (SOURCE / "terraform.tfvars.example").read_text("utf-8")
    assert set(re.findall(r"^(?:# )?(\w+) += ", example, re.MULTILINE)) == set(
        blocks(SOURCE, "variable")
    ) - {"worker_image", "worker_package"}  # which make deploy sets


def test_the_table_of_what_one_has_names_variables() -> None:
    text = (SOURCE.parent / "docs/adopt.md").read_text("utf-8")
    table = text.partition("| --- |")[2].partition("\n\n")[0]
    code = "\n".join(re.findall(r"`([^`]*)`", table))
    used = set(re.findall(r"^([a-z_]+)$|\b([a-z_]+) = ", code, re.MULTILINE))
    names = {name for either in used for name in either if name}
    assert len(names) > 20
    variables = (SOURCE / "variables.tf").read_text("utf-8")
    known = set(re.findall(r"(\w+) +=", variables)) | set(blocks(SOURCE, "variable"))
    assert names - known - set(blocks(SOURCE, "output")) == set()


def test_the_example_is_taken_with_all_that_is_commented_out(terraform: Terraform) -> None:
    """Planned without AWS: Terraform drops attributes that it doesn't know without a word."""
    example = (SOURCE / "terraform.tfvars.example").read_text("utf-8")
    # Prose begins with a capital letter; code doesn't. A topic, a queue or a key is made or given.
    code = re.sub(r"^( *)# (?=[a-z\"} ])", r"\1", example, flags=re.MULTILINE)
    code = re.sub(
        r"^(existing_topic_arn|existing_queue|kms_key_arn) .*\n", "", code, flags=re.MULTILINE
    )
    test = terraform.root / "terraform/tests/example.tftest.hcl"
    test.write_text(f"{EXAMPLE_RUN}\nvariables {{\n{code}}}\n")
    try:
        assert_passed(terraform.test(".", test.name))
    finally:
        test.unlink()
    _all_attributes_are_known(code)


def _all_attributes_are_known(code: str) -> None:
    variables = (SOURCE / "variables.tf").read_text("utf-8")
    known = set(re.findall(r"(\w+) +=", variables)) | set(blocks(SOURCE, "variable"))
    used = set(re.findall(r"^ *([a-z_]+) += ", code, re.MULTILINE))
    assert used <= known
