"""A Terraform configuration that is planned, applied and destroyed from Python.

This is the only module that knows python-terraform. Terraform writes its state and its data
where `Stack` says; in the configuration's own folder it leaves `.terraform.lock.hcl` alone,
for which it offers no other place.
"""

import contextlib
import json
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import python_terraform
from python_terraform import IsFlagged, IsNotFlagged

from scripts.terraform_env import TerraformError, terraform_binary

Progress = Callable[[str], None]

_JSON: dict[str, Any] = {"json": IsFlagged, "no_color": IsFlagged}

# What Terraform tells of while it works; the rest repeats the configuration.
_PROGRESS = {"apply_start", "apply_progress", "apply_complete", "apply_errored", "change_summary"}

# The other way to place the state is a backend block in the configuration, which is not ours.
_EXPECTED = {"Deprecated flag: -state"}

# What to do about the errors that are not the configuration's own: its words, our advice.
_ADVICE = (
    ("dependency lock file", "Run init; if it says the same, delete .terraform.lock.hcl first."),
    ("required plugins are not installed", "Run init first."),
    ("module not installed", "Run init first."),
    ("state lock", "Another run works on this stack: wait for its end, then try again."),
    (
        "query available provider packages",
        "Let SESBOUNCE_TERRAFORM_MIRROR name a folder that holds a copy of the provider.",
    ),
    (
        "no valid credential",
        "Terraform has no valid AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID.",
    ),
    ("expiredtoken", "Your AWS session has ended: log in again."),
    (
        "connection refused",
        "Nothing answers at AWS_ENDPOINT_URL; `python -m scripts.localstack status` tells more.",
    ),
)


class StackError(TerraformError):
    """A Terraform command failed; the message holds its words, and what to do."""


@dataclass(frozen=True)
class Change:
    """One thing that a plan would change, such as `aws_sqs_queue.main`, `("update",)`."""

    address: str
    actions: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What an apply would do."""

    changes: tuple[Change, ...]

    @property
    def empty(self) -> bool:
        """Whether an apply would change nothing."""
        return not self.changes


class Stack:
    """One configuration, its variables and its state.

    `environment` is all that Terraform sees of the environment (see `terraform_env`), less the
    TF_* variables that would add options or choose another workspace.
    """

    def __init__(
        self,
        directory: Path,
        *,
        data_dir: Path,
        state: Path,
        variables: Mapping[str, object],
        environment: Mapping[str, str],
    ) -> None:
        self.directory = directory.resolve()
        self.data_dir = data_dir.resolve()
        self.state = state.resolve()
        self._environment = {
            name: value
            for name, value in environment.items()
            if name != "TF_WORKSPACE" and not name.startswith("TF_CLI_ARGS")
        } | {"TF_DATA_DIR": str(self.data_dir)}
        self._terraform = _Terraform(
            working_dir=str(self.directory),
            state=str(self.state),
            variables=dict(variables),
            terraform_bin_path=str(terraform_binary(environment)),
        )

    def init(self) -> None:
        """Install the providers and modules."""
        # python-terraform would hand init the options of apply.
        self._run("init", self._terraform.init, state=None, var=None)

    def plan(self) -> Plan:
        """Return what an apply would do."""
        # In a file of its own, which holds secrets: data_dir is readable by its owner alone.
        saved = self.data_dir / f"{os.getpid()}.tfplan"
        try:
            # Exit status 2 says that there are changes.
            self._run("plan", self._terraform.plan, out=saved, success=(0, 2), **_JSON)
            shown = self._run("show", self._terraform.cmd, "show", str(saved), **_JSON)
        finally:
            saved.unlink(missing_ok=True)
        return _plan(json.loads(shown))

    def apply(self, progress: Progress = print) -> None:
        """Make the real thing as configured."""
        self._run("apply", self._terraform.apply, progress=progress, skip_plan=True, **_JSON)

    def destroy(self, progress: Progress = print) -> None:
        """Remove all that the state knows."""
        self._run(
            "destroy",
            self._terraform.destroy,
            progress=progress,
            force=IsNotFlagged,  # the option of this name is gone since Terraform 1.0
            auto_approve=IsFlagged,
            **_JSON,
        )

    def outputs(self) -> dict[str, Any]:
        """Return the values of the outputs, the sensitive ones among them."""
        # Not python-terraform's output(): it turns a failure into None.
        said = self._run("output", self._terraform.cmd, "output", state=self.state, **_JSON)
        return {name: output["value"] for name, output in json.loads(said).items()}

    def _run(
        self,
        name: str,
        command: Callable[..., Any],
        *arguments: str,
        progress: Progress | None = None,
        success: tuple[int, ...] = (0,),
        **options: object,
    ) -> str:
        """Run one command of python-terraform's and return its standard output."""
        self._check_state()
        for folder in (self.data_dir, self.state.parent):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        transcript = _Transcript(progress)
        # Not synchronous: the library would only give the output at the end.
        with _environ(self._environment):
            process, _, _ = command(*arguments, **options, synchronous=False)
        try:
            status, errors = _follow(process, process.stdout, process.stderr, transcript.add)
        finally:
            self._terraform.temp_var_files.clean_up()
        if status not in success:
            words = transcript.errors() or errors.strip() or transcript.text().strip()
            raise StackError(self._failure(name, words))
        return transcript.text()

    def _failure(self, name: str, words: str) -> str:
        advice = [advice for symptom, advice in _ADVICE if symptom in words.lower()]
        default = "Put right what Terraform names and run the same again; what was made is kept."
        what = f"terraform {name} failed in {self.directory}"
        return "\n".join([f"{what}:", words, *(advice[:1] or [default])])

    def _check_state(self) -> None:
        """Refuse a state file that a killed run left cut short.

        Terraform takes an empty one for a new beginning, and would make everything again.
        """
        if not self.state.exists() or _is_state(self.state):
            return
        backup = self.state.with_name(f"{self.state.name}.backup")
        remedy = (
            f"The state before that run is whole: mv {backup} {self.state}"
            if backup.exists() and _is_state(backup)
            else "There is no backup. If nothing of the stack is left, delete the file; if "
            "something is, remove it by hand or `terraform import` it."
        )
        raise StackError(
            f"{self.state} is empty or cut short: a run was killed while it wrote it. {remedy}"
        )


class _Terraform(python_terraform.Terraform):  # type: ignore[misc]  # the library is not typed
    """python-terraform, less what breaks it under Terraform 1.x."""

    def generate_cmd_string(self, cmd: str, *args: str, **kwargs: object) -> list[str]:
        """Leave out the library's own option, which it passes on to Terraform."""
        kwargs.pop("synchronous", None)
        command: list[str] = super().generate_cmd_string(cmd, *args, **kwargs)
        return command

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do not parse the state, which may be cut short: nobody asks for it."""

    def __getattr__(self, name: str) -> Any:
        """Refuse a misspelt method, which the library would run as a command."""
        raise AttributeError(name)


class _Transcript:
    """What a command says, line by line: JSON messages if it was told so, else text."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lines: list[str] = []
        self._errors: list[str] = []

    def add(self, line: str) -> None:
        self._lines.append(line)
        message = _message(line)
        kind = message.get("type")
        diagnostic = message.get("diagnostic", {})
        if diagnostic.get("severity") == "error":
            self._errors.append(_diagnosis(diagnostic))
        elif self._progress and diagnostic and diagnostic["summary"] not in _EXPECTED:
            self._progress(_diagnosis(diagnostic))
        elif self._progress and kind in _PROGRESS:
            self._progress(message["@message"])

    def text(self) -> str:
        return "".join(self._lines)

    def errors(self) -> str:
        return "\n\n".join(self._errors)


def _message(line: str) -> dict[str, Any]:
    """Return a line of Terraform's machine-readable output; nothing for any other line."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) and "@message" in message else {}


def _diagnosis(diagnostic: Mapping[str, Any]) -> str:
    """Return an error or a warning as Terraform words it on a terminal."""
    where = []
    if address := diagnostic.get("address"):
        where.append(f"with {address}")
    if place := diagnostic.get("range"):
        where.append(f"on {place['filename']} line {place['start']['line']}")
    what = f"{diagnostic['severity'].capitalize()}: {diagnostic['summary']}"
    parts = (what, ", ".join(where), diagnostic.get("detail"))
    return "\n".join(filter(None, parts))


def _plan(shown: Mapping[str, Any]) -> Plan:
    changed = [
        *((change["address"], change["change"]) for change in shown.get("resource_changes", ())),
        *((f"output.{name}", change) for name, change in shown.get("output_changes", {}).items()),
    ]
    return Plan(
        tuple(
            Change(address, tuple(change["actions"]))
            for address, change in changed
            # Reading a data source changes nothing.
            if change["actions"] not in (["no-op"], ["read"])
        )
    )


def _is_state(path: Path) -> bool:
    try:
        return "version" in json.loads(path.read_bytes())
    except (ValueError, TypeError):
        return False


# It logs the variables, secrets among them, for debugging.
logging.getLogger(python_terraform.__name__).setLevel(logging.WARNING)

_environ_lock = threading.Lock()


@contextlib.contextmanager
def _environ(environment: Mapping[str, str]) -> Iterator[None]:
    """Make this the process's environment, as the library takes no other; while one starts."""
    with _environ_lock:
        before = dict(os.environ)
        os.environ.clear()
        os.environ.update(environment)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def _follow(
    process: subprocess.Popen[bytes],
    output: IO[bytes],
    errors: IO[bytes],
    each: Callable[[str], None],
) -> tuple[int, str]:
    """Hand on each line of output as it comes; return the exit status and the error stream."""
    said: list[bytes] = []
    # Read beside the other stream, so that neither pipe can fill up and stop Terraform.
    reader = threading.Thread(target=said.extend, args=(errors,))
    reader.start()
    try:
        for line in output:
            each(line.decode(errors="replace"))
    finally:
        # After an interrupt as well, which Terraform has had too: it must write its state, and
        # a closed pipe would kill it.
        for _ in output:
            pass
        reader.join()
        output.close()
        errors.close()
        process.wait()
    return process.returncode, b"".join(said).decode(errors="replace")
