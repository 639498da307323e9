"""Tools that drive the two halves of sesbounce: `terraform/` and `worker/`.

The exceptions:

* ScriptError
  x AwsError                 (scripts.aws)
  x DeclinedError            (scripts.deploy)
  x DemolitionError          (scripts.demolition)
  x EngineError              (scripts.container_engine)
  x ImageError               (scripts.image)
  x LocalStackError          (scripts.localstack)
  x NothingDeployedError     (scripts.wiring.declared)
  x PlaceError               (scripts.deploy)
  x ReleaseError             (scripts.release)
  x RolloutError             (scripts.rollout)
  x TerraformError           (scripts.terraform_env)
    + StackError             (scripts.stack)
  x UnknownEnvironmentError  (scripts.environments)
  x UnknownPolicyError       (scripts.policy_document)
"""


class ScriptError(Exception):
    """Something the person at the keyboard can put right; the message says how."""
