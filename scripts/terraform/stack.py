"""A Terraform configuration that is planned, applied and destroyed from Python.

This is the only module that knows python-terraform. Terraform writes its state and its data
where `Stack` says; in the configuration's own folder it writes only `.terraform.lock.hcl`,
for which it offers no other place, and only where the provider is not locked for this machine.
"""

import contextlib
import json
import logging
import os
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import python_terraform
from python_terraform import IsFlagged, IsNotFlagged

from scripts.terraform.env import TerraformError, terraform_binary
from scripts.terraform.output import Progress, Transcript, advice
from scripts.terraform.plan import Plan, read_plan
from sesbounce.doctor.declared import resources

_JSON: dict[str, Any] = {"json": IsFlagged, "no_color": IsFlagged}

# A saved plan holds them, and Terraform takes none beside it.
_IN_THE_PLAN: dict[str, Any] = {"var": None, "var_file": None}


class StackError(TerraformError):
    """A Terraform command failed; the message holds its words, and what to do."""


class Stack:
    """One configuration, its variables and its state.

    `environment` is all that Terraform sees of the environment (see `terraform_env`), less the
    TF_* variables that would add options or choose another workspace. `variables` count more than
    `var_files`. Where the configuration has a backend block, the state is where that says, and
    `state` is not used. The outputs are read once, and once more after an apply or a destroy.
    """

    def __init__(
        self,
        directory: Path,
        *,
        data_dir: Path,
        state: Path,
        variables: Mapping[str, object],
        environment: Mapping[str, str],
        var_files: Sequence[Path] = (),
    ) -> None:
        self.directory = directory.resolve()
        self.data_dir = data_dir.resolve()
        self.state = state.resolve()
        self._outputs: dict[str, Any] | None = None
        self._environment = {
            name: value
            for name, value in environment.items()
            if name != "TF_WORKSPACE" and not name.startswith("TF_CLI_ARGS")
        } | {"TF_DATA_DIR": str(self.data_dir)}
        self._terraform = _Terraform(
            working_dir=str(self.directory),
            state=str(self.state),
            variables=dict(variables),
            var_file=[str(path.resolve()) for path in var_files],
            terraform_bin_path=str(terraform_binary(environment)),
        )

    @property
    def remote(self) -> bool:
        """Whether a backend keeps the state, as the last init found it."""
        try:
            found = json.loads((self.data_dir / "terraform.tfstate").read_bytes())
        except (FileNotFoundError, ValueError):
            return False
        return bool(found.get("backend", {}).get("type", "local") != "local")

    def init(self, backend_config: Path | None = None) -> None:
        """Install the providers and modules, and find the state.

        Args:
            backend_config: completes the configuration's backend block.
        """
        self._run(
            "init",
            self._terraform.init,
            backend_config=backend_config and str(backend_config.resolve()),
            # By this the library would have Terraform forget, without a word, a state that has
            # been elsewhere so far.
            reconfigure=IsNotFlagged,
            # It would hand init the options of apply, too.
            state=None,
            var=None,
            var_file=None,
        )
        self._check_backend(backend_config)

    def set_default(self, variable: str, value: str) -> None:
        """Give a variable a default; TF_VAR_*, and every file of variables, count more."""
        self._environment.setdefault(f"TF_VAR_{variable}", value)

    def plan(self) -> Plan:
        """Return what an apply would do."""
        with self.planned() as plan:
            return plan

    @contextlib.contextmanager
    def planned(
        self,
        variables: Mapping[str, object] | None = None,
        *,
        destroy: bool = False,
    ) -> Iterator[Plan]:
        """Plan, for `apply` to carry out within the `with` block.

        Args:
            variables: more of them, for this plan alone.
            destroy: plan to remove all that the state knows.
        """
        # In a file of its own, which holds secrets: data_dir is readable by its owner alone.
        saved = self.data_dir / f"{os.getpid()}.tfplan"
        try:
            self._run(
                "plan",
                self._terraform.plan,
                var={**self._terraform.variables, **(variables or {})},
                out=saved,
                destroy=IsFlagged if destroy else None,
                success=(0, 2),  # 2 says that there are changes
                **_JSON,
            )
            yield read_plan(json.loads(self._show(saved)), saved)
        finally:
            saved.unlink(missing_ok=True)

    def text(self, plan: Plan) -> str:
        """A saved plan in full, as Terraform shows it on a terminal."""
        return self._run(
            "show", self._terraform.cmd, "show", str(plan.saved), no_color=IsFlagged
        ).strip()

    def apply(self, progress: Progress = print, plan: Plan | None = None) -> None:
        """Make the real thing as configured, or exactly what a saved plan says."""
        self._outputs = None
        self._run(
            "apply",
            self._terraform.apply,
            *([str(plan.saved)] if plan else []),
            progress=progress,
            skip_plan=True,
            **(_IN_THE_PLAN if plan else {}),
            **_JSON,
        )

    def destroy(self, progress: Progress = print) -> None:
        """Remove all that the state knows."""
        self._outputs = None
        self._run(
            "destroy",
            self._terraform.destroy,
            progress=progress,
            force=IsNotFlagged,  # the option of this name is gone since Terraform 1.0
            auto_approve=IsFlagged,
            **_JSON,
        )

    def outputs(self, *, sensitive: bool = True) -> dict[str, Any]:
        """Return the values of the outputs, with or without the sensitive ones."""
        if self._outputs is None:
            # Not python-terraform's output(): it turns a failure into None.
            said = self._run("output", self._terraform.cmd, "output", state=self.state, **_JSON)
            read: dict[str, Any] = json.loads(said)
            self._outputs = read
        return {
            name: output["value"]
            for name, output in self._outputs.items()
            if sensitive or not output.get("sensitive")
        }

    def resources(self) -> list[tuple[str, dict[str, Any]]]:
        """Return type and attributes of each resource that the state knows."""
        if not self.remote and not self.state.exists():
            return []
        shown = json.loads(self._show(None if self.remote else self.state))
        return list(resources(shown.get("values", {}).get("root_module", {})))

    def _show(self, what: Path | None) -> str:
        return self._run(
            "show", self._terraform.cmd, "show", *([str(what)] if what else []), **_JSON
        )

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
        transcript = Transcript(progress)
        # Not synchronous: the library would only give the output at the end.
        with _environ(self._environment):
            process, _, _ = command(*arguments, **options, synchronous=False)
        try:
            status, errors = _follow(process, process.stdout, process.stderr, transcript.add)
        finally:
            self._terraform.temp_var_files.clean_up()
        if status not in success:
            words = transcript.errors() or errors.strip() or transcript.text().strip()
            what = f"terraform {name} failed in {self.directory}"
            raise StackError(f"{what}:\n{words}\n{advice(words)}")
        return transcript.text()

    def _check_backend(self, config: Path | None) -> None:
        """Refuse a state that is not where the user believes it to be."""
        if config and not self.remote:
            kind = config.suffixes[0].lstrip(".")
            raise StackError(
                f"{config} says where the state is kept, but the configuration has "
                f"no backend, so that it would be kept on this disk. Make a file backend.tf in "
                f'{self.directory} that holds: terraform {{ backend "{kind}" {{}} }}'
            )
        if self.remote and self.state.exists() and _holds_resources(self.state):
            raise StackError(
                f"{self.state} knows a stack, but a backend keeps the state now. Move it there: "
                f"TF_DATA_DIR={self.data_dir} terraform -chdir={self.directory} state push "
                f"{self.state}; then rename that file."
            )

    def _check_state(self) -> None:
        """Refuse a state file that a killed run left cut short.

        Terraform takes an empty one for a new beginning, and would make everything again.
        """
        if self.remote or not self.state.exists() or _is_state(self.state):
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
        """Leave out the library's own option, and let variables count more than files of them."""
        kwargs.pop("synchronous", None)
        # The last one counts for Terraform; the library names the files after the variables.
        if "var" in kwargs:
            kwargs["var"] = kwargs.pop("var")
        command: list[str] = super().generate_cmd_string(cmd, *args, **kwargs)
        return command

    def read_state_file(self, file_path: str | None = None) -> None:
        """Do not parse the state, which may be cut short: nobody asks for it."""

    def __getattr__(self, name: str) -> Any:
        """Refuse a misspelt method, which the library would run as a command."""
        raise AttributeError(name)


def _holds_resources(state: Path) -> bool:
    try:
        return bool(json.loads(state.read_bytes())["resources"])
    except (ValueError, LookupError):
        return False


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
    """InFlight on each line of output as it comes; return the exit status and the error stream."""
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
