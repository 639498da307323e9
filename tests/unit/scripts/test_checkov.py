"""What scripts.checkov makes of checkov's report; the real one is run by `make lint`."""

import json
from pathlib import Path
from typing import Any

import pytest

from scripts import checkov
from scripts.checkov import CheckovError, complaints, report

NOTHING: dict[str, Any] = {"failed_checks": [], "skipped_checks": [], "parsing_errors": []}
SKIPPED = {"skipped_checks": [{"check_id": "CKV_AWS_26"}]}


def terraform(folder: Path, *comments: str) -> Path:
    (folder / "main.tf").write_text("".join(f"  # {comment}\n" for comment in comments))
    return folder


def program(folder: Path, code: str) -> Path:
    file = folder / "checkov"
    file.write_text(f"#!/bin/sh\n{code}\n")
    file.chmod(0o755)
    return file


def test_nothing_found_is_nothing_to_do(tmp_path: Path) -> None:
    assert complaints(terraform(tmp_path), NOTHING) == []


def test_a_finding_is_told_with_its_place(tmp_path: Path) -> None:
    finding = {
        "file_path": "/main.tf",
        "check_id": "CKV_AWS_26",
        "check_name": "Ensure that all is well",
        "resource": "aws_sns_topic.this",
    }
    assert complaints(terraform(tmp_path), NOTHING | {"failed_checks": [finding]}) == [
        "/main.tf: CKV_AWS_26 Ensure that all is well (aws_sns_topic.this)"
    ]


def test_a_skip_with_a_reason_is_taken(tmp_path: Path) -> None:
    folder = terraform(tmp_path, "checkov:skip=CKV_AWS_26: nothing of a person is in it")
    assert complaints(folder, NOTHING | SKIPPED) == []


@pytest.mark.parametrize("reason", ["", ":", ": "])
def test_a_skip_needs_a_reason(tmp_path: Path, reason: str) -> None:
    folder = terraform(tmp_path, f"checkov:skip=CKV_AWS_26{reason}")
    assert complaints(folder, NOTHING | SKIPPED) == [
        "main.tf: CKV_AWS_26 is skipped without a reason"
    ]


def test_a_skip_of_nothing_has_to_go(tmp_path: Path) -> None:
    folder = terraform(tmp_path, "checkov:skip=CKV_AWS_1: there was something once")
    assert complaints(folder, NOTHING | SKIPPED) == ["main.tf: CKV_AWS_1 skips nothing"]


def test_what_checkov_can_t_read_is_an_error(tmp_path: Path) -> None:
    said = '{"results": {"failed_checks": [], "parsing_errors": ["/main.tf"]}}'
    with pytest.raises(CheckovError, match=r"can.t read /main\.tf"):
        report(tmp_path, program(tmp_path, f"echo '{said}'; exit 1"))


def test_its_own_failure_is_told_in_its_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = program(tmp_path, "echo no such thing >&2; exit 2")
    monkeypatch.setattr(checkov, "program", lambda: broken)
    assert checkov.main(tmp_path) == 2
    assert "checkov failed: no such thing" in capsys.readouterr().err


def test_a_finding_is_an_exit_code(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = json.dumps({"results": NOTHING | {"passed_checks": []}})
    clean = program(tmp_path, f"echo '{said}'")
    monkeypatch.setattr(checkov, "program", lambda: clean)
    assert checkov.main(terraform(tmp_path)) == 0
    assert checkov.main(terraform(tmp_path, "checkov:skip=CKV_AWS_1: it was so once")) == 1
    assert "CKV_AWS_1 skips nothing" in capsys.readouterr().err
