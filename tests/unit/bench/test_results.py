from pathlib import Path

from rich.console import Console

from tests.bench.figures import Sample, standing
from tests.bench.machine import Machine
from tests.bench.results import (
    HEADING,
    Conditions,
    Memory,
    Results,
    section,
    tables,
    write_section,
)

NAMES = {"a": "tutorial loop", "h": "sesbounce"}
SAMPLES = {
    "a": [Sample(100, 1.0, 0.1, 110, 100, 90_000_000, 0.01)],
    "h": [Sample(4000, 1.0, 0.8, 800, 20, 110_000_000, 0.07)],
}
MACHINE = Machine("A CPU", 2, "Linux 6", "3.11.7", "3.40.1", {"boto3": "1.43.0"}, 0.1)
RESULTS = Results(
    machine=MACHINE,
    conditions=Conditions(5, 10, 3, 10, same=False),
    names=NAMES,
    samples=SAMPLES,
    standing=standing(SAMPLES),
    memory=Memory(1_000_000, 400, {5: 110_000_000, 100: 111_000_000}, 112_000_000),
)


def test_the_section_holds_the_figures_the_machine_and_the_goals() -> None:
    text = section(RESULTS, "chart.svg")
    assert "| (a) tutorial loop | 100 | 40.00 | 1,000 | 1,100 | 1,000.0 | 90 | 1% |" in text
    assert "| (h) sesbounce | 4,000 | 1.00 | 200 | 200 | 5.0 | 110 | 7% |" in text
    assert "| messages/s, times (a) | 40.00 | ≥ 35 | met |" in text
    assert "A CPU, 2 cores, Linux 6; Python 3.11.7, SQLite 3.40.1, boto3 1.43.0" in text
    assert "](chart.svg)" in text
    assert "110 MB after 5 %, 111 MB after 100 %; at most 112 MB" in text


def test_the_terminal_shows_the_same() -> None:
    console = Console(width=120)
    with console.capture() as shown:
        console.print(*tables(RESULTS))
    for word in ("(a) tutorial loop", "40.00", "≥ 35", "met"):
        assert word in shown.get()


def test_only_the_section_of_its_own_is_rewritten(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text(f"# Benchmarks\n\n{HEADING}\n\nold\n\n## After\n\nkept\n")
    write_section(f"{HEADING}\n\nnew\n", page)
    assert page.read_text() == f"# Benchmarks\n\n{HEADING}\n\nnew\n\n## After\n\nkept\n"


def test_a_page_without_the_section_gets_it_at_the_end(tmp_path: Path) -> None:
    page = tmp_path / "benchmarks.md"
    page.write_text("# Benchmarks\n\n## Before\n\nkept\n")
    write_section(f"{HEADING}\n\nnew\n", page)
    write_section(f"{HEADING}\n\nnewer\n", page)
    assert page.read_text() == f"# Benchmarks\n\n## Before\n\nkept\n\n{HEADING}\n\nnewer\n"
