"""moto as a server, with what Terraform would wait for in vain, or change again, filled in.

    python -m tests.terraform.moto_server PORT CALLS

It listens on this machine alone, and writes a line `service:Action` into the file CALLS for each
call that Terraform makes. What moto cannot do besides is said in `whole_stack/conftest.py`.
"""

import json
import sys
from pathlib import Path
from typing import Any, cast

from moto.applicationautoscaling.exceptions import AWSValidationException
from moto.applicationautoscaling.models import ApplicationAutoscalingBackend
from moto.applicationautoscaling.responses import ApplicationAutoScalingResponse
from moto.core.exceptions import JsonRESTError
from moto.core.responses import ActionResult, BaseResponse
from moto.ec2.models.security_groups import SecurityGroupRule
from moto.ecs.models import Service
from moto.ecs.responses import EC2ContainerServiceResponse
from moto.server import main
from moto.ses.models import EmailIdentity
from moto.sesv2.models import SESV2Backend
from moto.sns.responses import SNSResponse
from moto.sqs.models import Queue


def tell_tags_of_scalable_targets() -> None:
    """Terraform reads them, and tries twenty-five times where it gets an error."""
    tags: dict[str, dict[str, str]] = {}
    register = ApplicationAutoScalingResponse.register_scalable_target

    def register_with_tags(self: ApplicationAutoScalingResponse) -> str:
        answer = register(self)
        asked = json.loads(self.body)
        tags.setdefault(json.loads(answer)["ScalableTargetARN"], asked.get("Tags", {}))
        return answer

    def list_tags(self: ApplicationAutoScalingResponse) -> str:
        return json.dumps({"Tags": tags[json.loads(self.body)["ResourceARN"]]})

    patch(ApplicationAutoScalingResponse, "register_scalable_target", register_with_tags)
    patch(ApplicationAutoScalingResponse, "list_tags_for_resource", list_tags)


def tell_the_redrive_of_queues() -> None:
    """As it was set: Terraform waits until it can read who may use a dead-letter queue."""
    set_attributes = Queue._set_attributes
    read = cast("property", Queue.attributes).fget
    assert read is not None
    was_set: dict[str, dict[str, str]] = {}

    def set_and_keep(self: Queue, attributes: dict[str, Any], now: float | None = None) -> None:
        set_attributes(self, attributes, now)
        redrive = {name: value for name, value in attributes.items() if name.startswith("Redrive")}
        was_set.setdefault(self.queue_arn, {}).update(redrive)

    def attributes_as_set(self: Queue) -> dict[str, Any]:
        return {**read(self), **was_set.get(self.queue_arn, {})}

    patch(Queue, "_set_attributes", set_and_keep)
    patch(Queue, "attributes", property(attributes_as_set))


def tell_how_topics_sign() -> None:
    read = SNSResponse.get_topic_attributes

    def read_with_signature(self: SNSResponse) -> ActionResult:
        answer = read(self)
        topic = self.backend.get_topic(self._get_param("TopicArn"))
        attributes = cast("dict[str, Any]", answer.result)["Attributes"]
        attributes["SignatureVersion"] = getattr(topic, "signature_version", "1")
        return answer

    patch(SNSResponse, "get_topic_attributes", read_with_signature)


def tell_what_security_groups_are_let_in_for() -> None:
    def description(self: SecurityGroupRule) -> str | None:
        return self.ip_range.get("Description") or self.source_group.get("Description")

    patch(SecurityGroupRule, "description", property(description))


def tell_whether_services_stay_in_their_zones() -> None:
    """As it was set at the creation."""
    create = EC2ContainerServiceResponse.create_service

    def create_and_keep(self: EC2ContainerServiceResponse) -> ActionResult:
        answer = create(self)
        service = cast("dict[str, Any]", answer.result)["service"]
        service.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing")
        return answer

    patch(EC2ContainerServiceResponse, "create_service", create_and_keep)
    patch(Service, "availability_zone_rebalancing", "DISABLED")


def tell_the_capacity_providers_of_services() -> None:
    """As they were set at the creation; moto keeps those of an update."""
    create = EC2ContainerServiceResponse.create_service

    def create_and_keep(self: EC2ContainerServiceResponse) -> ActionResult:
        answer = create(self)
        service = cast("dict[str, Any]", answer.result)["service"]
        if strategy := self._get_param("capacityProviderStrategy"):
            service.capacity_provider_strategy = strategy
            service.launch_type = None
        return answer

    patch(EC2ContainerServiceResponse, "create_service", create_and_keep)


def tell_that_a_policy_is_gone() -> None:
    """In AWS's words: Terraform repeats a call whose answer got lost, and knows these words."""
    delete = ApplicationAutoscalingBackend.delete_scaling_policy

    def delete_once(self: ApplicationAutoscalingBackend, **policy: str) -> None:
        try:
            delete(self, **policy)
        except AWSValidationException as error:
            raise JsonRESTError("ObjectNotFoundException", error.message) from error

    patch(ApplicationAutoscalingBackend, "delete_scaling_policy", delete_once)


def tell_the_keys_and_tags_of_identities() -> None:
    """moto makes no DKIM tokens, and keeps the tags under an ARN that SES does not have."""
    create = SESV2Backend.create_email_identity

    def create_with_keys(
        self: SESV2Backend,
        email_identity: str,
        tags: list[dict[str, str]] | None,
        dkim_signing_attributes: object | None,
        configuration_set_name: str | None,
    ) -> EmailIdentity:
        made = create(self, email_identity, None, dkim_signing_attributes, configuration_set_name)
        made.dkim_attributes["Tokens"] = ["token1", "token2", "token3"]
        # A text, where SES has a number.
        made.dkim_attributes.pop("LastKeyGenerationTimestamp", None)
        arn = f"arn:aws:ses:{self.region_name}:{self.account_id}:identity/{email_identity}"
        self.core_backend.tagger.tag_resource(arn, tags or [])
        return made

    patch(SESV2Backend, "create_email_identity", create_with_keys)


def write_down_calls(file: Path) -> None:
    call = BaseResponse.call_action

    def call_and_write(self: BaseResponse) -> Any:
        # Terraform's alone: the tests look into moto, too.
        if "HashiCorp" in self.headers.get("User-Agent", ""):
            with file.open("a", encoding="utf-8") as calls:
                prefix = "ses" if self.service_name == "sesv2" else self.service_name  # IAM's
                print(f"{prefix}:{self._get_action()}", file=calls)
        return call(self)

    patch(BaseResponse, "call_action", call_and_write)


def patch(owner: type, name: str, value: object) -> None:
    setattr(owner, name, value)


if __name__ == "__main__":
    port, calls_file = sys.argv[1:]
    tell_tags_of_scalable_targets()
    tell_the_redrive_of_queues()
    tell_how_topics_sign()
    tell_what_security_groups_are_let_in_for()
    tell_whether_services_stay_in_their_zones()
    tell_the_capacity_providers_of_services()
    tell_that_a_policy_is_gone()
    tell_the_keys_and_tags_of_identities()
    write_down_calls(Path(calls_file))
    main(["--host", "127.0.0.1", "--port", port])
