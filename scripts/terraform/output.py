"""What Terraform says while it works: progress, its errors in its own words, and what to do."""

import json
from collections.abc import Callable, Mapping
from typing import Any

Progress = Callable[[str], None]

# What Terraform tells of while it works; the rest repeats the configuration.
_PROGRESS = {"apply_start", "apply_progress", "apply_complete", "apply_errored", "change_summary"}

# The other way to place the state is a backend block in the configuration, which is not ours.
_EXPECTED = {"Deprecated flag: -state"}

_MOVE = (
    "The state is to be kept elsewhere: move it there yourself, once, by `terraform init "
    "-migrate-state` with the same folder, TF_DATA_DIR and -backend-config."
)

_SERVICE_LINKED_ROLES = (
    "The account has not used one of these services before: its role is missing, or AWS has just "
    "created it. Run the same again. If that fails as well, somebody who may create roles creates "
    'them, and ignores the answer "has been taken": for service in ecs rds '
    "ecs.application-autoscaling; do aws iam create-service-linked-role --aws-service-name "
    "$service.amazonaws.com; done."
)

_NO_DEFAULT_VPC = (
    "The region has no default VPC: name a VPC and its subnets in the variable network, or make "
    "one: aws ec2 create-default-vpc."
)

# What to do about the errors that are not the configuration's own: its words, our advice.
ADVICE = (
    (
        "dependency-lock#checksum-verification",
        (
            "This copy of the provider is not the one that .terraform.lock.hcl names. If you trust "
            "the copy, run `terraform -chdir=terraform providers lock` with the option "
            "-fs-mirror=FOLDER for a mirror; otherwise fetch the provider from the registry."
        ),
    ),
    ("dependency lock file", "Run init."),
    ("required plugins are not installed", "Run init first."),
    ("module not installed", "Run init first."),
    (
        "state lock",
        (
            "Another run works on this stack: wait for its end, then try again. If that run was "
            "killed, `terraform force-unlock` with the ID above ends its lock."
        ),
    ),
    ("saved plan is stale", "Another run changed the stack since the plan: run the same again."),
    ("backend configuration changed", _MOVE),
    ("approval for state migration", _MOVE),
    (
        "is required by the backend",
        (
            "Say where the state is kept: in a file NAME.s3.tfbackend beside the environment's "
            "NAME.tfvars, or in the backend block itself."
        ),
    ),
    (
        "query available provider packages",
        "Let SESBOUNCE_TERRAFORM_MIRROR name a folder that holds a copy of the provider.",
    ),
    (
        "no valid credential",
        "Terraform has no valid AWS credentials: log in, or set AWS_PROFILE or AWS_ACCESS_KEY_ID.",
    ),
    ("expiredtoken", "Your AWS session has ended: log in again."),
    (
        "invalidclienttokenid",
        "AWS does not know these credentials: look at AWS_PROFILE and AWS_ACCESS_KEY_ID.",
    ),
    (
        "missing region",
        "Set the variable region, or AWS_REGION: the region that SES sends from.",
    ),
    (
        "invalid aws region",
        "Put right the variable region, or AWS_REGION: the region that SES sends from.",
    ),
    (
        "backup retention period exceeds",
        (
            "The account has AWS's free plan, which keeps backups of a database for a day at most: "
            "set database = { backup_retention_days = 1 }, or upgrade the account's plan."
        ),
    ),
    (
        "freetierrestrictionerror",
        (
            "The account has AWS's free plan, which does not allow what AWS names: set the "
            "variable database accordingly (the default instance_class is one of the plan's), or "
            "upgrade the account's plan."
        ),
    ),
    ("service linked role", _SERVICE_LINKED_ROLES),
    ("service-linked role", _SERVICE_LINKED_ROLES),
    # RDS words it so where its first call is for a subnet group.
    ("servicelinkedroles.html", _SERVICE_LINKED_ROLES),
    ("createservicelinkedrole", _SERVICE_LINKED_ROLES),
    # Application Auto Scaling names the role by its ARN alone.
    ("/aws-service-role/", _SERVICE_LINKED_ROLES),
    (
        "accessdenied",
        "These credentials lack the right that AWS names: use others, or have it granted.",
    ),
    ("no matching ec2 vpc found", _NO_DEFAULT_VPC),
    ("no default vpc", _NO_DEFAULT_VPC),
    (
        "dbsubnetgroupdoesnotcoverenoughazs",
        (
            "RDS needs subnets in two availability zones: name more of them in "
            "network.database_subnet_ids."
        ),
    ),
    (
        "not allowed to be used with arn",
        (
            "The policy of your KMS key does not let CloudWatch encrypt the log: add the statement "
            "that docs/adopt.md shows, which is also the output log_kms_key_statement."
        ),
    ),
    (
        "queue visibility timeout",
        (
            "Lambda takes no queue that hides messages for a shorter time than the function may "
            "run. Give the queue that you have named in existing_queue at least six times "
            "worker.function.timeout_seconds: aws sqs set-queue-attributes --queue-url URL "
            "--attributes VisibilityTimeout=365"
        ),
    ),
    (
        "capacity provider",
        (
            "The cluster lacks the capacity providers of Fargate: aws ecs "
            "put-cluster-capacity-providers --cluster NAME --capacity-providers FARGATE "
            "FARGATE_SPOT --default-capacity-provider-strategy capacityProvider=FARGATE"
        ),
    ),
    (
        "tmpfs",
        (
            "Fargate of this region knows no tmpfs: remove the line tmpfs from "
            "terraform/modules/worker_service/main.tf; the worker itself writes nothing to disk."
        ),
    ),
    (
        "cannot delete protected db instance",
        (
            "The database is protected from deletion. Set database = { deletion_protection = "
            "false }, apply that, then destroy."
        ),
    ),
    (
        "dbsnapshotalreadyexists",
        (
            "A last snapshot by this name is kept from an earlier database: delete it if nobody "
            "needs it (`aws rds delete-db-snapshot`), or set database = { final_snapshot = false } "
            "and apply that first."
        ),
    ),
    (
        "repositorynotempty",
        (
            "The repository holds images: delete them (`aws ecr batch-delete-image`), and run the "
            "same again."
        ),
    ),
    (
        "connection refused",
        (
            "Nothing answers at AWS_ENDPOINT_URL; "
            "`python -m scripts.local.localstack status` tells more."
        ),
    ),
)

_DEFAULT_ADVICE = "Put right what Terraform names and run the same again; what was made is kept."


def advice(words: str) -> str:
    """What to do about an error that Terraform words so."""
    fitting = [advice for symptom, advice in ADVICE if symptom in words.lower()]
    return fitting[0] if fitting else _DEFAULT_ADVICE


class Transcript:
    """What a command says, line by line: JSON messages if it was told so, else text."""

    def __init__(self, progress: Progress | None) -> None:
        self._progress = progress
        self._lines: list[str] = []
        self._errors: list[str] = []

    def add(self, line: str) -> None:
        """Take in a line, and hand on what tells of progress."""
        self._lines.append(line)
        message = _message(line)
        kind = message.get("type")
        diagnostic = message.get("diagnostic", {})
        if diagnostic.get("severity") == "error":
            self._errors.append(_diagnosis(diagnostic))
        elif self._progress and diagnostic and diagnostic["summary"] not in _EXPECTED:
            self._progress(_diagnosis(diagnostic))
        elif self._progress and kind in _PROGRESS:
            self._progress(message["@message"])

    def text(self) -> str:
        """All of it."""
        return "".join(self._lines)

    def errors(self) -> str:
        """The errors among the messages, as Terraform words them; empty without any."""
        return "\n\n".join(self._errors)


def _message(line: str) -> dict[str, Any]:
    """Return a line of Terraform's machine-readable output; nothing for any other line."""
    try:
        message = json.loads(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) and "@message" in message else {}


def _diagnosis(diagnostic: Mapping[str, Any]) -> str:
    """Return an error or a warning as Terraform words it on a terminal."""
    where = []
    if address := diagnostic.get("address"):
        where.append(f"with {address}")
    if place := diagnostic.get("range"):
        where.append(f"on {place['filename']} line {place['start']['line']}")
    what = f"{diagnostic['severity'].capitalize()}: {diagnostic['summary']}"
    parts = (what, ", ".join(where), diagnostic.get("detail"))
    return "\n".join(filter(None, parts))
