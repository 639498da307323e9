"""A provider of Terraform that runs already: Terraform attaches to it, and starts none itself.

Every command of Terraform starts the AWS provider, once or more: two seconds of CPU time a start.
Terraform can attach to a provider that runs, which is meant for debuggers:
https://developer.hashicorp.com/terraform/plugin/debugging

Such a provider has one configuration at a time, and the environment with which it was started:
tests share one only where both are the same, and where Terraform runs once at a time.
"""

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from scripts.local.localstack import CHECKOUT
from scripts.terraform.env import terraform_binary, terraform_env

ATTACH_VARIABLE = "TF_REATTACH_PROVIDERS"

_ATTACH = re.compile(rf"{ATTACH_VARIABLE}='(.+)'")


def installed_provider(data_dir: Path) -> Path:
    """The provider that `terraform init` has put into its data directory."""
    found = data_dir.glob("providers/registry.terraform.io/hashicorp/aws/*/*/*provider-aws_*")
    (binary,) = found
    return binary


def install_provider(folder: Path) -> Path:
    """Have `terraform init` put the locked provider into an empty folder."""
    for name in ("versions.tf", ".terraform.lock.hcl"):
        shutil.copy(CHECKOUT / "terraform" / name, folder)
    subprocess.run(
        [terraform_binary(), "init", "-lockfile=readonly"],
        cwd=folder,
        env=terraform_env(),
        capture_output=True,
        check=True,
    )
    return installed_provider(folder / ".terraform")


@contextmanager
def running_provider(binary: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run a provider during the block, with the types alone that terraform/ names.

    Args:
        binary: the provider.
        environment: the provider's whole environment: credentials, region, endpoint.

    Yields:
        `environment`, in which Terraform attaches to the provider.
    """
    # It refuses to be configured a second time with certificates; on the loopback it needs none.
    own = {name: value for name, value in environment.items() if name != "AWS_CA_BUNDLE"}
    with subprocess.Popen(
        [sys.executable, "-m", "tests.lean_provider", binary],
        cwd=CHECKOUT,
        env=own,
        stdout=subprocess.PIPE,
        # Under a debugger it logs each step.
        stderr=subprocess.DEVNULL,
        text=True,
    ) as provider:
        assert provider.stdout
        try:
            (attach,) = next(filter(None, map(_ATTACH.search, provider.stdout))).groups()
            yield {**environment, ATTACH_VARIABLE: attach}
        finally:
            provider.terminate()
