"""Tools that drive the two halves of sesbounce: `terraform/` and `worker/`.

The exceptions:

* ScriptError
  x AwsError                 (scripts.deploy.aws)
  x CheckovError             (scripts.checkov)
  x DeclinedError            (scripts.deploy.deploy)
  x DemolitionError          (scripts.deploy.destroy_guard)
  x EngineError              (scripts.image.container_engine)
  x ImageError               (scripts.image.build)
  x LocalStackError          (scripts.local.localstack_shared)
  x PipError                 (scripts.setup.pip_settings)
  x PlaceError               (scripts.deploy.deploy)
  x ReleaseError             (scripts.deploy.release)
  x RolloutError             (scripts.deploy.rollout)
  x TerraformError           (scripts.terraform.env)
    + StackError             (scripts.terraform.stack)
  x UnknownEnvironmentError  (scripts.terraform.environments)
  x UvError                  (scripts.setup.uv)
"""


class ScriptError(Exception):
    """Something the person at the keyboard can put right; the message says how."""
