"""The settings that say which messages the worker accepts, and how it runs."""

from typing import Annotated

from pydantic import BaseModel, Field, field_validator
from pydantic_settings import NoDecode

from sesbounce.feedback.attribution import MOST_TAGS
from sesbounce.feedback.tags import TAG_NAME

_BATCH = 200
# Processes wait for each other to commit. The more each commits at once, the less they wait.
_BATCH_OF_SEVERAL = 400


class WorkerSettings(BaseModel):
    """What the worker accepts, its loop, and its metrics for Prometheus."""

    topic_arns: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="ARNs of the SNS topics whose messages the worker accepts, separated by "
        "commas; empty accepts all topics",
    )
    verify_signatures: bool = Field(
        default=False, description="whether the worker accepts only messages that SNS has signed"
    )
    tags: Annotated[list[str], NoDecode] = Field(
        default=[],
        description="names of the message tags that sesbounce keeps with each event, separated by "
        "commas, at most 10; SES's own (`ses:from-domain`) may be among them",
    )
    wait_seconds: int = Field(
        default=20, ge=0, le=20, description="seconds that one receive waits for messages"
    )
    visibility_seconds: int = Field(
        default=60,
        ge=10,
        le=43200,
        description="seconds that a received message stays invisible to other workers; the worker "
        "extends them while the message is in flight",
    )
    pollers: int = Field(
        default=12,
        ge=1,
        le=64,
        description="number of receives that may run at once; one runs while the queue is idle",
    )
    sqs_direct: bool = Field(
        default=True,
        description="whether the worker receives, deletes and returns messages by requests of its "
        "own, for a fraction of boto3's CPU time; false makes boto3 send every request",
    )
    batch_size: int | None = Field(
        default=None,
        ge=1,
        le=1000,
        description="number of messages that one commit takes at most; empty: 200, or 400 if there "
        "are several worker processes",
    )
    batch_wait_ms: int = Field(
        default=50,
        ge=0,
        le=10_000,
        description="milliseconds that a batch with room left waits for more messages",
    )
    processes: int = Field(
        default=1, ge=1, le=64, description="number of worker processes; each uses one CPU"
    )
    shutdown_seconds: int = Field(
        default=25,
        ge=1,
        le=3600,
        description="seconds from SIGTERM to exit; keep it below the container's stop timeout",
    )
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65535,
        description="port on which the worker serves `/metrics` for Prometheus and `/healthz`; "
        "empty opens no port",
    )
    metrics_host: str = Field(
        default="127.0.0.1", description="IP address on which the worker opens that port"
    )

    @property
    def largest_batch(self) -> int:
        """The most messages that one commit takes."""
        return self.batch_size or (_BATCH if self.processes == 1 else _BATCH_OF_SEVERAL)

    @field_validator("topic_arns")
    @classmethod
    def _are_arns(cls, value: list[str]) -> list[str]:
        if any(not arn.startswith("arn:") for arn in value):
            raise ValueError("every entry must begin with arn:")
        return value

    @field_validator("tags")
    @classmethod
    def _are_tags(cls, value: list[str]) -> list[str]:
        if len(value) > MOST_TAGS:
            raise ValueError(f"there are more than {MOST_TAGS} names")
        if not all(map(TAG_NAME.fullmatch, value)):
            raise ValueError(
                "a name of a tag holds at most 256 letters, digits, `_`, `-`, `.` and `:`"
            )
        return list(dict.fromkeys(value))
