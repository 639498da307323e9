"""The adapter over python-terraform, with a program in Terraform's place that tells its calls."""

import json
import os
import stat
import sys
import textwrap
from pathlib import Path
from typing import Any

import pytest

from scripts.terraform.output import ADVICE
from scripts.terraform.plan import Change
from scripts.terraform.stack import Stack, StackError

FAKE = """\
    #!{python}
    import json, os, pathlib, sys
    if sys.argv[1] == "version":
        print(json.dumps({{"terraform_version": "1.11.0"}}))
        sys.exit()
    here = pathlib.Path({folder!r})
    files = [a.partition("=")[2] for a in sys.argv if a.startswith("-var-file=")]
    call = {{
        "arguments": sys.argv[1:],
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "files": files,
        "modes": [os.stat(name).st_mode for name in files],
        "variables": [json.loads(open(name).read() or "null") for name in files],
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
    (tmp_path / "staging.tfvars").write_text("")
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
        var_files=[tmp_path / "staging.tfvars"],
    )


@pytest.fixture
def remote(stack: Stack) -> Stack:
    """The same with a backend, as init leaves it behind."""
    stack.data_dir.mkdir(parents=True)
    (stack.data_dir / "terraform.tfstate").write_text('{"version": 3, "backend": {"type": "s3"}}')
    return stack


def plan_that_changes(terraform: FakeTerraform, *changes: dict[str, Any]) -> None:
    """Let the next plan leave a file behind, which is shown so."""
    terraform.answers(
        "plan",
        "out = next(a for a in sys.argv if a.startswith('-out='))\n"
        "open(out[5:], 'w').close()\nsys.exit(2)",  # 2: there are changes
    )
    terraform.says("show", {"resource_changes": list(changes)})


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
    assert call["variables"][-1] == {"name": "a", "tags": {"x": [1, "zwei"]}, "secret": 'q"$'}
    assert stat.S_IMODE(call["modes"][-1]) == 0o600
    assert not Path(call["files"][-1]).exists()


def test_variables_count_more_than_files_of_them(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    plan_that_changes(terraform)
    with stack.planned({"image": "b", "name": "c"}):
        pass
    plan = terraform.calls()[0]
    # The last one counts.
    assert plan["files"][0] == str(tmp_path / "staging.tfvars")
    assert plan["variables"] == [
        None,
        {"name": "c", "tags": {"x": [1, "zwei"]}, "secret": 'q"$', "image": "b"},
    ]
    stack.apply()
    assert "image" not in terraform.last()["variables"][-1]


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


def test_a_default_counts_less_than_what_anybody_has_set(
    stack: Stack, terraform: FakeTerraform
) -> None:
    stack.set_default("name", "first")
    stack.set_default("name", "second")
    stack.apply()
    # Terraform takes TF_VAR_* only where no file and no option gives the variable.
    assert terraform.last()["environment"]["TF_VAR_name"] == "first"


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
    assert not Path(terraform.last()["files"][-1]).exists()


def test_a_plan_tells_what_changes(stack: Stack, terraform: FakeTerraform) -> None:
    plan_that_changes(
        terraform, {"address": "aws_sns_topic.main", "change": {"actions": ["update"]}}
    )
    plan = stack.plan()
    assert plan.changes == (Change("aws_sns_topic.main", ("update",)),)
    assert not plan.empty
    assert list(stack.data_dir.iterdir()) == []


def test_exactly_the_saved_plan_is_applied(stack: Stack, terraform: FakeTerraform) -> None:
    plan_that_changes(terraform)
    with stack.planned() as plan:
        terraform.answers("apply", f"assert os.path.exists({str(plan.saved)!r})")
        stack.apply(plan=plan)
    arguments = terraform.last()["arguments"]
    assert arguments[0] == "apply"
    assert arguments[-1] == str(plan.saved)
    # Terraform takes no variables beside a plan, but has to be told the state again.
    assert not [a for a in arguments if a.startswith("-var")]
    assert f"-state={stack.state}" in arguments
    assert [call["arguments"][0] for call in terraform.calls()] == ["plan", "show", "apply"]
    assert list(stack.data_dir.iterdir()) == []


def test_a_plan_may_be_one_to_destroy(stack: Stack, terraform: FakeTerraform) -> None:
    plan_that_changes(terraform)
    with stack.planned(destroy=True):
        pass
    with stack.planned():
        pass
    plans = [c["arguments"] for c in terraform.calls() if c["arguments"][0] == "plan"]
    assert ["-destroy" in arguments for arguments in plans] == [True, False]


def test_a_plan_is_shown_in_full(stack: Stack, terraform: FakeTerraform) -> None:
    plan_that_changes(terraform)
    with stack.planned() as plan:
        terraform.answers("show", "print('Plan: 1 to add')")
        assert stack.text(plan) == "Plan: 1 to add"
    assert "-json" not in terraform.last()["arguments"]


def test_no_plan_is_left_after_a_failure(stack: Stack, terraform: FakeTerraform) -> None:
    plan_that_changes(terraform)
    terraform.answers("show", "sys.exit('Error: no')")
    with pytest.raises(StackError, match="Error: no"):
        stack.plan()
    assert list(stack.data_dir.iterdir()) == []


def test_a_plan_without_changes_is_empty(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("show", {"format_version": "1.2"})
    assert stack.plan().empty


def test_outputs_are_plain_values(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("output", {"arn": {"value": "a", "sensitive": True}, "n": {"value": [1]}})
    assert stack.outputs() == {"arn": "a", "n": [1]}
    assert f"-state={stack.state}" in terraform.last()["arguments"]


def test_sensitive_outputs_can_be_left_out(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("output", {"key": {"value": "a", "sensitive": True}, "n": {"value": 1}})
    assert stack.outputs(sensitive=False) == {"n": 1}


def test_outputs_are_read_once_until_they_change(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.says("output", {"n": {"value": 1}})
    assert stack.outputs() == stack.outputs(sensitive=False) == {"n": 1}
    stack.apply()
    terraform.says("output", {"n": {"value": 2}})
    assert stack.outputs() == {"n": 2}
    stack.destroy()
    terraform.says("output", {})
    assert stack.outputs() == {}
    commands = [call["arguments"][0] for call in terraform.calls()]
    assert commands == ["output", "apply", "output", "destroy", "output"]


def test_failing_outputs_are_an_error(stack: Stack, terraform: FakeTerraform) -> None:
    terraform.answers("output", "sys.exit('Error: state version 9')")
    with pytest.raises(StackError, match="state version 9"):
        stack.outputs()


def test_resources_are_found_in_all_modules(stack: Stack, terraform: FakeTerraform) -> None:
    def resource(kind: str, mode: str = "managed") -> dict[str, Any]:
        return {"type": kind, "mode": mode, "values": {"name": kind}}

    child = {"resources": [resource("b")], "child_modules": [{"resources": [resource("c")]}]}
    root = {"resources": [resource("a"), resource("d", "data")], "child_modules": [child]}
    terraform.says("show", {"values": {"root_module": root}})
    stack.state.parent.mkdir()
    stack.state.write_text('{"version": 4}')
    assert stack.resources() == [(kind, {"name": kind}) for kind in "abc"]
    # Terraform would else show the state in its own place.
    assert terraform.last()["arguments"][-1] == str(stack.state)


def test_no_state_knows_no_resources(stack: Stack, terraform: FakeTerraform) -> None:
    assert stack.resources() == []
    terraform.says("show", {"format_version": "1.0"})
    stack.state.parent.mkdir()
    stack.state.write_text('{"version": 4}')
    assert stack.resources() == []


def test_init_forgets_no_state_that_was_elsewhere(stack: Stack, terraform: FakeTerraform) -> None:
    stack.init()
    assert not [a for a in terraform.last()["arguments"] if "reconfigure" in a]


def test_init_completes_the_backend(
    remote: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    remote.init(tmp_path / "staging.s3.tfbackend")
    assert f"-backend-config={tmp_path}/staging.s3.tfbackend" in terraform.last()["arguments"]
    remote.init()
    assert not [a for a in terraform.last()["arguments"] if a.startswith("-backend-config")]


def test_a_backend_s_file_without_a_backend_is_refused(
    stack: Stack, terraform: FakeTerraform, tmp_path: Path
) -> None:
    with pytest.raises(StackError, match=r'no backend, .* terraform \{ backend "s3" \{\} \}'):
        stack.init(tmp_path / "staging.s3.tfbackend")


def test_a_state_left_on_disk_is_not_overlooked(remote: Stack, terraform: FakeTerraform) -> None:
    remote.state.parent.mkdir()
    # As Terraform leaves it when it has moved the state itself.
    remote.state.write_text("")
    remote.init()
    remote.state.write_text('{"version": 4, "resources": [{}]}')
    with pytest.raises(StackError, match=rf"state push {remote.state}"):
        remote.init()


def test_a_remote_state_is_shown_from_where_it_is(remote: Stack, terraform: FakeTerraform) -> None:
    terraform.says("show", {})
    remote.resources()
    assert terraform.last()["arguments"][-1].startswith("-")


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


@pytest.mark.parametrize(("words", "advice"), ADVICE)
def test_each_advice_is_given(
    stack: Stack, terraform: FakeTerraform, words: str, advice: str
) -> None:
    terraform.answers("init", f"sys.exit({words.title()!r})")
    with pytest.raises(StackError) as caught:
        stack.init()
    assert str(caught.value).endswith(advice)
