"""The whole stack, made and destroyed by the scripts' own adapter in moto, which enforces nothing.

What moto cannot do, and what shows it instead (runs are those of terraform/modules/*/tests):

- Topics of identities: it has no SetIdentityHeadersInNotificationsEnabled, and does not read the
  topics back. Shown by tests/integration/test_stack.py on LocalStack, and by the run
  identities_and_sets_that_exist.
- Configuration sets and their events: it reads no set of version 2 of SES's API back, and has none
  of its event destinations; those of version 1 it does not delete. Shown by the runs
  event_types_of_sets and settings_of_sets, and those of version 1 on the same LocalStack.
- forward_feedback_by_email and mail_from_domain: it has neither call. Shown by the runs forwarding
  and dns_records.
- That anything runs, scales or raises an alarm: it runs nothing.
"""

import json
from collections.abc import Iterator, Mapping

import pytest

from scripts.terraform.env import terraform_env
from scripts.terraform.plan import Change, Plan
from tests.provider import running_provider
from tests.terraform.conftest import Terraform
from tests.terraform.moto import Moto, running_moto
from tests.terraform.whole_stack.deployed import NEW, OLD, REPOSITORY, Deployed, scheduled_stack


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    with running_moto(tmp_path_factory.mktemp("moto")) as running:
        yield running


@pytest.fixture(scope="session")
def environment(terraform: Terraform, moto: Moto) -> Iterator[Mapping[str, str]]:
    """Terraform's environment, in which a provider for moto runs."""
    with running_provider(terraform.provider, terraform_env(moto.environment)) as attached:
        yield attached


@pytest.fixture(scope="session")
def before_the_image(
    terraform: Terraform,
    environment: Mapping[str, str],
    moto: Moto,
    tmp_path_factory: pytest.TempPathFactory,
) -> Deployed:
    """The stack when there is no image yet."""
    (group,) = moto.client("ec2").describe_security_groups(GroupNames=["default"])["SecurityGroups"]
    folder = tmp_path_factory.mktemp("whole")
    deployed = Deployed(terraform, environment, folder, group["GroupId"])
    stack = deployed.stack(None)
    stack.init()
    stack.apply()
    return deployed


@pytest.fixture(scope="session")
def repository_came_first(before_the_image: Deployed, moto: Moto) -> bool:
    """Looked at before the image is there."""
    (cluster,) = moto.client("ecs").describe_clusters(clusters=["sesbounce"])["clusters"]
    outputs = before_the_image.stack(None).outputs()
    return (
        outputs["repository_url"] == REPOSITORY
        and cluster["activeServicesCount"] == 0
        and "worker_image" not in outputs
    )


@pytest.fixture(scope="session")
def deployed(before_the_image: Deployed, repository_came_first: bool) -> Deployed:
    before_the_image.stack(OLD).apply()
    return before_the_image


@pytest.fixture(scope="session")
def rolled(deployed: Deployed) -> tuple[Change, ...]:
    """What another image changes; it is applied."""
    changes = deployed.stack(NEW).plan().changes
    deployed.stack(NEW).apply()
    return changes


@pytest.fixture(scope="session")
def scheduled(rolled: tuple[Change, ...], deployed: Deployed) -> Plan:
    """The plan that replaces the service by a schedule; it is applied."""
    stack = scheduled_stack(deployed)
    with stack.planned() as plan:
        stack.apply(plan=plan)
    return plan


@pytest.fixture(scope="session")
def destroyed(deployed: Deployed, scheduled: Plan) -> str:
    """The stack is gone; what the deploy role might have done, as one document."""
    policies = deployed.stack(NEW).outputs()["deploy_role_policies"]
    deployed.stack(NEW).destroy()
    documents = [json.loads(policy) for policy in policies.values()]
    statements = [statement for document in documents for statement in document["Statement"]]
    return json.dumps({"Version": "2012-10-17", "Statement": statements})
