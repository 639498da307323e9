"""What the READMEs and the example say is what the code says."""

import json
import re
from pathlib import Path
from typing import Any

import hcl2
import pytest

from tests.terraform.conftest import SOURCE

MODULES = sorted(file.parent.name for file in SOURCE.glob("modules/*/versions.tf"))


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """Return the folder's blocks of one kind, by name."""
    with (folder / f"{kind}s.tf").open(encoding="utf-8") as file:
        parsed = hcl2.load(file)
    return {
        _plain(name): {key: _plain(value) for key, value in block.items()}
        for entry in parsed[kind]
        for name, block in entry.items()
    }


def _plain(value: Any) -> Any:
    """Take off the marks that the parser leaves on texts and expressions."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value)
    if isinstance(value, str) and value.startswith("${"):
        return value[2:-1]
    return value


def table(readme: Path, heading: str) -> list[list[str]]:
    """Return the rows of the table under a heading, without its head."""
    section = re.search(rf"^## {heading}\n+((?:\|.*\n)+)", readme.read_text("utf-8"), re.MULTILINE)
    assert section, f"{readme} has no table under '## {heading}'"
    lines = section[1].splitlines()
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


@pytest.mark.parametrize("module", MODULES)
def test_the_readme_tells_every_input(module: str) -> None:
    folder = SOURCE / "modules" / module
    assert table(folder / "README.md", "Inputs") == [
        [
            f"`{name}`",
            variable["description"],
            f"`{variable['type']}`",
            f"`{json.dumps(variable['default'])}`" if "default" in variable else "",
            "no" if "default" in variable else "yes",
        ]
        for name, variable in blocks(folder, "variable").items()
    ]


@pytest.mark.parametrize("module", MODULES)
def test_the_readme_tells_every_output(module: str) -> None:
    folder = SOURCE / "modules" / module
    assert table(folder / "README.md", "Outputs") == [
        [f"`{name}`", output["description"]] for name, output in blocks(folder, "output").items()
    ]


def test_the_stack_passes_the_feedback_queue_on_as_it_is() -> None:
    stack, module = SOURCE, SOURCE / "modules" / "feedback_queue"
    for kind, keys in {
        "variable": ("description", "type", "default", "nullable"),
        "output": ("description",),
    }.items():
        said_by_stack = blocks(stack, kind)
        for name, block in blocks(module, kind).items():
            if name == "tags":  # the stack sets tags in its provider
                continue
            told = {key: block.get(key) for key in keys}
            assert {key: said_by_stack[name].get(key) for key in keys} == told, name


def test_the_example_names_every_variable_of_the_stack() -> None:
    example = (SOURCE / "terraform.tfvars.example").read_text("utf-8")
    assert set(re.findall(r"^(?:# )?(\w+) += ", example, re.MULTILINE)) == set(
        blocks(SOURCE, "variable")
    )
