"""The Terraform that the scripts run, and the environment that it runs in.

`scripts.terraform.fetch` uses this module before anything is installed: standard library only.

Terraform fetches the AWS provider from the public registry. Where a copy of it lies on the
disk (an offline or a CI machine), Terraform is told to take that one. Whoever has a CLI
configuration of their own has decided already: nothing is added to it.
"""

import atexit
import functools
import json
import os
import platform
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from scripts import ScriptError

BINARY_VARIABLE = "TERRAFORM"
MIRROR_VARIABLE = "SESBOUNCE_TERRAFORM_MIRROR"
MINIMUM_VERSION = (1, 11)
FETCHED = Path(__file__).resolve().parents[2] / ".local/bin/terraform"

_INSTALL = (
    "Install Terraform from https://developer.hashicorp.com/terraform/install, or name a binary: "
    f"{BINARY_VARIABLE}=/path/to/terraform"
)
_WANTED = ".".join(map(str, MINIMUM_VERSION))
_PROVIDER = "registry.terraform.io/hashicorp/aws"
_PLACES = ("/opt", "/srv", "/usr/local/share", "/usr/share", "/var/lib")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class TerraformError(ScriptError):
    """Terraform is missing, too old, wrongly set up, or has failed."""


class TerraformMissingError(TerraformError):
    """Nobody has chosen a Terraform, and this machine has none that is recent enough."""


def terraform_env(base: Mapping[str, str] = os.environ) -> dict[str, str]:
    """Return the whole environment to run Terraform with: `base`, made fit for a script.

    `SESBOUNCE_TERRAFORM_MIRROR` names the folder that holds `registry.terraform.io/`. Set but
    empty, it means the public registry; without it, the usual places are searched.
    """
    env = {**base, "TF_IN_AUTOMATION": "1", "TF_INPUT": "0", "CHECKPOINT_DISABLE": "1"}
    if Path(env.get("TF_CLI_CONFIG_FILE", "")).is_file():
        return env
    # Terraform warns about a file that isn't there, on each run.
    env.pop("TF_CLI_CONFIG_FILE", None)
    if (_home(env) / ".terraformrc").is_file():
        return env
    if mirror := _mirror(env):
        env["TF_CLI_CONFIG_FILE"] = str(_cli_config(mirror))
    return env


def terraform_binary(base: Mapping[str, str] = os.environ) -> Path:
    """Return the Terraform that every script runs.

    `TERRAFORM` names it. Where that is not set, it is the one on the PATH, or, if that one is
    missing or too old, the one that `scripts.terraform.fetch` put into the checkout.

    Raises:
        TerraformMissingError: `TERRAFORM` is not set, and neither of the two is recent enough.
        TerraformError: the one that `TERRAFORM` names is missing or too old, or one does not run.
    """
    named = base.get(BINARY_VARIABLE)
    complaint = f"{named} is no program" if named else "There is no terraform on the PATH"
    for candidate in [named] if named else ["terraform", str(FETCHED)]:
        found = shutil.which(candidate, path=base.get("PATH", os.defpath))
        if found is None:
            continue
        version = _version(found, terraform_env(base))
        if tuple(map(int, re.findall(r"\d+", version)[:2])) >= MINIMUM_VERSION:
            return Path(found).absolute()
        complaint = f"{found} is Terraform {version}"
    error = TerraformError if named else TerraformMissingError
    raise error(f"{complaint}; {_WANTED} or later is needed. {_INSTALL}")


def _version(binary: str, env: Mapping[str, str]) -> str:
    command = [binary, "version", "-json"]
    try:
        run = subprocess.run(command, env=dict(env), capture_output=True, text=True, check=False)
    except OSError as error:
        raise TerraformError(f"{binary} does not run: {error.strerror}. {_INSTALL}") from error
    try:
        return str(json.loads(run.stdout)["terraform_version"])
    except (ValueError, KeyError) as error:
        said = (run.stderr or run.stdout).strip()
        raise TerraformError(f"{binary} does not tell its version. It says: {said}") from error


def _mirror(env: Mapping[str, str]) -> Path | None:
    """Find the folder to install the provider from, or None if Terraform needs no telling."""
    named = env.get(MIRROR_VARIABLE)
    if named is not None:
        return _named_mirror(named) if named else None
    if any(map(_holds_provider, _implied_mirrors(env))):
        return None
    return next(filter(_holds_provider, _likely_mirrors(env)), None)


def _named_mirror(name: str) -> Path:
    mirror = Path(name).expanduser().resolve()
    if not _holds_provider(mirror):
        raise TerraformError(
            f"{MIRROR_VARIABLE} is {name}, but {mirror / _PROVIDER} holds no provider for "
            f"{platform_name()}. Fill it with `terraform providers mirror {name}`, or unset the "
            "variable to use the public registry."
        )
    return mirror


def _implied_mirrors(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the places where Terraform itself looks before it asks the registry."""
    home = _home(env)
    yield home / ".terraform.d/plugins"
    data_home = env.get("XDG_DATA_HOME") or home / ".local/share"
    data_dirs = env.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    for folder in (data_home, *data_dirs.split(":")):
        yield Path(folder) / "terraform/plugins"


def _likely_mirrors(env: Mapping[str, str]) -> Iterator[Path]:
    """Yield the mirrors one level below the places where people keep such things."""
    for place in (*_PLACES, _home(env)):
        for provider in sorted(Path(place).glob(f"*/{_PROVIDER}")):
            yield provider.parents[2]


def _holds_provider(mirror: Path) -> bool:
    """Whether the mirror has any version for this platform, unpacked or as an archive."""
    provider = mirror / _PROVIDER
    patterns = (f"*/{platform_name()}", f"*_{platform_name()}.zip")
    return any(next(provider.glob(pattern), None) for pattern in patterns)


def platform_name() -> str:
    """Return this machine's platform in Terraform's words, such as `linux_amd64`."""
    machine = platform.machine().lower()
    return f"{platform.system().lower()}_{_ARCHITECTURES.get(machine, machine)}"


def _home(env: Mapping[str, str]) -> Path:
    return Path(env.get("HOME") or Path.home())


@functools.cache
def _cli_config(mirror: Path) -> Path:
    """Write the CLI configuration for a mirror; the file goes when Python ends."""
    # `direct` leaves the provider out: Terraform would else ask the registry for newer ones.
    text = f"""\
provider_installation {{
  filesystem_mirror {{
    path    = {json.dumps(str(mirror), ensure_ascii=False)}
    include = ["{_PROVIDER}"]
  }}
  direct {{
    exclude = ["{_PROVIDER}"]
  }}
}}
"""
    # mkstemp makes the file readable by its owner alone.
    handle, name = tempfile.mkstemp(prefix="sesbounce-terraform-", suffix=".tfrc")
    config = Path(name)
    atexit.register(config.unlink, missing_ok=True)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)
    return config
