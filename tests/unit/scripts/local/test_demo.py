import pytest
from rich.console import Console

from scripts.local import demo


@pytest.mark.parametrize("columns", ["20", "80"])
def test_a_table_breaks_no_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(demo, "console", Console(highlight=False))
    rows = [(email, "suppressed_by_hand") for _, email, *_ in demo.MEMBERS]
    demo.print_table("A list", ("address", "reason"), rows)
    title, head, *lines = capsys.readouterr().out.rstrip().splitlines()
    assert (title, head.split()) == ("A list", ["address", "reason"])
    assert [tuple(line.split()) for line in lines] == rows
    assert max(map(len, lines)) <= 80
