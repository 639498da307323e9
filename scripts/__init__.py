"""Tools that drive the two halves of sesbounce: `terraform/` and `worker/`.

The exceptions:

* ScriptError
  x AdoptionError            (scripts.deploy.adoption)
  x AwsError                 (scripts.deploy.aws)
  x CheckovError             (scripts.checkov)
  x ConsoleError             (scripts.local.console)
  x DeclinedError            (scripts.deploy.context)
  x DestroyError             (scripts.deploy.destroy_guard)
  x DocsError                (scripts.terraform.docs)
  x EngineError              (scripts.image.container_engine)
  x FunctionError            (scripts.deploy.function)
  x ImageError               (scripts.image.build)
  x LocalStackError          (scripts.local.localstack_shared)
    + DockerError            (scripts.local.localstack_container)
  x LossError                (scripts.deploy.losses)
  x NavigationError          (scripts.website)
  x NoServiceError           (scripts.deploy.deploy)
  x NoVariablesError         (scripts.deploy.deploy)
  x NpmError                 (scripts.setup.npm)
  x PackageError             (scripts.package.build)
  x PipError                 (scripts.setup.pip_settings)
  x PlaceError               (scripts.deploy.applying)
  x RegistryError            (scripts.image.registry)
  x ReleaseError             (scripts.deploy.release)
  x RolloutError             (scripts.deploy.rollout)
  x RootsError               (scripts.image.rds_roots)
  x RunError                 (scripts.deploy.runs)
  x SchemaError              (scripts.terraform.schema)
  x ScreenshotError          (scripts.local.screenshots)
  x ServerError              (scripts.website)
  x SimulateError            (scripts.local.simulate)
  x TaskError                (scripts.deploy.run_task)
  x TerraformError           (scripts.terraform.env)
    + FetchError             (scripts.terraform.fetch)
    + StackError             (scripts.terraform.stack)
    + TerraformMissingError  (scripts.terraform.env)
  x UnknownEnvironmentError  (scripts.terraform.environments)
  x UvError                  (scripts.setup.uv)
  x WebsiteError             (scripts.website)
"""

import sys

OLDEST_PYTHON = (3, 11)

# Every script imports this package, also those that run before anything is installed.
if sys.version_info < OLDEST_PYTHON:
    sys.exit(
        f"Python {'.'.join(map(str, OLDEST_PYTHON))} or newer is needed; {sys.executable} is "
        f"{'.'.join(map(str, sys.version_info[:3]))}. Choose another: make PYTHON=python3.12 …"
    )


class ScriptError(Exception):
    """An error that the user can correct; the message says how."""
