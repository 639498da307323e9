"""Writes the arguments that the AWS provider's newest major version has, for the resources in use.

    python -m scripts.terraform.schema   # writes tests/terraform/provider_6.json

The tests run with the locked version of the provider, and compare what the modules use with this
file, so that the modules also work with version 6. The arguments come from an npm package that is
generated from the provider's schema; npm is needed only here.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from scripts import ScriptError
from scripts.setup import npm
from scripts.terraform.docs import resources
from sesbounce.cli.output import written
from sesbounce.errors import SesBounceError

PACKAGE = "@cdktn/provider-aws@25.7.0"
SCHEMA = Path(__file__).resolve().parents[2] / "tests/terraform/provider_6.json"

_TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
_INTERFACE = re.compile(r"^export interface (\w+) .*?{\n(.*?)^}", re.MULTILINE | re.DOTALL)
# Each property has a link to the provider's documentation, which holds the argument's own name.
_PROPERTY = re.compile(
    r"/aws/(?P<version>[\d.]+)/docs/\S+#(?P<name>\w+) .*?"
    r"^ *readonly \w+(?P<optional>\?)?: (?P<type>{.*?}|[^;]+);$",
    re.MULTILINE | re.DOTALL,
)
_TYPES = {
    "string": "string",
    "number": "number",
    "boolean": "bool",
    "string[]": "list(string)",
    "number[]": "list(number)",
    "{ [key: string]: string; }": "map(string)",
}

Block = dict[str, Any]
"""The arguments of a block by name: a type, or a nested block. `!` after a name: it is required."""


class SchemaError(ScriptError):
    """The package lacks a type, or holds something that this script does not know."""


def in_use() -> set[str]:
    """Return the types of resources of all folders; those of data sources begin with `data.`."""
    return {
        name.rpartition(".")[0]
        for folder in {file.parent for file in _TERRAFORM.rglob("*.tf")}
        for name in resources(folder)
        if name.removeprefix("data.").startswith("aws_")
    }


def arguments(declarations: str) -> Block:
    """Return the arguments of a resource from the package's declarations of its type.

    Raises:
        SchemaError: a property has a type that this script does not know.
    """
    interfaces = dict(_INTERFACE.findall(declarations))
    # The first one is the resource's own.
    return _block(next(iter(interfaces)), interfaces)


def _block(interface: str, interfaces: dict[str, str]) -> Block:
    return {
        found["name"] + ("" if found["optional"] else "!"): _type(found["type"], interfaces)
        for found in _PROPERTY.finditer(interfaces[interface])
    }


def _type(declared: str, interfaces: dict[str, str]) -> str | Block:
    plain = re.sub(r"\s+", " ", declared.removesuffix(" | cdktn.IResolvable"))
    if plain.removesuffix("[]") in interfaces:
        return _block(plain.removesuffix("[]"), interfaces)
    if plain not in _TYPES:
        raise SchemaError(f"{PACKAGE} has an argument of the unknown type {declared!r}.")
    return _TYPES[plain]


def fetched(types: set[str]) -> dict[str, str]:
    """Fetch the package, and return the declarations of each type of resource.

    Raises:
        NpmError: npm is missing or fails.
        SchemaError: the package lacks a type.
    """
    wanted = {f"package/lib/{_folder(each)}/index.d.ts": each for each in types}
    found = {wanted[name]: text for name, text in npm.read_files(PACKAGE, wanted).items()}
    if missing := types - found.keys():
        raise SchemaError(f"{PACKAGE} lacks {', '.join(sorted(missing))}.")
    return found


def _folder(resource: str) -> str:
    """Return the package's folder of a type: `sqs-queue`, `data-aws-vpc`."""
    plain = resource.replace("data.", "data_") if "." in resource else resource.removeprefix("aws_")
    return plain.replace("_", "-")


def text(found: dict[str, str]) -> str:
    """Return the file's text: one line for each resource, so that a difference can be read."""
    (version,) = {match["version"] for each in found.values() for match in _PROPERTY.finditer(each)}
    lines = [f"{json.dumps(name)}: {json.dumps(arguments(found[name]))}" for name in sorted(found)]
    body = ",\n".join(lines)
    return (
        f'{{\n"package": {json.dumps(PACKAGE)},\n"version": {json.dumps(version)},\n'
        f'"resources": {{\n{body}\n}}\n}}\n'
    )


def main() -> int:
    """Write the file; returns the exit code."""
    try:
        new = text(fetched(in_use()))
        with written(SCHEMA) as output:
            output.write(new)
    except (ScriptError, SesBounceError) as error:
        print(f"schema: {error}", file=sys.stderr)
        return 1
    print(f"{SCHEMA.name}: written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
