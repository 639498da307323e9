"""Queues and databases for one test or one file; the worker is the real process."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from scripts.local.localstack import LocalStack
from tests.databases.fixtures import server_urls  # noqa: F401
from tests.databases.products import Kind
from tests.databases.servers import empty_database
from tests.integration.feedback_queue import FeedbackQueue, feedback_queue
from tests.integration.proxy import Proxy
from tests.integration.worker_process import Worker

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

# Short, because tests wait for polls of a stopping worker, and for messages that become visible.
# The latter time is long enough that a busy machine extends it before it has passed.
QUICK = {"SESBOUNCE_WAIT_SECONDS": "1", "SESBOUNCE_VISIBILITY_SECONDS": "30"}
# So many that kills alone bring no message to the dead-letter queue.
MANY_RECEIVES = 100


@pytest.fixture(scope="session")
def quick(environment: Mapping[str, str]) -> Mapping[str, str]:
    return {**environment, **QUICK}


@pytest.fixture(scope="session")
def client(session: Any) -> "SQSClient":
    sqs: SQSClient = session.boto3.client("sqs")
    return sqs


@pytest.fixture
def queue(client: "SQSClient") -> Iterator[FeedbackQueue]:
    with feedback_queue(client, MANY_RECEIVES) as made:
        yield made


@pytest.fixture
def worker(queue: FeedbackQueue, quick: Mapping[str, str], tmp_path: Path) -> Worker:
    """A worker on SQLite, with Jane in the sender's table of members."""
    return Worker.make(quick, queue.url, tmp_path, "jane@example.com")


@pytest.fixture
def postgresql_url(server_urls: Callable[[Kind], str]) -> Iterator[str]:  # noqa: F811
    with empty_database(server_urls("postgresql")) as url:
        yield url


@pytest.fixture
def on_postgresql(
    queue: FeedbackQueue, quick: Mapping[str, str], postgresql_url: str, tmp_path: Path
) -> Worker:
    """A worker on PostgreSQL, with Jane in the sender's table of members."""
    return Worker.make(quick, queue.url, tmp_path, "jane@example.com", database_url=postgresql_url)


@pytest.fixture
def proxy(aws: LocalStack) -> Iterator[Proxy]:
    """LocalStack, behind an HTTP proxy."""
    with Proxy(aws.endpoint).running() as running:
        yield running
