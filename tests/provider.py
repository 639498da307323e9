"""A provider of Terraform that runs already: Terraform attaches to it, and starts none itself.

Every command of Terraform starts the AWS provider, once or more, and reads its schema of 1,500
resources: two seconds of CPU time a start. Terraform can attach to a provider that runs, which is
meant for debuggers: https://developer.hashicorp.com/terraform/plugin/debugging

Such a provider has one configuration at a time, and the environment with which it was started:
tests share one only where both are the same, and where Terraform runs once at a time.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

VARIABLE = "TF_REATTACH_PROVIDERS"

_ATTACH = re.compile(rf"{VARIABLE}='(.+)'")


def installed_provider(data_dir: Path) -> Path:
    """The provider that `terraform init` has put into its data directory."""
    found = data_dir.glob("providers/registry.terraform.io/hashicorp/aws/*/*/*provider-aws_*")
    (binary,) = found
    return binary


@contextmanager
def running_provider(binary: Path, environment: Mapping[str, str]) -> Iterator[dict[str, str]]:
    """Run a provider during the block.

    Args:
        binary: the provider.
        environment: the provider's whole environment: credentials, region, endpoint.

    Yields:
        `environment`, in which Terraform attaches to the provider.
    """
    with subprocess.Popen(
        [binary, "-debug"],
        env=dict(environment),
        stdout=subprocess.PIPE,
        # Under a debugger it logs each step.
        stderr=subprocess.DEVNULL,
        text=True,
    ) as provider:
        assert provider.stdout
        try:
            (attach,) = next(filter(None, map(_ATTACH.search, provider.stdout))).groups()
            yield {**environment, VARIABLE: attach}
        finally:
            provider.terminate()
