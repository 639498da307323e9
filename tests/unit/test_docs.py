"""The documents say what is so, and name only what exists."""

import importlib
import inspect
import json
import re
import shlex
from collections.abc import Iterable, Iterator
from pathlib import Path

import click
import hcl2
import pytest
import sqlalchemy as sa
from pydantic import SecretStr

from scripts import docs, website
from sesbounce.cli import main
from sesbounce.doctor.path import groups
from sesbounce.extras import MODULES
from sesbounce.feedback.decode import decode
from sesbounce.feedback.manual import decide
from sesbounce.feedback.reason import Effect, Reason
from sesbounce.outbound.webhook import TEST
from sesbounce.settings import PREFIX, Settings
from sesbounce.store.engine import open_database
from sesbounce.store.statements import Parameters
from sesbounce.store.strike_off import StrikeOff
from sesbounce.variables import API_TOKEN, API_URL, OTHER_VARIABLES, SECRETS
from tests import stored
from tests.stored import make_members
from tests.support import AT, said

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
BY_TASK = (ROOT / "docs/command-line.md").read_text()
PACKAGE = ROOT / "worker/src/sesbounce"
TERRAFORM_MODULES = ROOT / "terraform/modules"
PAGES = [*sorted(ROOT.glob("*.md")), *sorted(ROOT.glob("docs/*.md"))]
# The changelog also names what is gone.
TEXTS = [page for page in PAGES if page.name != "CHANGELOG.md"]
TEXTS += [
    file
    for pattern in (
        "terraform/**/*.md",
        "terraform/**/*.tf",
        "terraform/*.example",
        "worker/README.md",
        "worker/Dockerfile",
        "worker/src/**/*.py",
        "scripts/**/*.py",
        ".github/**/*.md",
        ".github/**/*.yml",
    )
    for file in sorted(ROOT.glob(pattern))
    if ".terraform" not in file.parts
]
LINKING = [ROOT / "CHANGELOG.md", *(file for file in TEXTS if file.suffix == ".md")]
CONTEXTS = {context.command_path: context for context in docs.contexts()}
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
VARIABLES = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields}
VARIABLES |= OTHER_VARIABLES | {SECRETS, API_URL, API_TOKEN}


def rows(text: str) -> dict[str, list[str]]:
    """The rows of the tables in a text, by their first cell without backticks."""
    cells = (line.strip().split("|")[1:-1] for line in text.splitlines() if line[:2] == "| ")
    return {first.strip("` "): [cell.strip() for cell in rest] for first, *rest in cells}


def named(pattern: str, files: Iterable[Path] = TEXTS) -> list[tuple[str, re.Match[str]]]:
    """Where the files name something: the file and line, and the match."""
    return [
        (f"{file}:{number}", match)
        for file in files
        for number, line in enumerate(file.read_text("utf-8").splitlines(), 1)
        for match in re.finditer(pattern, line)
    ]


def test_the_pages_that_the_code_writes_are_up_to_date() -> None:
    assert docs.COMMANDS.read_text("utf-8") == docs.commands_page(), "run python -m scripts.docs"
    page = docs.SETTINGS.read_text("utf-8")
    assert docs.settings_page(page) == page, "run python -m scripts.docs"


def test_options_of_one_name_take_values_of_one_name() -> None:
    """A reader learns `--region REGION` once; the types of click are no words of a manual."""
    values: dict[str, set[str]] = {}
    for context in CONTEXTS.values():
        for option in context.command.params:
            if isinstance(option, click.Option) and not option.is_flag:
                values.setdefault(option.opts[0], set()).add(option.make_metavar(context))
    differing = {name for name, metavars in values.items() if len(metavars) > 1}
    assert differing == {"--by", "--format", "--from"}  # each means two things
    shown = {metavar for metavars in values.values() for metavar in metavars}
    assert {metavar for metavar in shown if "INTEGER" in metavar or "FLOAT" in metavar} == set()
    assert {name for name, metavars in values.items() if "TEXT" in metavars} == {"--note"}


def test_each_group_of_settings_begins_with_a_setting() -> None:
    assert set(docs.GROUPS) <= set(Settings.model_fields)
    assert next(iter(Settings.model_fields)) in docs.GROUPS


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_documented(name: str) -> None:
    field = Settings.model_fields[name]
    default, description = rows(docs.SETTINGS.read_text("utf-8"))[f"{PREFIX}{name.upper()}"]
    value = field.default
    value = value.get_secret_value() if isinstance(value, SecretStr) else value
    assert default == ("" if value in (None, []) else f"`{value}`")
    assert description == (field.description or "?")


@pytest.mark.parametrize("name", Parameters.__annotations__)
def test_every_parameter_of_statements_is_documented(name: str) -> None:
    page = (ROOT / "docs/database.md").read_text()
    first_cells = [cell for cell in rows(page) if cell.startswith(":")]
    assert f":{name}" in re.findall(r":\w+", " ".join(first_cells))
    help_text = CONTEXTS["sesbounce db check"].command.help or ""
    assert f":{name}" in re.findall(r":\w+", help_text)


def test_every_variable_of_the_scripts_is_known_to_the_command() -> None:
    files = [ROOT / "Makefile", *ROOT.glob("scripts/**/*.py"), *ROOT.glob(".github/**/*.yml")]
    found = {match[0] for _, match in named(r"SESBOUNCE_[A-Z_]*[A-Z]", files)}
    assert OTHER_VARIABLES <= found <= VARIABLES


def test_every_variable_that_a_text_names_exists() -> None:
    found = named(r"SESBOUNCE_[A-Z_]*[A-Z]")
    assert len(found) > 100
    assert [place for place, match in found if match[0] not in VARIABLES] == []
    # `…_STRIKES` stands for the rest of a name.
    shortened = named(r"…(_[A-Z][A-Z_]+)")
    assert shortened
    assert [p for p, m in shortened if not any(name.endswith(m[1]) for name in VARIABLES)] == []


@pytest.mark.parametrize("path", CONTEXTS)
def test_every_command_and_option_is_documented(path: str) -> None:
    section = docs.COMMANDS.read_text("utf-8").partition(f"## `{path}`\n")[2].partition("\n## ")[0]
    assert f"Usage: {path} " in section
    options = [o for p in CONTEXTS[path].command.params for o in p.opts if o.startswith("--")]
    assert [option for option in options if f"  {option}" not in section] == []
    _, name, *_ = [*path.split(), ""]
    assert f"sesbounce {name}".strip() in BY_TASK


@pytest.mark.parametrize(
    "command",
    [
        pytest.param(context.command, id=path)
        for path, context in CONTEXTS.items()
        if not isinstance(context.command, click.Group)
    ],
)
def test_every_command_explains_its_exit_codes(command: click.Command) -> None:
    codes = dict(re.findall(r"^  (\S.*?)  +(\S.*)$", command.epilog or "", re.MULTILINE))
    assert {"0", "2", "70"} <= set(codes)
    assert command.callback
    source = inspect.getsource(command.callback)
    # These exit with 3, or ask the person, for several commands.
    recording = re.compile(r"\b(_record|_decide|finish)\(")
    asking = re.compile(r"\b(confirm|_decide|agreed)\(")
    assert ("1" in codes) == bool(
        re.search(r"sys\.exit\((MAY_NOT|DIFFERS|_RED|_NOT_ACCEPTED)\)", source)
    )
    assert ("3" in codes) == ("sys.exit(PARTLY_DONE)" in source or bool(recording.search(source)))
    assert ("4" in codes) == bool(asking.search(source))


def unknown_commands(files: Iterable[Path]) -> Iterator[str]:
    """Each place where a text names a command or an option that does not exist.

    A word after `sesbounce` is a command, unless it belongs to a sentence that no backtick has
    begun, such as "sesbounce keeps …" or "sesbounce itself".
    """
    prose = re.compile(
        r"[a-z]+(s|ed)|itself|another|alone|also|still|worker|and|or|to|into|must|can't"
    )
    for place, match in named(r"(?<![\w.-])(`?)(?:\S*/)?sesbounce +([a-z][^`\n]*)", files):
        words = match[2].split()
        name = re.match(r"[a-z'-]+", words[0])
        path = f"sesbounce {name[0] if name else words[0]}"
        if path not in CONTEXTS:
            if match[1] or not prose.fullmatch(path.removeprefix("sesbounce ")):
                yield f"{place} {path}"
            continue
        if isinstance(CONTEXTS[path].command, click.Group) and words[1:] and words[1][0].islower():
            path = f"{path} {words[1].strip('.,;:)')}"
            if path not in CONTEXTS:
                yield f"{place} {path}"
                continue
        params = CONTEXTS[path].command.params
        known = {option for p in params for option in (*p.opts, *p.secondary_opts)} | {"--help"}
        for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*", match[2]):
            if option not in known:
                yield f"{place} {path} {option}"


def test_every_command_that_a_text_names_exists() -> None:
    assert len(named(r"`sesbounce [a-z]+")) > 30
    assert list(unknown_commands(TEXTS)) == []


def shown_commands() -> Iterator[tuple[Path, list[str]]]:
    """The commands that the pages show at a prompt or in a shell: the page, and the words."""
    for page in (page for page in TEXTS if page.suffix == ".md"):
        text = page.read_text("utf-8")
        for block in re.findall(r"```(?:sh|console)\n(.*?)```", text, re.DOTALL):
            for line in re.findall(r"^(?:\$ )?sesbounce ([a-z].*)$", block, re.MULTILINE):
                if "…" not in line:
                    yield page, shlex.split(re.split(r"\s#\s|\s(?:&&|\||>)\s", line)[0])
    # What a person types when an alarm is on.
    page = ROOT / "docs/operating.md"
    for line in re.findall(r"`sesbounce ([a-z][^`]*)`", page.read_text("utf-8")):
        yield page, shlex.split(line)


def test_commands_that_the_pages_show_can_be_typed_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)  # which holds the files that the commands read
    wrong = []
    shown = list(shown_commands())
    assert len(shown) > 60
    for page, words in shown:
        for word in words:
            if re.fullmatch(r"[\w-]+\.(csv|json|jsonl)", word):
                Path(word).touch()
        names = list(words)
        command: click.Command | None = main
        while isinstance(command, click.Group) and names and not names[0].startswith("-"):
            command = command.get_command(click.Context(command), names.pop(0))
        assert command, words
        try:
            command.make_context("sesbounce", names).close()
        except click.UsageError as error:
            wrong.append(f"{page.name}: {shlex.join(words)}: {error.format_message()}")
    assert wrong == []


@pytest.mark.parametrize(
    "text",
    [
        "See which and why with sesbounce requeue, then redrive it.",
        "read them (`sesbounce requeue`)",
        "`sesbounce keeps`",
        "run `sesbounce db downgrade`",
        ".venv/bin/sesbounce whyever jane@example.com",
        "$ sesbounce list --reasons x",
        "`sesbounce db check --json`",
    ],
)
def test_a_command_that_does_not_exist_is_found(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"`sesbounce list --reason x` is fine, and sesbounce keeps it.\n{text}\n")
    (found,) = unknown_commands([page])
    assert ":2 " in found


def test_every_extra_that_a_text_names_exists() -> None:
    found = named(r"sesbounce\[([a-z,]+)\]")
    assert len(found) > 10
    assert {extra for _, match in found for extra in match[1].split(",")} <= {*MODULES, "all"}


def unknown_targets(files: Iterable[Path]) -> Iterator[str]:
    """Each place where a text names a target that the Makefile does not have.

    A word after `make` is a target where code or an instruction begins with `make`.
    """
    prose = {"it", "one", "sure", "them", "an", "a", "the"}
    for place, match in named(r"(?:^\s*|[`$>:] *|\b(?:and|run|then) )make +([a-z][a-z-]*)", files):
        if match[1] not in TARGETS | prose:
            yield f"{place} make {match[1]}"


def test_every_target_that_a_text_names_exists() -> None:
    assert len(named(r"\bmake (deploy|demo|test)\b")) > 30
    assert list(unknown_targets(TEXTS)) == []


@pytest.mark.parametrize(
    "text", ["`make deploi ARGS=--yes`", "make tests   # all", "Put it back: make deployment"]
)
def test_a_target_that_does_not_exist_is_found(text: str, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"`make deploy` makes it, or they make friends.\n{text}\n")
    (found,) = unknown_targets([page])
    assert ":2 " in found


def test_every_python_name_that_a_page_names_exists() -> None:
    pages = [page for page in PAGES if page in TEXTS]
    found = named(r"`(sesbounce(?:\.[a-z_]+)+)`", pages)
    assert found
    for place, match in found:
        if match[1] == TEST:  # the type of a webhook's event
            continue
        module, _, attribute = match[1].rpartition(".")
        try:
            importlib.import_module(match[1])
        except ModuleNotFoundError:
            assert hasattr(importlib.import_module(module), attribute), f"{place} {match[1]}"


def test_contributing_shows_every_package() -> None:
    table = CONTRIBUTING.partition("The package `worker/src/sesbounce/`")[2].partition("```")[0]
    shown = {name.strip("/") for name in rows(table)} - {"package", "---"}
    packages = {path.stem for path in PACKAGE.glob("[a-z]*") if path.suffix != ".typed"}
    packages.add("__main__")
    assert shown == packages
    picture = CONTRIBUTING.partition("Imports run downward only:\n\n```text\n")[2]
    names = re.split(r" · |\n", picture.partition("\n```")[0])
    assert sorted(names) == sorted(packages)


def test_every_target_of_the_makefile_is_explained() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)) == TARGETS
    phony = makefile.partition(".PHONY:")[2].partition("\n\n")[0].replace("\\\n", " ")
    assert set(phony.split()) == TARGETS


def test_each_page_is_in_the_navigation_of_the_site() -> None:
    website.check_pages()


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub makes of a page's headings."""
    headings = re.findall(r"^#+ (.+)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("document", LINKING, ids=lambda file: str(file.relative_to(ROOT)))
def test_links_lead_somewhere(document: Path) -> None:
    for link in re.findall(r"\]\(([^)]+)\)", document.read_text("utf-8")):
        if not link.startswith("https://"):
            file, _, anchor = link.partition("#")
            page = document.parent / file if file else document
            assert page.exists(), link
            assert not anchor or anchor in anchors(page), link


def test_every_alarm_says_what_it_means_and_what_to_do() -> None:
    page = (ROOT / "docs/operating.md").read_text()
    entries = re.findall(r"^### `([\w-]+)`\n(.*?)(?=\n###? )", page, re.MULTILINE | re.DOTALL)
    (monitoring,) = hcl2.loads((TERRAFORM_MODULES / "monitoring/alarms.tf").read_text())["locals"]
    assert sorted(name for name, _ in entries) == sorted(monitoring["candidates"])
    assert (
        "docs/operating.md#${each.key}" in (TERRAFORM_MODULES / "monitoring/alarms.tf").read_text()
    )
    for name, entry in entries:
        assert "**It means:**" in entry, name
        assert "**Do this:**" in entry, name
    (scaling,) = hcl2.loads((TERRAFORM_MODULES / "worker_service/autoscaling.tf").read_text())[
        "locals"
    ]
    steps = re.findall(r"(\w+) = \{description", scaling["steps"])
    assert steps == ["wake", "sleep"]
    section = page.partition("### Alarms that scale the worker\n")[2].partition("\n## ")[0]
    assert set(steps) <= set(re.findall(r"`(\w+)`", section))


def test_no_alarm_is_declared_where_the_page_about_alarms_does_not_look() -> None:
    resource = re.compile(r'^resource "aws_cloudwatch_\w*alarm"', re.MULTILINE)
    files = [f for f in ROOT.glob("terraform/**/*.tf") if resource.search(f.read_text("utf-8"))]
    assert {str(file.relative_to(TERRAFORM_MODULES)) for file in files} == {
        "monitoring/alarms.tf",
        "worker_service/autoscaling.tf",
        "feedback_topic/main.tf",  # `subscription-dlq` of a topic in another region or account
    }


def test_every_reason_is_explained_with_what_it_does() -> None:
    page = rows((ROOT / "docs/reasons.md").read_text())
    table = {name: cells[0].strip("`") for name, cells in page.items() if len(cells) == 2}
    table.pop("reason")
    assert {name: effect for name, effect in table.items() if effect != "---"} == {
        reason.value: reason.effect.value for reason in Reason
    }
    assert {effect.value for effect in Effect} <= set(page)


def test_every_check_of_the_doctor_is_explained() -> None:
    page = (ROOT / "docs/doctor.md").read_text()
    explained = {name for cell in rows(page) for name in re.findall(r"[a-z]+\.[a-z-]+", cell)}
    all_groups = groups(Settings(), lambda: sa.create_engine("sqlite://"), None)
    checks = {check.id for group in all_groups for check in group.checks}
    assert explained == checks | {"roundtrip.bounce", "roundtrip.complaint"}


def test_the_tests_that_the_reliability_page_names_are_there() -> None:
    page = (ROOT / "docs/reliability.md").read_text()
    tests = "\n".join(file.read_text() for file in ROOT.glob("tests/**/test_*.py"))
    names = re.findall(r"::(test_\w+)", page)
    assert len(names) > 5
    assert [name for name in names if f"def {name}(" not in tests] == []
    for file in re.findall(r"`(tests/[\w/]+\.py)", page):
        assert (ROOT / file).exists()


@pytest.mark.parametrize("page", ["README.md", "docs/strike-off.md"])
def test_the_statements_of_a_page_strike_off_and_restore(page: str, tmp_path: Path) -> None:
    section = (ROOT / page).read_text("utf-8")
    exports = dict(re.findall(r"^export (SESBOUNCE_\w+)='([^']+)'", section, re.MULTILINE))
    assert set(exports) == {
        "SESBOUNCE_DATABASE_URL",
        "SESBOUNCE_STRIKE_OFF_SQL",
        "SESBOUNCE_RESTORE_SQL",
    }
    engine = open_database(f"sqlite:///{tmp_path}/app.sqlite3")
    make_members(engine, "Jane@Example.com")
    strike_off = StrikeOff(exports["SESBOUNCE_STRIKE_OFF_SQL"], exports["SESBOUNCE_RESTORE_SQL"])
    store = stored.store(engine, strike_off)
    assert store.record([decode(json.dumps(said()))], AT).struck_rows == 1
    query = re.search(r"SELECT 1 FROM suppressed .*", README)
    assert query
    assert f"\n{query[0]} " in (ROOT / "docs/ask.md").read_text("utf-8")
    with engine.connect() as connection:
        assert connection.scalar(sa.text(query[0]), {"to": "Jane@Example.com"}) == 1
    allowed = decide("jane@example.com", Reason.ALLOWED_BY_HAND, AT)
    assert store.record([allowed], AT).restored_rows == 1
    engine.dispose()
