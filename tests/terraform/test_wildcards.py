"""Looks for wildcards in the policies, and for their reasons."""

import json
import re
from collections.abc import Iterator
from typing import Any

from tests.terraform.conftest import SOURCE

# --- Wildcards ----------------------------------------------------------------------------------

STAR = re.compile(r'Resource\s*=\s*\[?"\*"\]?(?P<rest>.*)')


def stars() -> Iterator[tuple[str, str]]:
    for file in sorted(SOURCE.rglob("*.tf")):
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
            if found := STAR.search(line):
                yield f"{file.relative_to(SOURCE)}:{number}", found["rest"]


def test_no_wildcard_resource_goes_without_a_reason() -> None:
    found = dict(stars())
    assert len(found) > 5
    assert [place for place, rest in found.items() if not re.search(r"# \w.{15,}", rest)] == []


def test_no_wildcard_resource_hides_from_that_test(
    rendered: dict[str, dict[str, Any]], full: dict[str, Any], deploy: str
) -> None:
    """All that come out are found in the sources, in the one way to write them."""
    of_keys = [json.loads(rendered[run]["log_kms_key_statement"]) for run in ("full", "lambda")]
    of_the_user = json.dumps({"Statement": of_keys})
    boundary = {
        statement["Sid"]: statement
        for outputs in (full, rendered["lambda"])
        for statement in json.loads(outputs["permissions_boundary_policy"])["Statement"]
    }
    widest = full | {
        "permissions_boundary_policy": json.dumps({"Statement": list(boundary.values())})
    }
    documents = [*_of_full(widest), deploy, rendered["lambda"]["function_policy"], of_the_user]
    found = [
        statement["Sid"]
        for document in documents
        for statement in json.loads(document)["Statement"]
        if "*" in statement["Resource"]
        if statement["Resource"] in ("*", ["*"])
    ]
    written = [place for place, _ in stars() if not place.startswith("examples/")]
    assert len(found) == len(written)


def test_no_action_is_a_wildcard_but_for_whom_the_key_belongs_to(
    full: dict[str, Any], deploy: str
) -> None:
    documents = [*_of_full(full), deploy]
    wild = {
        (statement["Sid"], action)
        for document in documents
        for statement in json.loads(document)["Statement"]
        for action in _listed(statement["Action"])
        if statement["Effect"] == "Allow" and "*" in action
    }
    assert wild == {
        ("IamOfThisAccountDecides", "kms:*"),
        ("SesPublishesToTheEncryptedTopic", "kms:GenerateDataKey*"),
        ("SnsSendsToTheEncryptedQueues", "kms:GenerateDataKey*"),
        ("SnsSendsFromTheExtraTopics", "kms:GenerateDataKey*"),
    }


def test_every_policy_has_the_current_version(rendered: dict[str, dict[str, Any]]) -> None:
    documents = [
        document
        for outputs in rendered.values()
        for name, value in outputs.items()
        for document in (value.values() if name == "deploy_role_policies" else [value])
        if name.endswith(("_policy", "_policies")) and document
    ]
    assert len(documents) > 10
    assert {json.loads(document)["Version"] for document in documents} == {"2012-10-17"}


def _of_full(full: dict[str, Any]) -> list[str]:
    names = ("consumer", "doctor", "execution", "kms_key", "permissions_boundary")
    return [full[f"{name}_policy"] for name in names]


def _listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]
