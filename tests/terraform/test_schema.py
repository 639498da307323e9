"""The modules use only what versions 5 and 6 of the AWS provider have in common.

The other tests run with the locked version, a 5.x. `provider_6.json` holds the arguments of a 6.x;
`python -m scripts.terraform.schema` writes it.
"""

import json
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform import schema
from scripts.terraform.docs import parsed, plain
from scripts.terraform.schema import Block
from tests.terraform.conftest import SOURCE, Terraform

WRITTEN: dict[str, Any] = json.loads(schema.SCHEMA.read_text("utf-8"))
META = {"count", "for_each", "provider", "depends_on", "lifecycle", "dynamic"}

Uses = dict[tuple[str, ...], str | None]
"""The arguments that a resource sets, by the names of their blocks: the type, None without one."""


# Each process collects all tests, and the parser takes seconds for all files: the tests parse.
FILES = {
    str(file.relative_to(SOURCE)): file
    for file in sorted(SOURCE.rglob("*.tf"))
    if re.search('^(?:resource|data) "aws_', file.read_text("utf-8"), re.MULTILINE)
}


def bodies(file: Path) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Each of AWS's resources and data sources of a file: its name, its type and what it sets."""
    for kind, prefix in (("resource", ""), ("data", "data.")):
        for entry in parsed(file).get(kind, ()):
            for of_type, named in entry.items():
                if plain(of_type).startswith("aws_"):
                    for name, body in named.items():
                        yield plain(name), prefix + plain(of_type), body


def uses(body: dict[str, Any], block: Block, path: tuple[str, ...] = ()) -> Uses:
    """What a body sets, with the types that a provider declares."""
    known = {name.removesuffix("!"): declared for name, declared in block.items()}
    found: Uses = {}
    for name, value in settings(body):
        declared = known.get(name)
        if not isinstance(declared, dict):
            found[*path, name] = declared
            continue
        found[*path, name] = "block"
        for inner in value if isinstance(value, list) else [value]:
            found |= uses(inner, declared, (*path, name))
    return found


def settings(body: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Arguments and blocks of a body, those within `dynamic` as well."""
    for name, value in body.items():
        if name not in META and not name.startswith("__"):
            yield name, value
    for dynamic in body.get("dynamic", ()):
        for name, block in dynamic.items():
            yield plain(name), block["content"]


def missing(body: dict[str, Any], block: Block) -> Iterator[str]:
    """The required arguments that a body does not set."""
    given = dict(settings(body))
    for name, declared in block.items():
        if name.endswith("!") and name.removesuffix("!") not in given:
            yield name
        if isinstance(declared, dict):
            for inner in given.get(name.removesuffix("!"), ()):
                yield from (f"{name}.{each}" for each in missing(inner, declared))


@pytest.fixture(scope="module")
def told(terraform: Terraform) -> dict[str, Any]:
    """The schema of all types of the locked provider, which Terraform itself starts."""
    terraform.init(".")
    return provider_schema(terraform, terraform.env)


def provider_schema(terraform: Terraform, environment: Mapping[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [terraform.binary, "providers", "schema", "-json"],
        cwd=terraform.root / "terraform",
        env={**environment, "TF_DATA_DIR": str(terraform.root / "data")},
        capture_output=True,
        text=True,
        check=True,
    )
    providers = json.loads(done.stdout)["provider_schemas"]
    (provider,) = (each for name, each in providers.items() if name.endswith("/hashicorp/aws"))
    schema: dict[str, Any] = provider
    return schema


@pytest.fixture(scope="module")
def installed(told: dict[str, Any]) -> dict[str, Block]:
    """The schema of the locked provider, in the form of the file."""
    return {
        prefix + name: declared(each["block"])
        for prefix, kind in (("", "resource_schemas"), ("data.", "data_source_schemas"))
        for name, each in told[kind].items()
    }


def declared(block: dict[str, Any]) -> Block:
    attributes = {
        name: "deprecated" if each.get("deprecated") else type_of(each["type"])
        for name, each in block.get("attributes", {}).items()
    }
    nested = {name: declared(each["block"]) for name, each in block.get("block_types", {}).items()}
    return attributes | nested


def type_of(stated: Any) -> str:
    """The type as the file has it, which does not tell a set from a list."""
    if isinstance(stated, str):
        return stated
    kind, of = stated
    return f"{'map' if kind == 'map' else 'list'}({type_of(of) if kind != 'object' else ''})"


def test_the_file_is_of_version_6_and_of_what_is_in_use() -> None:
    assert WRITTEN["version"].startswith("6.")
    assert WRITTEN["package"] == schema.PACKAGE
    absent = schema.in_use() - WRITTEN["resources"].keys()
    assert absent == set(), "run: python -m scripts.terraform.schema"
    found = {of_type for file in FILES.values() for _, of_type, _ in bodies(file)}
    assert found == schema.in_use()


@pytest.mark.parametrize("name", FILES)
def test_version_6_has_each_argument_and_requires_no_other(name: str) -> None:
    resources = list(bodies(FILES[name]))
    assert resources
    for resource, of_type, body in resources:
        block = WRITTEN["resources"][of_type]
        assert [path for path, kind in uses(body, block).items() if kind is None] == [], resource
        assert list(missing(body, block)) == [], resource


def test_the_types_are_the_same_and_nothing_is_deprecated(installed: dict[str, Block]) -> None:
    compared = 0
    for name, file in FILES.items():
        for resource, of_type, body in bodies(file):
            in_6 = uses(body, WRITTEN["resources"][of_type])
            assert uses(body, installed[of_type]) == in_6, (name, resource)
            compared += len(in_6)
    assert compared > 250


def test_what_version_6_lacks_would_be_found() -> None:
    """The tests above rely on it."""
    block = {"name!": "string", "setting": {"value!": "string"}}
    body = {
        "count": 1,
        "gone": True,
        "dynamic": [{'"setting"': {"for_each": [], "content": [{"old": 1, "__is_block__": True}]}}],
    }
    assert uses(body, block) == {
        ("gone",): None,
        ("setting",): "block",
        ("setting", "old"): None,
    }
    assert list(missing(body, block)) == ["name!", "setting.value!"]


DECLARATIONS = """\
export interface ThingConfig extends cdktn.TerraformMetaArguments {
    /**
    * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/hashicorp/aws/6.1.0/docs/resources/thing#its_name Thing#its_name}
    *
    * A remark.
    */
    readonly itsName: string;
    /**
    * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/hashicorp/aws/6.1.0/docs/resources/thing#tags Thing#tags}
    */
    readonly tags?: {
        [key: string]: string;
    };
    /**
    * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/hashicorp/aws/6.1.0/docs/resources/thing#part Thing#part}
    */
    readonly part?: ThingPart[] | cdktn.IResolvable;
}
export interface ThingPart {
    /**
    * Docs at Terraform Registry: {@link https://registry.terraform.io/providers/hashicorp/aws/6.1.0/docs/resources/thing#on Thing#on}
    */
    readonly on?: boolean | cdktn.IResolvable;
}
"""  # noqa: E501


def test_the_declarations_of_a_resource_are_read() -> None:
    assert schema.arguments(DECLARATIONS) == {
        "its_name!": "string",
        "tags": "map(string)",
        "part": {"on": "bool"},
    }
    assert json.loads(schema.text({"aws_thing": DECLARATIONS})) == {
        "package": schema.PACKAGE,
        "version": "6.1.0",
        "resources": {"aws_thing": schema.arguments(DECLARATIONS)},
    }


def test_an_unknown_type_is_an_error() -> None:
    with pytest.raises(schema.SchemaError, match="unknown type 'symbol'"):
        schema.arguments(DECLARATIONS.replace(": string;\n    /**", ": symbol;\n    /**", 1))


def test_without_npm_nothing_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    before = schema.SCHEMA.read_bytes()
    assert schema.main() == 1
    assert capsys.readouterr().err == "schema: There is no npm on the PATH.\n"
    assert schema.SCHEMA.read_bytes() == before


# Maps of types, which tests/lean_provider.py cuts.
CUT = {"resource_schemas", "data_source_schemas", "ephemeral_resource_schemas"}


def test_the_provider_of_fewer_types_tells_the_same_of_those_in_use(
    terraform: Terraform, told: dict[str, Any]
) -> None:
    lean = provider_schema(terraform, terraform.attached)
    data_sources = {f"data.{name}" for name in lean["data_source_schemas"]}
    assert lean["resource_schemas"].keys() | data_sources >= schema.in_use()
    assert len(lean["resource_schemas"]) < 100 < len(told["resource_schemas"])
    for kind in CUT:
        assert lean.get(kind, {}).items() <= told[kind].items()
    rest = [{k: v for k, v in each.items() if k not in CUT} for each in (lean, told)]
    assert rest[0] == rest[1]
