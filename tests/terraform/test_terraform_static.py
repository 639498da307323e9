from typing import Any

import pytest

from tests.terraform.conftest import FOLDERS, SOURCE, Terraform

PASSED = {"status": "pass", "failed": 0, "errored": 0, "skipped": 0}


def test_the_stack_and_its_modules_are_found() -> None:
    assert {".", "modules/feedback_queue", "modules/queue_consumer"} <= set(FOLDERS)


def test_everything_is_formatted(terraform: Terraform) -> None:
    done = terraform("fmt", "-check", "-diff", "-recursive", str(SOURCE))
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("folder", FOLDERS)
def test_it_is_valid_and_uses_nothing_deprecated(terraform: Terraform, folder: str) -> None:
    result = terraform.validate(folder)
    # Deprecation comes as a warning, and every warning is a diagnostic.
    assert result["diagnostics"] == []
    assert result["valid"]


@pytest.mark.parametrize("folder", FOLDERS)
def test_its_own_tests_pass(terraform: Terraform, folder: str) -> None:
    report = terraform.test(folder)
    complaints = [line["@message"] for line in report if line["type"] == "diagnostic"]
    assert complaints == []
    summary: dict[str, Any] = next(
        line["test_summary"] for line in report if line["type"] == "test_summary"
    )
    # Terraform calls it a success when there is no test at all.
    assert summary.pop("passed") > 0
    assert summary == PASSED
