"""Writes the tables in the READMEs of the Terraform modules and examples from their code.

    python -m scripts.terraform.docs           # writes the tables
    python -m scripts.terraform.docs --check   # only names the READMEs that are out of date

Tables and marks are those of terraform-docs, which would be one more binary to install.
"""

import argparse
import functools
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import hcl2

from scripts import ScriptError
from sesbounce.cli.output import written
from sesbounce.errors import SesBounceError

_TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"
DOCUMENTED = (_TERRAFORM / "modules", _TERRAFORM / "examples")

_BEGIN = "<!-- BEGIN_TF_DOCS -->\n"
_END = "<!-- END_TF_DOCS -->\n"


class DocsError(ScriptError):
    """A README has no place for its tables."""


def blocks(folder: Path, kind: str) -> dict[str, dict[str, Any]]:
    """Return a folder's blocks of one kind, `variable` or `output`, by name in their order."""
    return {
        name: {key: plain(value) for key, value in block.items()}
        for entry in parsed(folder / f"{kind}s.tf")[kind]
        for name, block in ((plain(name), block) for name, block in entry.items())
    }


def tables(folder: Path) -> str:
    """Return the text between the marks in a folder's README; a table without rows is left out."""
    inputs = [
        (
            f"`{name}`",
            variable["description"],
            f"`{variable['type']}`",
            f"`{json.dumps(variable['default'])}`" if "default" in variable else "",
            "no" if "default" in variable else "yes",
        )
        for name, variable in blocks(folder, "variable").items()
    ]
    outputs = [
        (f"`{name}`", output["description"]) for name, output in blocks(folder, "output").items()
    ]
    return "\n".join(
        _table(title, heads, rows)
        for title, heads, rows in (
            ("Requirements", ("Name", "Version"), list(_requirements(folder))),
            ("Resources", ("Name",), [(f"`{name}`",) for name in resources(folder)]),
            ("Inputs", ("Name", "Description", "Type", "Default", "Required"), inputs),
            ("Outputs", ("Name", "Description"), outputs),
        )
        if rows
    )


def with_tables(readme: Path) -> str:
    """Return the text of a README with its tables up to date.

    Raises:
        DocsError: the README lacks the marks.
    """
    text = readme.read_text("utf-8")
    before, begin, rest = text.partition(_BEGIN)
    _, end, after = rest.partition(_END)
    if not begin or not end:
        raise DocsError(f"{readme} lacks the lines {_BEGIN.strip()} and {_END.strip()}: add them.")
    return f"{before}{begin}{tables(readme.parent)}{end}{after}"


def resources(folder: Path) -> list[str]:
    """Return the addresses of a folder's resources and data sources, sorted."""
    found = set()
    for file in folder.glob("*.tf"):
        for kind, prefix in (("resource", ""), ("data", "data.")):
            for entry in parsed(file).get(kind, ()):
                for of_type, named in entry.items():
                    found |= {f"{prefix}{plain(of_type)}.{plain(name)}" for name in named}
    return sorted(found)


def parsed(file: Path) -> dict[str, Any]:
    """Return a file's blocks by kind, as the parser gives them: see `plain`."""
    return _parsed(file.read_text("utf-8"))


@functools.cache  # the parser takes half a second for a thousand lines
def _parsed(text: str) -> dict[str, Any]:
    content: dict[str, Any] = hcl2.loads(text)
    return content


def plain(value: Any) -> Any:
    """Remove the marks that the parser leaves on texts and expressions."""
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and value.startswith('"'):
        return json.loads(value)
    if isinstance(value, str) and value.startswith("${"):
        return re.sub(r"\s+", " ", value[2:-1])
    return value


def _requirements(folder: Path) -> Iterator[tuple[str, str]]:
    (terraform,) = parsed(folder / "versions.tf")["terraform"]
    yield "terraform", plain(terraform["required_version"])
    for providers in terraform["required_providers"]:
        for name, provider in providers.items():
            if not name.startswith("__"):
                version = {plain(key): value for key, value in provider.items()}["version"]
                yield name, plain(version)


def _table(title: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    body = "".join(f"| {' | '.join(line)} |\n" for line in lines)
    return f"## {title}\n\n{body}"


def main(arguments: Sequence[str] | None = None, documented: Sequence[Path] = DOCUMENTED) -> int:
    """Run the command line; returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.terraform.docs",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args(arguments).check
    stale = []
    try:
        for readme in sorted(file for folder in documented for file in folder.glob("*/README.md")):
            new = with_tables(readme)
            if new == readme.read_text("utf-8"):
                continue
            stale.append(readme.parent.name)
            if not check:
                with written(readme) as output:
                    output.write(new)
    except (DocsError, SesBounceError) as error:
        print(f"terraform_docs: {error}", file=sys.stderr)
        return 2
    for name in stale:
        print(f"{name}: {'out of date' if check else 'written'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
