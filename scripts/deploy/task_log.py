"""Reads what a container of a task has written to CloudWatch's log."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class TaskLog:
    """One stream of CloudWatch's log, read to its end by each call."""

    client: Any  # the locked types have none for this service
    group: str
    stream: str
    _read_to: str | None = field(default=None, init=False)

    def new(self) -> Iterator[str]:
        """The lines since the last call; none as long as there is no stream."""
        while True:
            position = {"nextToken": self._read_to} if self._read_to else {}
            try:
                answer = self.client.get_log_events(
                    logGroupName=self.group,
                    logStreamName=self.stream,
                    startFromHead=True,
                    **position,
                )
            except self.client.exceptions.ResourceNotFoundException:
                return
            yield from (event["message"] for event in answer["events"])
            # CloudWatch returns the same token at the end.
            if answer["nextForwardToken"] == self._read_to:
                return
            self._read_to = answer["nextForwardToken"]
