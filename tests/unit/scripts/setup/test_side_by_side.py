import threading

import pytest

from scripts import ScriptError
from scripts.setup import side_by_side


def test_a_long_installation_says_every_few_seconds_what_it_still_makes(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = threading.Event()
    failure = ScriptError("the index does not answer")

    def make(argument: str) -> ScriptError | None:
        if argument == "checkov":
            return failure
        assert shown.wait(60)
        return None

    def show(line: str, **_: object) -> None:
        lines.append(line)
        if "after" in line and "checkov" not in line:
            shown.set()

    lines: list[str] = []
    monkeypatch.setattr(side_by_side, "_LINE_SECONDS", 0.01)
    monkeypatch.setattr(side_by_side, "_make", make)
    monkeypatch.setattr("builtins.print", show)
    assert side_by_side._make_all(["dev=.venv", "checkov"]) == [failure]
    assert lines[-1].startswith("setup: still installing after ")
    assert lines[-1].endswith(" s: dev")
    assert capsys.readouterr().out == ""
