"""The stack in moto, and its variables."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

from scripts.terraform.plan import Plan, read_plan
from scripts.terraform.stack import Stack
from tests.terraform.conftest import Terraform

REPOSITORY = "123456789012.dkr.ecr.us-east-1.amazonaws.com/sesbounce"
OLD = f"{REPOSITORY}@sha256:{'0' * 64}"
NEW = f"{REPOSITORY}@sha256:{'1' * 64}"
VARIABLES: dict[str, object] = {
    "identities": {"example.com": {"create": True, "notifications": False}},
    "notification_emails": ["watcher@example.com"],
    "create_kms_key": True,
    "worker": {"min_tasks": 0},
    "database": {"deletion_protection": False, "final_snapshot": False},
    "monitoring": {"alarm_emails": ["operator@example.com"]},
    "github": {"repository": "acme/mail", "may_manage_key": True},
}
WORKER = "module.worker_service[0]"
API = "module.api_service[0]"
# The user's own: what programs reach the HTTP API by.
CLOUD_MAP = "arn:aws:servicediscovery:us-east-1:123456789012:service/srv-utcrh6wavdkggqtk"
TARGETS = "arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/api/209a844cd01825a4"
TOPIC = "module.feedback_queue.module.topic"
DATABASE_AND_SNS = {"aws_db_instance", "aws_sns_topic_subscription"}


class Deployed:
    """The stack in moto, as `make deploy` handles it."""

    def __init__(
        self, terraform: Terraform, environment: Mapping[str, str], folder: Path, client_group: str
    ) -> None:
        self.terraform = terraform
        self.environment = environment
        self.folder = folder
        self.client_group = client_group
        self.variables = VARIABLES | {"api": self.api(cloud_map_service_arn=CLOUD_MAP)}

    def api(self, **arns: str) -> dict[str, object]:
        """The variable `api`, for programs of one security group."""
        return {"client_security_group_ids": {"shop": self.client_group}, **arns}

    def stack(
        self, image: str | None, *, state: str = "terraform.tfstate", **variables: object
    ) -> Stack:
        return Stack(
            self.terraform.root / "terraform",
            data_dir=self.folder / "data",
            state=self.folder / state,
            variables=self.variables
            | ({} if image is None else {"worker_image": image})
            | variables,
            environment=self.environment,
        )

    def replacing(self, address: str) -> Plan:
        """The plan that replaces one resource, and what depends on it."""
        variables, saved = self.folder / "whole.tfvars.json", self.folder / "replacing.tfplan"
        variables.write_text(json.dumps(self.variables | {"worker_image": NEW}))

        def run(*command: str) -> str:
            return subprocess.run(
                [self.terraform.binary, *command],
                cwd=self.terraform.root / "terraform",
                env={**self.environment, "TF_DATA_DIR": str(self.folder / "data")},
                capture_output=True,
                text=True,
                check=True,
            ).stdout

        state = self.folder / "terraform.tfstate"
        options = (f"-replace={address}", f"-var-file={variables}", f"-state={state}")
        run("plan", *options, f"-out={saved}")
        return read_plan(json.loads(run("show", "-json", str(saved))), saved)


def scheduled_stack(deployed: Deployed) -> Stack:
    """The stack with a schedule, and its API behind a load balancer."""
    api = deployed.api(target_group_arn=TARGETS)
    return deployed.stack(NEW, worker={"mode": "scheduled"}, api=api)
