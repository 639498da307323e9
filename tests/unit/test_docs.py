"""The documents say what is so."""

import json
import re
from pathlib import Path

import pytest
import sqlalchemy as sa

from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.policy.verdict import Policy
from sesbounce.settings import PREFIX, Settings
from sesbounce.store.engine import open_database
from sesbounce.store.store import Store
from sesbounce.store.strike_off import StrikeOff
from tests.stored import make_members
from tests.support import AT, said

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a text, by their first cell without backticks."""
    cells = (line.strip().split("|")[1:-1] for line in text.splitlines() if line[:2] == "| ")
    return {first.strip("` "): [cell.strip() for cell in rest] for first, *rest in cells}


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_in_the_readme(name: str) -> None:
    field = Settings.model_fields[name]
    default, description = rows(README)[f"{PREFIX}{name.upper()}"]
    assert default == ("" if field.default in (None, []) else f"`{field.default}`")
    assert description.startswith(field.description or "?")


def test_the_readme_names_no_setting_that_is_not() -> None:
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
    known |= {"SESBOUNCE_TERRAFORM_MIRROR"}
    assert set(re.findall(r"SESBOUNCE_[A-Z_]+[A-Z]", README)) <= known


def test_every_target_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE))
    phony = makefile.partition(".PHONY:")[2].partition("\n\n")[0].replace("\\\n", " ")
    assert set(phony.split()) == targets


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("docs/*.md")))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)\)", document.read_text()):
        if not link.startswith("https://"):
            assert (document.parent / link).exists(), link


def test_every_reason_is_explained_with_what_it_does() -> None:
    page = rows((ROOT / "docs/reasons.md").read_text())
    table = {name: cells[0].strip("`") for name, cells in page.items() if len(cells) == 2}
    table.pop("reason")
    assert {name: effect for name, effect in table.items() if effect != "---"} == {
        reason.value: reason.effect.value for reason in Reason
    }
    assert {effect.value for effect in Effect} <= set(page)


def test_the_tests_that_the_reliability_page_names_are_there() -> None:
    page = (ROOT / "docs/reliability.md").read_text()
    tests = "\n".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py"))
    named = re.findall(r"::(test_\w+)", page)
    assert len(named) > 5
    assert [name for name in named if f"def {name}(" not in tests] == []
    for file in re.findall(r"`(tests/[\w/]+\.py)", page):
        assert (ROOT / file).exists()


def test_the_statements_of_the_readme_strike_off_and_restore(tmp_path: Path) -> None:
    section = README.partition("## Strike off in your own table")[2].partition("\n### ")[0]
    exports = dict(re.findall(r"^export (SESBOUNCE_\w+)='([^']+)'", section, re.MULTILINE))
    assert set(exports) == {
        "SESBOUNCE_DATABASE_URL",
        "SESBOUNCE_STRIKE_OFF_SQL",
        "SESBOUNCE_RESTORE_SQL",
    }
    engine = open_database(f"sqlite:///{tmp_path}/app.sqlite3")
    make_members(engine, "Jane@Example.com")
    strike_off = StrikeOff(exports["SESBOUNCE_STRIKE_OFF_SQL"], exports["SESBOUNCE_RESTORE_SQL"])
    store = Store(engine, Policy(), strike_off)
    store.prepare()
    assert store.record([decode(json.dumps(said()))], AT).struck_rows == 1
    query = re.search(r"SELECT 1 FROM suppressed .*", README)
    assert query
    with engine.connect() as connection:
        assert connection.scalar(sa.text(query[0]), {"to": "Jane@Example.com"}) == 1
    allowed = decide("jane@example.com", Reason.ALLOWED_BY_HAND, AT)
    assert store.record([allowed], AT).restored_rows == 1
    engine.dispose()
