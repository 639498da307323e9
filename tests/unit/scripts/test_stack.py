"""The adapter over python-terraform, with a program in Terraform's place that tells its calls."""

import json
import os
import stat
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from scripts import stack as module
from scripts.stack import Change, Stack, StackError

FAKE = """\
    #!{python}
    import json, os, pathlib, sys
    if sys.argv[1] == "version":
        print(json.dumps({{"terraform_version": "1.9.0"}}))
        sys.exit()
    here = pathlib.Path({folder!r})
    files = [a.partition("=")[2] for a in sys.argv if a.startswith("-var-file=")]
    call = {{
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "files": files,
        "modes": [os.stat(name).st_mode for name in files],
        "variables": [json.load(open(name)) for name in files],
    }}
    with open(here / "calls", "a") as calls:
        print(json.dumps(call), file=calls)
    answer = here / sys.argv[1]
    if answer.exists():
        exec(answer.read_text())
"""


class FakeTerraform:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        binary = folder / "terraform"
        code = textwrap.dedent(FAKE).format(python=sys.executable, folder=str(folder))
        binary.write_text(code)
        binary.chmod(0o755)

    def answers(self, command: str, code: str) -> None:
        """Let a command run this Python."""
        (self.folder / command).write_text(code)

    def says(self, command: str, *messages: object, status: int = 0) -> None:
        lines = [f"print({json.dumps(message)!r}, flush=True)" for message in messages]
        self.answers(command, "\n".join([*lines, f"sys.exit({status})"]))

    def calls(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]

    def last(self) -> dict[str, Any]:
        return self.calls()[-1]


@pytest.fixture
def terraform(tmp_path: Path) -> FakeTerraform:
    folder = tmp_path / "bin"
    folder.mkdir()
    return FakeTerraform(folder)


@pytest.fixture
def stack(terraform: FakeTerraform, tmp_path: Path) -> Stack:
    directory = tmp_path / "configuration"
    directory.mkdir()
    return Stack(
        directory,
        data_dir=tmp_path / "data",
        state=tmp_path / "state/terraform.tfstate",
        variables={"name": "a", "tags": {"x": [1, "zwei"]}, "secret": 'q"$'},
        environment={
            "PATH": str(terraform.folder),
            "HOME": str(tmp_path),
            "MINE": "1",
            "TF_WORKSPACE": "another",
            "TF_CLI_ARGS_apply": "-target=x",
        },
    )


def progress_of(stack: Stack) -> list[str]:
    lines: list[str] = []
    stack.apply(lines.append)
    return lines


def test_apply_does_not_ask(stack: Stack, terraform: FakeTerraform) -> None:
    stack.apply()
    arguments = terraform.last()["arguments"]
    assert arguments[0] == "apply"
    assert {"-auto-approve=true", "-input=false", "-json", "-no-color"} <= set(arguments)


def test_destroy_asks_neither_and_does_without_force(
    stack: Stack, terraform: FakeTerraform
) -> None:
    stack.destroy()
    arguments = terraform.last()["arguments"]
    assert arguments[0] == "destroy"
    assert "-auto-approve" in arguments
    assert not [argument for argument in arguments if "force" in argument]


@pytest.mark.parametrize("command", ["init", "apply", "destroy"])
def test_no_option_of_the_library_reaches_terraform(
    stack: Stack, terraform: FakeTerraform, command: str
) -> None:
    getattr(stack, command)()
    assert not [a for a in terraform.last()["arguments"] if "synchronous" in a]


def test_init_has_no_option_of_apply(stack: Stack, terraform: FakeTerraform) -> None:
    stack.init()
    assert not [a for a in terraform.last()["arguments"] if a.startswith(("-state", "-var"))]


def test_variables_go_through_a_private_file_that_goes(
    stack: Stack, terraform: FakeTerraform
) -> None:
    stack.apply()
    call = terraform.last()
    assert call["variables"] == [{"name": "a", "tags": {"x": [1, "zwei"]}, "secret": 'q"$'}]
    assert [stat.S_IMODE(mode) for mode in call["modes"]] == [0o600]
    assert not Path(call["files"][0]).exists()


def test_the_environment_is_the_given_one_and_python_keeps_its_own(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "real")
    before = dict(os.environ)
    stack.apply()
    seen = terraform.last()["environment"]
    assert dict(os.environ) == before
    assert seen["MINE"] == "1"
    assert seen["TF_DATA_DIR"] == str(tmp_path / "data")
    assert not {"AWS_PROFILE", "TF_WORKSPACE", "TF_CLI_ARGS_apply"} & set(seen)


def test_state_and_data_lie_outside_the_configuration(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    stack.apply()
    call = terraform.last()
    assert call["folder"] == str(tmp_path / "configuration")
    assert f"-state={tmp_path}/state/terraform.tfstate" in call["arguments"]
    assert list(stack.directory.iterdir()) == []
    assert [stat.S_IMODE(p.stat().st_mode) for p in (stack.data_dir, stack.state.parent)] == [
        0o700,
        0o700,
    ]


def test_progress_comes_while_terraform_runs(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    go_on = tmp_path / "go on"
    message = json.dumps({"@message": "topic: Creating...", "type": "apply_start"})
    # It ends only if the line was handed on before its end.
    terraform.answers(
        "apply",
        f"import time\nprint({message!r}, flush=True)\n"
        f"while not os.path.exists({str(go_on)!r}): time.sleep(0.01)",
    )
    lines: list[str] = []

    def progress(line: str) -> None:
        lines.append(line)
        go_on.touch()

    stack.apply(progress)
    assert lines == ["topic: Creating..."]


def test_progress_leaves_out_what_is_no_progress(stack: Stack, terraform: FakeTerraform) -> None:
    deprecated = {"severity": "warning", "summary": "Deprecated flag: -state", "detail": "…"}
    undeclared = {"severity": "warning", "summary": "Undeclared variable", "detail": "bogus"}
    terraform.says(
        "apply",
        {"@message": "Terraform 1.9.0", "type": "version"},
        {"@message": "Warning", "type": "diagnostic", "diagnostic": deprecated},
        {"@message": "Warning", "type": "diagnostic", "diagnostic": undeclared},
        {"@message": "topic: Creation complete after 1s", "type": "apply_complete"},
        ["not a message"],
    )
    assert progress_of(stack) == [
        "Warning: Undeclared variable\nbogus",
        "topic: Creation complete after 1s",
    ]


def test_an_error_has_terraforms_words(stack: Stack, terraform: FakeTerraform) -> None:
    diagnostic = {
        "severity": "error",
        "summary": "invalid topic name",
        "detail": "It may hold letters only.",
        "address": "aws_sns_topic.main",
        "range": {"filename": "main.tf", "start": {"line": 16}},
    }
    message = {"@message": "Error", "type": "diagnostic", "diagnostic": diagnostic}
    terraform.says("apply", message, status=1)
    with pytest.raises(StackError) as caught:
        stack.apply(print)
    assert str(caught.value).splitlines() == [
        f"terraform apply failed in {stack.directory}:",
        "Error: invalid topic name",
        "with aws_sns_topic.main, on main.tf line 16",
        "It may hold letters only.",
        "Put right what Terraform names and run the same again; what was made is kept.",
    ]


def test_an_error_outside_the_messages_is_shown_too(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.answers("init", "sys.exit('Error: Required plugins are not installed')")
    with pytest.raises(StackError, match=r"Required plugins are not installed\nRun init first\."):
        stack.init()


def test_much_on_both_streams_does_not_block(stack: Stack, terraform: FakeTerraform) -> None:
    much = "for i in range(4000): print('x' * 100); print('y' * 100, file=sys.stderr)\n"
    terraform.answers("apply", much)
    stack.apply()


def test_terraform_ends_in_peace_after_an_interrupt(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    message = json.dumps({"@message": "topic: Creating...", "type": "apply_start"})
    written = tmp_path / "written"
    terraform.answers(
        "apply",
        f"print({message!r}, flush=True)\nfor i in range(9999): print('x' * 99)\n"
        f"open({str(written)!r}, 'w').close()",
    )

    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        stack.apply(interrupt)
    assert written.exists()
    assert not Path(terraform.last()["files"][0]).exists()


def test_a_plan_tells_what_changes(stack: Stack, terraform: FakeTerraform) -> None:
    # Exit status 2: there are changes.
    terraform.answers(
        "plan",
        "out = next(a for a in sys.argv if a.startswith('-out='))\n"
        "open(out[5:], 'w').close()\nsys.exit(2)",
    )
    terraform.says(
        "show",
        {
            "resource_changes": [
                {"address": "aws_sns_topic.main", "change": {"actions": ["update"]}},
                {"address": "aws_sqs_queue.main", "change": {"actions": ["delete", "create"]}},
                {"address": "aws_sqs_queue.dead", "change": {"actions": ["no-op"]}},
                {"address": "data.aws_region.here", "change": {"actions": ["read"]}},
            ],
            "output_changes": {
                "url": {"actions": ["create"]},
                "arn": {"actions": ["no-op"]},
            },
        },
    )
    plan = stack.plan()
    assert plan.changes == (
        Change("aws_sns_topic.main", ("update",)),
        Change("aws_sqs_queue.main", ("delete", "create")),
        Change("output.url", ("create",)),
    )
    assert not plan.empty
    assert list(stack.data_dir.iterdir()) == []


def test_a_plan_without_changes_is_empty(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("show", {"format_version": "1.2"})
    assert stack.plan().empty


def test_outputs_are_plain_values(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("output", {"arn": {"value": "a", "sensitive": True}, "n": {"value": [1]}})
    assert stack.outputs() == {"arn": "a", "n": [1]}
    assert f"-state={stack.state}" in terraform.last()["arguments"]


def test_failing_outputs_are_an_error(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.answers("output", "sys.exit('Error: state version 9')")
    with pytest.raises(StackError, match="state version 9"):
        stack.outputs()


@pytest.mark.parametrize("text", ["", '{"version": 4, "resour', "null", "{}"])
def test_a_state_cut_short_is_refused(stack: Stack, terraform: FakeTerraform, text: str) -> None:
    stack.state.parent.mkdir()
    stack.state.write_text(text)
    with pytest.raises(StackError, match="There is no backup"):
        stack.apply()
    stack.state.with_name("terraform.tfstate.backup").write_text('{"version": 4}')
    with pytest.raises(StackError, match=r"mv \S+\.backup \S+terraform\.tfstate"):
        stack.apply()
    assert not (terraform.folder / "calls").exists()


def test_a_whole_state_is_taken(stack: Stack, terraform: FakeTerraform) -> None:
    stack.state.parent.mkdir()
    stack.state.write_text('{"version": 4}')
    stack.apply()
    assert len(terraform.calls()) == 1


def test_a_misspelt_method_is_an_error(stack: Stack) -> None:
    with pytest.raises(AttributeError, match="aply"):
        stack._terraform.aply()


def test_the_variables_are_not_logged(stack: Stack, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("DEBUG"):
        stack.apply()
    assert 'q"$' not in caplog.text


@pytest.mark.parametrize(("words", "advice"), module._ADVICE)
def test_each_advice_is_given(
    stack: Stack, terraform: FakeTerraform, words: str, advice: str
) -> None:
    terraform.answers("init", f"sys.exit({words.title()!r})")
    with pytest.raises(StackError) as caught:
        stack.init()
    assert str(caught.value).endswith(advice)
