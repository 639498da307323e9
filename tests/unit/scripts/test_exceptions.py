"""The tree of exceptions in `scripts/__init__.py` shows the exceptions that the modules define."""

import re
from pathlib import Path

import scripts

ROOT = Path(scripts.__file__).parents[1]
CLASS = re.compile(r"^class (?P<name>[A-Z]\w*Error)\((?P<base>\w+)\):", re.MULTILINE)
LINE = re.compile(r"^ +[x+-] (?P<name>\w+) +\((?P<module>[\w.]+)\)$", re.MULTILINE)


def test_the_tree_is_complete() -> None:
    defined = {
        found["name"]: ".".join(path.relative_to(ROOT).with_suffix("").parts)
        for path in (ROOT / "scripts").rglob("*.py")
        for found in CLASS.finditer(path.read_text("utf-8"))
        if found["name"] != "ScriptError"
    }
    assert len(defined) > 10
    assert dict(LINE.findall(scripts.__doc__ or "")) == defined


def test_the_tree_is_in_order() -> None:
    names = re.findall(r"^  x (\w+)", scripts.__doc__ or "", re.MULTILINE)
    assert names == sorted(names)
