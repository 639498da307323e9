import re
from typing import Any

import pytest

from scripts.terraform.docs import parsed, plain
from tests.terraform.conftest import FOLDERS, SOURCE, Terraform, assert_passed

# Those of the stack, its modules and its examples; conftest.py runs the one of the policies.
TESTS = sorted(
    str(file.relative_to(SOURCE))
    for file in SOURCE.rglob("*.tftest.hcl")
    if file != SOURCE / "tests/rendered.tftest.hcl"
)
DEPRECATED = """\
resource "aws_iam_role" "this" {
  assume_role_policy  = jsonencode({})
  managed_policy_arns = []
}
"""
TEST = """\
mock_provider "aws" {}

run "plan" {
  command = plan
}
"""


def test_the_stack_and_its_modules_are_found() -> None:
    assert {".", "modules/feedback_queue", "modules/queue_consumer"} <= set(FOLDERS)


@pytest.mark.parametrize("folder", FOLDERS)
def test_each_folder_has_tests(folder: str) -> None:
    assert list((SOURCE / folder / "tests").glob("*.tftest.hcl"))


def test_everything_is_formatted(terraform: Terraform) -> None:
    done = terraform("fmt", "-check", "-diff", "-recursive", str(SOURCE))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("file", TESTS)
def test_it_is_valid_and_its_own_tests_pass(terraform: Terraform, file: str) -> None:
    folder, _, name = file.rpartition("tests/")
    assert_passed(terraform.test(folder or ".", name))


def test_what_the_feedback_queue_had_itself_moves_to_its_topic() -> None:
    """As long as somebody may have deployed the version before; whole_stack/ plans it."""
    text = (SOURCE / "modules/feedback_queue/moved.tf").read_text("utf-8")
    moved = re.findall(
        r"^moved \{\n  from = (\S+)\n  to   = module\.topic\.(\S+)\n\}$", text, re.MULTILINE
    )
    assert {before for before, _ in moved} == {
        "aws_ses_identity_notification_topic.this",
        "aws_sesv2_email_identity_feedback_attributes.this",
        "aws_sns_topic.this",
        "aws_sns_topic_policy.this",
        "aws_sns_topic_subscription.email",
        "aws_sns_topic_subscription.queue",
        "aws_sqs_queue.subscription_dlq",
    }
    forgotten = re.findall(
        r"^removed \{\n  from = (\S+)\n\n  lifecycle \{\n    destroy = false\n  \}\n\}$",
        text,
        re.MULTILINE,
    )
    # Version 2 of SES's API has other types for them; SES keeps them, and a person imports them.
    assert set(forgotten) == {
        "aws_ses_configuration_set.this",
        "aws_ses_domain_identity.this",
        "aws_ses_email_identity.this",
        "aws_ses_event_destination.this",
        "aws_sesv2_configuration_set_event_destination.this",
    }


@pytest.fixture(scope="module")
def modules() -> dict[str, dict[str, Any]]:
    """The arguments that the stack gives to its modules, by the module's name."""
    return {
        plain(name): arguments
        for module in parsed(SOURCE / "main.tf")["module"]
        for name, arguments in module.items()
    }


# The provider sets the tags of all resources, and the stack's state never holds a secret.
NOT_SET = {"tags", "secret_in_state"}


def test_the_stack_sets_each_variable_of_its_modules(modules: dict[str, dict[str, Any]]) -> None:
    forgotten = {
        f"{name}.{plain(variable)}"
        for name, arguments in modules.items()
        for block in parsed(SOURCE / plain(arguments["source"]) / "variables.tf")["variable"]
        for variable in block
        if plain(variable) not in arguments.keys() | NOT_SET
    }
    assert len(modules) > 5
    assert forgotten == set()


# What a function in AWS Lambda has no use for: it has another size, and no image, cluster or tasks.
OF_TASKS = {
    "network.assign_public_ip",
    "worker.backlog_per_task",
    "worker.cluster_arn",
    "worker.container_insights",
    "worker.cpu_units",
    "worker.create_repository",
    "worker.max_tasks",
    "worker.memory_mib",
    "worker.min_tasks",
    "worker.on_demand_base",
    "worker.processes",
    "worker.repository_arn",
    "worker.shutdown_seconds",
    "worker.use_spot",
}


def test_a_setting_of_the_worker_counts_in_each_mode(modules: dict[str, dict[str, Any]]) -> None:
    read = {
        name: set(re.findall(r"var\.((?:network|worker)\.\w+)", str(modules[name])))
        for name in ("worker_service", "worker_lambda")
    }
    assert read["worker_service"] - read["worker_lambda"] == OF_TASKS
    assert read["worker_lambda"] - read["worker_service"] == {"worker.function"}
    policies = [modules[name][key] for name, key in POLICIES]
    assert all("local.worker_policies" in str(policy) for policy in policies)


# Where each mode gives the worker's role its further policies.
POLICIES = (
    ("worker_service", "task_policies"),
    ("worker_lambda", "policies"),
    ("api_service", "task_policies"),
)


def test_a_schedule_starts_no_task_before_it_has_what_a_service_waits_for() -> None:
    waits = {
        kind: set(re.findall(r"aws_\w+\.\w+", str(block[kind]['"this"']["depends_on"])))
        for kind, file in (
            ('"aws_ecs_service"', "main.tf"),
            ('"aws_scheduler_schedule"', "schedule.tf"),
        )
        for block in parsed(SOURCE / "modules/worker_service" / file)["resource"]
        if kind in block
    }
    of_service, of_schedule = waits.values()
    assert len(of_service) > 5
    assert of_schedule - of_service == {"aws_iam_role_policy.schedule"}
    assert of_service <= of_schedule


def test_what_is_deprecated_would_be_found(terraform: Terraform) -> None:
    """The test above relies on it."""
    folder = terraform.root / "terraform/deprecated"
    (folder / "tests").mkdir(parents=True)
    (folder / "versions.tf").write_text((SOURCE / "versions.tf").read_text("utf-8"))
    (folder / "main.tf").write_text(DEPRECATED)
    (folder / "tests/deprecated.tftest.hcl").write_text(TEST)
    report = terraform.test("deprecated", "deprecated.tftest.hcl")
    found = {line["diagnostic"]["summary"] for line in report if line["type"] == "diagnostic"}
    assert found == {"Argument is deprecated"}
