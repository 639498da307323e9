"""The credentials that sign calls to SQS; the server verifies signatures by botocore's code."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from botocore.credentials import Credentials

from sesbounce.aws import sqs_direct
from sesbounce.aws.received import Received
from sesbounce.errors import QueueError
from tests.credential_provider import CredentialProvider
from tests.sqs_server import Answer, http_date
from tests.support import until
from tests.unit.sesbounce.aws.conftest import KEY, Scene, bodies

CLOCK = {
    "RequestTimeTooSkewed": Answer.error(
        403, "RequestTimeTooSkewed", Date=http_date(datetime.now(UTC) + timedelta(hours=1))
    ),
    "SignatureDoesNotMatch": Answer.error(
        403,
        "SignatureDoesNotMatch",
        "Signature expired: 20261120T120000Z is now earlier than 20261120T125500Z",
        Date=http_date(datetime.now(UTC) + timedelta(hours=1)),
    ),
}


@pytest.fixture
def provider(aws: pytest.MonkeyPatch, tmp_path: Path) -> CredentialProvider:
    provider = CredentialProvider.make(tmp_path)
    aws.setenv("AWS_CONFIG_FILE", str(provider.config))
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    return provider


def test_calls_are_signed_as_botocore_signs_them(scene: Scene) -> None:
    queue = scene.open()
    scene.server.send("Zoë")
    messages = queue.receive(0, 60)
    queue.set_visibility([(messages[0], 1)])
    queue.delete([*messages, Received("ä", 'ä"\\', "", 1, None)])
    assert scene.paths == [scene.path] * 3
    assert all(call.is_signed_by(Credentials(*KEY)) for call in scene.server.calls)
    assert not any(call.is_signed_by(Credentials(KEY[0], "other")) for call in scene.server.calls)


def test_a_session_token_is_signed(scene: Scene, aws: pytest.MonkeyPatch) -> None:
    aws.setenv("AWS_SESSION_TOKEN", "token")
    assert bodies(scene.open()) == []
    (call,) = scene.server.calls
    assert call.is_signed_by(Credentials(*KEY, "token"))
    assert not call.is_signed_by(Credentials(*KEY))


def test_each_call_is_signed_by_the_newest_credentials(
    scene: Scene, provider: CredentialProvider
) -> None:
    scene.server.check = provider.reject_older
    queue = scene.open()
    scene.server.send("0", "1", "2")
    before = provider.calls
    for _ in range(3):
        assert not queue.delete(queue.receive(0, 60)[:1]).count
        scene.server.surface()
    assert scene.server.deleted == ["0", "1", "2"]
    assert scene.paths == [scene.path] * 6
    assert provider.calls == before + 6


def test_threads_sign_by_no_mixed_credentials(scene: Scene, provider: CredentialProvider) -> None:
    queue = scene.open()
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(lambda _: bodies(queue), range(20))) == [[]] * 20
    assert scene.paths == [scene.path] * 20
    assert all(provider.has_signed(call) for call in scene.server.calls)
    assert len({call.key_id for call in scene.server.calls}) > 1


def test_credentials_that_have_expired_are_an_error_until_they_are_renewed(
    scene: Scene, aws: pytest.MonkeyPatch
) -> None:
    queue = scene.open()
    scene.server.send("0")
    scene.server.fail_always(Answer.error(403, "ExpiredToken"))
    with pytest.raises(QueueError, match="the AWS credentials have expired") as caught:
        queue.receive(0, 60)
    assert not caught.value.lasting
    scene.server.heal()
    assert bodies(queue) == ["0"]


def test_without_credentials_nothing_is_asked(scene: Scene, aws: pytest.MonkeyPatch) -> None:
    aws.delenv("AWS_ACCESS_KEY_ID")
    aws.delenv("AWS_SECRET_ACCESS_KEY")
    aws.setenv("AWS_EC2_METADATA_DISABLED", "true")
    failure = scene.failure()
    assert "Unable to locate credentials" in str(failure)
    assert failure.lasting
    assert scene.server.calls == []


def test_a_provider_that_fails_is_an_error_until_it_answers(
    scene: Scene, provider: CredentialProvider, tmp_path: Path
) -> None:
    queue = scene.open()
    away = provider.number.rename(tmp_path / "away")
    with pytest.raises(QueueError, match="retrieving credentials from custom-process") as caught:
        queue.receive(0, 60)
    assert not caught.value.lasting
    assert scene.server.calls == []
    away.rename(provider.number)
    assert bodies(queue) == []
    assert scene.paths == [scene.path]


@pytest.mark.parametrize("fault", CLOCK.values(), ids=CLOCK)
def test_a_wrong_clock_is_named_and_messages_flow_when_it_is_right(
    scene: Scene, fault: Answer
) -> None:
    queue = scene.open()
    scene.server.send("0")
    scene.server.fail_always(fault)
    for _ in range(10):
        with pytest.raises(QueueError, match="this machine's clock is wrong") as caught:
            queue.receive(0, 60)
        assert not caught.value.lasting
    scene.server.heal()
    assert bodies(queue) == ["0"]


def test_direct_calls_rest_while_they_fail(scene: Scene, aws: pytest.MonkeyPatch) -> None:
    """A clock that stays wrong costs no second call for ever."""
    queue = scene.open()
    scene.server.fail_always(CLOCK["RequestTimeTooSkewed"])
    for _ in range(20):
        with pytest.raises(QueueError):
            queue.receive(0, 60)
    assert scene.paths.count("boto3") == 20
    assert scene.paths.count("direct") == (5 if scene.path == "direct" else 0)


def test_direct_calls_are_made_once_more_after_a_rest(
    scene: Scene, aws: pytest.MonkeyPatch
) -> None:
    aws.setattr(sqs_direct, "_REST_SECONDS", 0.05)
    queue = scene.open()
    scene.server.fail_always(CLOCK["RequestTimeTooSkewed"])
    for _ in range(6):
        with pytest.raises(QueueError):
            queue.receive(0, 60)
    scene.server.heal()
    scene.server.calls.clear()
    until(lambda: bodies(queue) == [] and scene.paths[-1] == scene.path)
    assert bodies(queue) == []
    assert scene.paths[-2:] == [scene.path] * 2
