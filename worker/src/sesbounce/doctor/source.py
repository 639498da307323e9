"""Checks that the queue is there, and that a topic sends to it: without both there is no path."""

from collections.abc import Callable, Iterator

from botocore.exceptions import ClientError

from sesbounce.doctor.declared import Wiring
from sesbounce.doctor.examine import GONE, Check
from sesbounce.doctor.finding import Finding, broken
from sesbounce.errors import NotCheckedError, NotSubscribedError


def source(find: Callable[[], Wiring]) -> Iterator[Finding]:
    """The queue is there, and a topic sends to it.

    Raises:
        NotCheckedError: nobody may look whether the topic has the queue as a subscriber.
        ClientError: AWS rejects a call.
    """
    try:
        wiring = find()
    except NotSubscribedError as error:
        yield broken(
            str(error),
            "no event of SES reaches the worker",
            "Subscribe the queue to the topic: make deploy; name a topic of another region or "
            "account in SESBOUNCE_TOPIC_ARNS",
        )
        return
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code")
        if error.operation_name != "GetQueueAttributes" or code not in GONE:
            raise
        yield broken(
            "SQS does not find the queue of SESBOUNCE_QUEUE_URL",
            "the worker does not start",
            "Set SESBOUNCE_QUEUE_URL to the output queue_url (make outputs); if somebody has "
            "deleted the queue, recreate it: make deploy",
        )
        return
    if reason := wiring.unknown.get("subscription_arn"):
        raise NotCheckedError(reason)


CHECKS = (Check("sqs.source", "a topic sends to the queue", source),)
