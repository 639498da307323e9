"""Tools that drive the two halves of sesbounce: `terraform/` and `worker/`.

The exceptions:

* ScriptError
  x LocalStackError   (scripts.localstack)
  x TerraformError    (scripts.terraform_env)
    + StackError      (scripts.stack)
"""


class ScriptError(Exception):
    """Something the person at the keyboard can put right; the message says how."""
