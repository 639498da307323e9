"""Shows that a queue gives the same answers to calls that are made directly and by boto3."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

import pytest

from sesbounce.aws.received import Received
from sesbounce.aws.sqs import BatchFailures, open_queue
from sesbounce.errors import QueueError
from tests.boto3_session import use_new_session

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

BODY = 'Zoë \U0001f4e8 "\\" \t\n<&>'
_VISIBILITY_SECONDS = 30


def check_both_paths(sqs: "SQSClient", queue_url: str, environment: Mapping[str, str]) -> None:
    """Make the same calls on both paths; the queue has to be empty."""
    with pytest.MonkeyPatch.context() as patch:
        use_new_session(patch)
        # A direct call that is answered late would be made by boto3.
        patch.setattr("sesbounce.aws.sqs._TIMEOUT_SECONDS", 60)
        for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_SQS", "AWS_SESSION_TOKEN"):
            patch.delenv(name, raising=False)
        for name, value in environment.items():
            if name.startswith("AWS_") or name.lower() == "no_proxy":
                patch.setenv(name, value)
        direct, by_boto3 = (_Path(sqs, queue_url, direct=direct) for direct in (True, False))
        found = direct.run()
    assert found == by_boto3.run()
    assert found["received"] == [(BODY, 1, True, True)]
    assert found["hidden"] == []
    assert found["again"] == [(BODY, 2, True, True)]
    assert found["failures"] == [0, 0]
    assert (direct.calls_of_boto3, by_boto3.calls_of_boto3) == (0, 6)


class _Path:
    """A queue whose calls go one path.

    Attributes:
        calls_of_boto3: how many calls the client has made that should succeed.
    """

    def __init__(self, sqs: "SQSClient", queue_url: str, *, direct: bool) -> None:
        self.calls_of_boto3 = 0
        self._sqs = sqs
        self._url = queue_url
        self._queue = open_queue(queue_url, 0, 1, direct=direct)
        # The direct path has looked for hooks already.
        self._queue._client.meta.events.register("before-send.sqs", self._count)

    def run(self) -> dict[str, object]:
        """What the calls return."""
        sent = self._sqs.send_message(QueueUrl=self._url, MessageBody=BODY)["MessageId"]
        found: dict[str, object] = {}

        def receive(name: str) -> list[Received]:
            messages = self._queue.receive(0, _VISIBILITY_SECONDS)
            found[name] = [(m.body, m.times, m.id == sent, m.sent_at is not None) for m in messages]
            return messages

        (first,) = receive("received")
        receive("hidden")
        shown = self._queue.set_visibility([(first, 0)])
        (second,) = receive("again")
        deleted = self._queue.delete([second])
        receive("deleted")
        found["failures"] = [shown.count, deleted.count]
        calls = self.calls_of_boto3
        wrong = Received("", "no receipt", "", 1, None)
        found["gone"] = [
            _outcome(lambda: self._queue.delete([second])),
            _outcome(lambda: self._queue.set_visibility([(second, 1)])),
            _outcome(lambda: self._queue.delete([wrong])),
        ]
        self.calls_of_boto3 = calls
        return found

    def _count(self, **_: object) -> None:
        self.calls_of_boto3 += 1


def _outcome(call: Callable[[], BatchFailures]) -> object:
    """How many receipts have expired, and how many entries failed; or the error's text."""
    try:
        failures = call()
        return len(failures.expired), len(failures.failed)
    except QueueError as error:
        return str(error)
