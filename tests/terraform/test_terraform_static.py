import re

import pytest

from tests.terraform.conftest import FOLDERS, SOURCE, Terraform, assert_passed

# Those of the stack, its modules and its examples; test_policies.py runs the one that it needs.
TESTS = sorted(
    str(file.relative_to(SOURCE))
    for file in SOURCE.rglob("*.tftest.hcl")
    if file != SOURCE / "tests/rendered.tftest.hcl"
)
DEPRECATED = """\
resource "aws_s3_bucket" "this" {
  acl = "private"
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
    """As long as somebody may have deployed the version before; test_whole_stack.py plans it."""
    text = (SOURCE / "modules/feedback_queue/moved.tf").read_text("utf-8")
    moved = re.findall(
        r"^moved \{\n  from = (\S+)\n  to   = module\.topic\.(\S+)\n\}$", text, re.MULTILINE
    )
    assert {before for before, _ in moved} == {
        "aws_ses_configuration_set.this",
        "aws_ses_domain_identity.this",
        "aws_ses_email_identity.this",
        "aws_ses_event_destination.this",
        "aws_ses_identity_notification_topic.this",
        "aws_sesv2_configuration_set_event_destination.this",
        "aws_sesv2_email_identity_feedback_attributes.this",
        "aws_sns_topic.this",
        "aws_sns_topic_policy.this",
        "aws_sns_topic_subscription.email",
        "aws_sns_topic_subscription.queue",
        "aws_sqs_queue.subscription_dlq",
    }


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
