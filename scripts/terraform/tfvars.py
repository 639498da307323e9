"""Reads a variable from the files in which a person has set it, before Terraform runs."""

import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import hcl2
from lark.exceptions import LarkError

from scripts.terraform.docs import plain
from scripts.terraform.environments import Environment

_FIRST = ("terraform.tfvars", "terraform.tfvars.json")
_AUTO = (".auto.tfvars", ".auto.tfvars.json")


def given(
    variable: str,
    directory: Path,
    place: Environment,
    environment: Mapping[str, str] = os.environ,
) -> Any:
    """Return the value that a variable is given; None if nothing gives it one.

    A file that can't be read gives none: Terraform, which reads it next, explains what is wrong.
    https://developer.hashicorp.com/terraform/language/values/variables#variable-definition-precedence

    Args:
        variable: the name of a variable of the root module.
        directory: the root module.
        place: the files of the stack's environment.
        environment: the variables of the process.
    """
    values = {variable: environment.get(f"TF_VAR_{variable}")}
    for file in _files(directory, place):
        values |= _content(file)
    return values[variable]


def _files(directory: Path, place: Environment) -> Iterator[Path]:
    """The files in which Terraform looks, those that count more later."""
    yield from (directory / name for name in _FIRST)
    yield from sorted(file for file in directory.iterdir() if file.name.endswith(_AUTO))
    yield from place.var_files


def _content(file: Path) -> dict[str, Any]:
    try:
        text = file.read_text("utf-8")
        content = json.loads(text) if file.suffix == ".json" else hcl2.loads(f"{text}\n")
    except (OSError, ValueError, LarkError):
        return {}
    return {plain(name): plain(value) for name, value in content.items()}
