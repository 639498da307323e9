"""The environment that Terraform runs in.

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

MIRROR_VARIABLE = "SESBOUNCE_TERRAFORM_MIRROR"
MINIMUM_VERSION = (1, 9)

_PROVIDER = "registry.terraform.io/hashicorp/aws"
_PLACES = ("/opt", "/srv", "/usr/local/share", "/usr/share", "/var/lib")
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


class TerraformError(ScriptError):
    """Terraform is missing, too old, wrongly set up, or has failed."""


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
    """Return the `terraform` on the PATH, having checked that it is recent enough."""
    wanted = ".".join(map(str, MINIMUM_VERSION))
    install = "Install it from https://developer.hashicorp.com/terraform/install"
    found = shutil.which("terraform", path=base.get("PATH", os.defpath))
    if found is None:
        raise TerraformError(
            f"There is no terraform on the PATH; {wanted} or later is needed. {install}"
        )
    version = _version(found, terraform_env(base))
    if tuple(map(int, re.findall(r"\d+", version)[:2])) < MINIMUM_VERSION:
        raise TerraformError(
            f"{found} is Terraform {version}; {wanted} or later is needed. {install}"
        )
    return Path(found)


def _version(binary: str, env: Mapping[str, str]) -> str:
    run = subprocess.run(
        [binary, "version", "-json"], env=dict(env), capture_output=True, text=True, check=False
    )
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
            f"{_platform()}. Fill it with `terraform providers mirror {name}`, or unset the "
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
    patterns = (f"*/{_platform()}", f"*_{_platform()}.zip")
    return any(next(provider.glob(pattern), None) for pattern in patterns)


def _platform() -> str:
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
