"""Runs the Terraform that every script runs: `python3 -m scripts.terraform fmt -recursive`."""

import subprocess
import sys

from scripts.terraform.env import TerraformError, terraform_env
from scripts.terraform.fetch import ensure


def main() -> int:
    """Run the command line; returns Terraform's exit code."""
    try:
        command = [str(ensure()), *sys.argv[1:]]
        return subprocess.run(command, env=terraform_env(), check=False).returncode
    except TerraformError as error:
        print(f"terraform: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
