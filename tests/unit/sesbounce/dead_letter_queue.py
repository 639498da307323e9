"""A dead-letter queue in memory, for boto3's place: it behaves as SQS's documentation says."""

import itertools
import math
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sesbounce.aws import clients
from sesbounce.console import letter_queues
from sesbounce.dead_letters import opening

QUEUE_URL = "https://sqs.us-east-1.amazonaws.com/000000000000/feedback"
URL = f"{QUEUE_URL}-dlq"
ARN = "arn:aws:sqs:us-east-1:000000000000:feedback-dlq"
SENT = 1_795_176_000_000


def rejected(code: str, message: str = "no", operation: str = "Call") -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


class FakeSqs:
    """SQS with one dead-letter queue.

    Attributes:
        bodies: the message bodies by id; what is deleted is gone.
        hidden: the ids of messages that can't be received now, with their valid receipts.
        sent: the bodies that were sent elsewhere.
        before: called with the name of each call.
        attributes: further attributes of the queue.
        message_attributes: those of messages, by id.
        received: the number of bodies that were given out.
        tasks: what ListMessageMoveTasks answers, one after the other; the last one stays.
    """

    def __init__(self, bodies: Sequence[str] = ()) -> None:
        self.bodies = {f"id-{n}": body for n, body in enumerate(bodies)}
        self.hidden: dict[str, str] = {}
        self.sent: list[str] = []
        self.before: Callable[[str], None] = lambda _: None
        self.attributes: dict[str, str] = {}
        self.message_attributes: dict[str, dict[str, Any]] = {}
        self.sent_at = SENT
        self.received = 0
        self.calls: list[str] = []
        self.tasks: list[dict[str, Any]] = []
        self.meta = SimpleNamespace(endpoint_url="https://sqs.us-east-1.amazonaws.com")
        self._receipts = (f"r{n}" for n in itertools.count())

    @property
    def visible(self) -> list[str]:
        return [body for id_, body in self.bodies.items() if id_ not in self.hidden]

    def surface(self) -> None:
        """Let the visibility timeout of all messages end."""
        self.hidden.clear()

    def _call(self, name: str) -> None:
        self.calls.append(name)
        self.before(name)

    def get_queue_attributes(self, **_: Any) -> Any:
        self._call("GetQueueAttributes")
        counts = {
            "ApproximateNumberOfMessages": str(len(self.bodies) - len(self.hidden)),
            "ApproximateNumberOfMessagesNotVisible": str(len(self.hidden)),
        }
        known = {"QueueArn": ARN, "MessageRetentionPeriod": "1209600"}
        return {"Attributes": known | counts | self.attributes}

    def receive_message(self, **_: Any) -> Any:
        self._call("ReceiveMessage")
        ids = [id_ for id_ in self.bodies if id_ not in self.hidden][:10]
        self.hidden |= {id_: next(self._receipts) for id_ in ids}
        self.received += len(ids)
        return {
            "Messages": [
                {
                    "MessageId": id_,
                    "ReceiptHandle": self.hidden[id_],
                    "Body": self.bodies[id_],
                    "Attributes": {
                        "SentTimestamp": str(self.sent_at),
                        "ApproximateReceiveCount": "2",
                    },
                    "MessageAttributes": self.message_attributes.get(id_, {}),
                }
                for id_ in ids
            ]
        }

    def change_message_visibility_batch(self, *, Entries: Any, **_: Any) -> Any:  # noqa: N803
        self._call("ChangeMessageVisibilityBatch")
        return self._each(Entries, lambda id_, e: self._change(id_, e["VisibilityTimeout"]))

    def delete_message_batch(self, *, Entries: Any, **_: Any) -> Any:  # noqa: N803
        self._call("DeleteMessageBatch")
        return self._each(Entries, lambda id_, _: self._delete(id_))

    def send_message_batch(self, *, Entries: Any, **_: Any) -> Any:  # noqa: N803
        self._call("SendMessageBatch")
        self.sent += [entry["MessageBody"] for entry in Entries]
        return {}

    def start_message_move_task(self, **_: Any) -> Any:
        self._call("StartMessageMoveTask")
        return {"TaskHandle": "task"}

    def list_message_move_tasks(self, **_: Any) -> Any:
        self._call("ListMessageMoveTasks")
        task = self.tasks.pop(0) if len(self.tasks) > 1 else next(iter(self.tasks), None)
        return {"Results": [task] if task else []}

    def cancel_message_move_task(self, **_: Any) -> Any:
        self._call("CancelMessageMoveTask")
        return {}

    def _each(self, entries: Any, act: Callable[[str, Any], None]) -> Any:
        ids = {receipt: id_ for id_, receipt in self.hidden.items()}
        failed = []
        for entry in entries:
            if id_ := ids.get(entry["ReceiptHandle"]):
                act(id_, entry)
            else:
                failed.append({"Id": entry["Id"], "SenderFault": True, "Code": "Invalid"})
        return {"Failed": failed} if failed else {}

    def _change(self, id_: str, seconds: int) -> None:
        if not seconds:
            del self.hidden[id_]

    def _delete(self, id_: str) -> None:
        del self.hidden[id_]
        del self.bodies[id_]


def in_memory(sqs: FakeSqs, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have this queue be all queues that AWS has, and each dead-letter queue of them.

    However slow the machine is, the console goes through all letters.
    """
    for limits in ("_LOOK", "_WORK"):
        endless = getattr(letter_queues, limits)._replace(seconds=math.inf)
        monkeypatch.setattr(letter_queues, limits, endless)
    monkeypatch.setattr(clients, "open_client", lambda *_: sqs)
    for finder in ("main_dead_letter_queue", "subscription_dead_letter_queue"):
        monkeypatch.setattr(opening, finder, lambda *_: URL)
