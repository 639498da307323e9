"""Tools that drive the two halves of sesbounce: `terraform/` and `worker/`.

The exceptions:

* ScriptError
  x AwsError                 (scripts.deploy.aws)
  x DeclinedError            (scripts.deploy.deploy)
  x DemolitionError          (scripts.deploy.destroy_guard)
  x EngineError              (scripts.image.container_engine)
  x ImageError               (scripts.image.build)
  x LocalStackError          (scripts.local.localstack)
  x PlaceError               (scripts.deploy.deploy)
  x ReleaseError             (scripts.deploy.release)
  x RolloutError             (scripts.deploy.rollout)
  x TerraformError           (scripts.terraform.env)
    + FetchError             (scripts.terraform.fetch)
    + StackError             (scripts.terraform.stack)
    + TerraformMissingError  (scripts.terraform.env)
  x UnknownEnvironmentError  (scripts.terraform.environments)
"""

import sys

OLDEST_PYTHON = (3, 11)

# Here, as every script passes by: those that run before anything is installed, too.
if sys.version_info < OLDEST_PYTHON:
    sys.exit(
        f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed; {sys.executable} is "
        f"{'.'.join(map(str, sys.version_info[:3]))}. Name another one: make PYTHON=python3.12 …"
    )


class ScriptError(Exception):
    """Something the person at the keyboard can put right; the message says how."""
