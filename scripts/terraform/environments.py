"""Environments: several stacks of one configuration, such as staging and production.

Each has a file `terraform/environments/NAME.tfvars`, a state of its own and a TF_DATA_DIR of its
own, so that none can touch another. Without a name there is one stack, with `terraform.tfvars` and
the state where Terraform itself would put it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from scripts import ScriptError

FOLDER = "environments"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")
_SHARED = ("terraform.tfvars", "terraform.tfvars.json")
_FILES = (*_SHARED, "*.auto.tfvars", "*.auto.tfvars.json")
_STACK = "sesbounce"


class UnknownEnvironmentError(ScriptError):
    """There is no such environment, or its files contradict each other."""


@dataclass(frozen=True)
class Environment:
    """Where one stack's variables and state are.

    Attributes:
        name: empty where there is but one.
        var_files: besides those that Terraform finds by itself.
        state: the state's file, unless a backend keeps it.
        data_dir: Terraform's own folder, TF_DATA_DIR.
        backend_config: what completes the configuration's backend block, if anything does.
    """

    name: str
    var_files: tuple[Path, ...]
    state: Path
    data_dir: Path
    backend_config: Path | None

    @property
    def stack_name(self) -> str | None:
        """The default of the stack's variable `name`: two environments share no resource.

        None where there is one stack: Terraform's own default.
        """
        words = re.findall("[a-z0-9]+", self.name.lower())
        return "-".join([_STACK, *words]) if words else None


def environment(directory: Path, name: str) -> Environment:
    """Find an environment's files.

    Args:
        directory: the root module.
        name: as `environments/` has it; empty for the only stack.

    Raises:
        UnknownEnvironmentError: it has no variables, or would get another's.
    """
    if not name:
        return Environment(
            name="",
            var_files=(),
            state=directory / "terraform.tfstate",
            data_dir=directory / ".terraform",
            backend_config=None,
        )
    folder = directory / FOLDER
    variables = folder / f"{name}.tfvars"
    if not _NAME.fullmatch(name) or not variables.is_file():
        raise UnknownEnvironmentError(_unknown(name, folder))
    _check_unshared(directory, name)
    return Environment(
        name=name,
        var_files=(variables,),
        state=folder / f"{name}.tfstate",
        data_dir=folder / ".terraform" / name,
        backend_config=_only(sorted(folder.glob(f"{name}.*.tfbackend"))),
    )


def has_variables(directory: Path, place: Environment) -> bool:
    """Whether there is a file that gives an environment's variables."""
    own = [file for pattern in _FILES for file in directory.glob(pattern)]
    return bool(place.var_files or own)


def _unknown(name: str, folder: Path) -> str:
    known = sorted(file.stem for file in folder.glob("*.tfvars"))
    there = f"there are: {', '.join(known)}" if known else "there is none yet"
    return f"There is no environment {name!r}: it is a file {folder}/NAME.tfvars, and {there}."


def _check_unshared(directory: Path, name: str) -> None:
    """Refuse a file that Terraform reads for whatever stack: one's identities would be another's.

    What all are to share has a name of its own, `*.auto.tfvars`.
    """
    for file in (directory / shared for shared in _SHARED):
        if file.exists():
            raise UnknownEnvironmentError(
                f"Terraform reads {file} for every environment, so that {name} would get what "
                f"belongs to another stack. Move it to {directory / FOLDER}/NAME.tfvars, and "
                f"terraform.tfstate, if there is one, to {FOLDER}/NAME.tfstate; then ENV=NAME "
                "stands for that stack. What all share goes into a file named *.auto.tfvars."
            )


def _only(files: Sequence[Path]) -> Path | None:
    if len(files) > 1:
        raise UnknownEnvironmentError(
            f"The state can be in one place only: delete one of {', '.join(map(str, files))}."
        )
    return files[0] if files else None
