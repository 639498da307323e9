"""Public keys are fetched from a server of the test, and kept within bounds."""

import threading
import uuid
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sesbounce.errors import CertificateError
from sesbounce.server import public_keys
from sesbounce.server.public_keys import PublicKeys
from tests.load_balancer import KEY_ID, Endpoint, Signer, endpoint

DAY = 86_400.0


@pytest.fixture
def aws() -> Iterator[Endpoint]:
    with endpoint(Signer()) as made:
        yield made


@pytest.fixture
def keys(aws: Endpoint) -> "Keys":
    return Keys(aws)


class Keys(PublicKeys):
    """The keys, with a clock of the test."""

    def __init__(self, aws: Endpoint) -> None:
        self.now = 0.0
        super().__init__(aws.url, clock=lambda: self.now)


def failure(keys: PublicKeys, key_id: str = KEY_ID) -> CertificateError:
    with pytest.raises(CertificateError) as caught:
        keys.key(key_id)
    return caught.value


def test_a_key_is_fetched_once_a_day(keys: Keys, aws: Endpoint) -> None:
    first = keys.key(KEY_ID)
    keys.now = DAY - 1
    assert keys.key(KEY_ID) is first
    assert aws.asked == [KEY_ID]
    keys.now = DAY
    keys.key(KEY_ID)
    assert aws.asked == [KEY_ID, KEY_ID]


def test_a_key_that_does_not_exist_is_asked_for_once_a_minute(keys: Keys, aws: Endpoint) -> None:
    other = str(uuid.uuid4())
    assert failure(keys, other).lasting
    keys.now = 59
    assert failure(keys, other).lasting
    assert aws.asked == [other]
    keys.now = 60
    failure(keys, other)
    assert aws.asked == [other, other]


@pytest.mark.parametrize("status", [500, 503, 429])
def test_while_aws_is_away_nobody_is_asked(keys: Keys, aws: Endpoint, status: int) -> None:
    aws.status = status
    assert not failure(keys).lasting
    assert not failure(keys, str(uuid.uuid4())).lasting
    assert len(aws.asked) == 1
    aws.status, keys.now = None, 5
    keys.key(KEY_ID)
    aws.status, keys.now = status, DAY + 5
    assert not failure(keys).lasting


def test_ids_that_do_not_exist_cost_little_and_push_no_key_out(keys: Keys, aws: Endpoint) -> None:
    kept = keys.key(KEY_ID)
    for _ in range(100):
        failure(keys, str(uuid.uuid4()))
    assert len(aws.asked) == 10
    assert not failure(keys, str(uuid.uuid4())).lasting
    for second in range(1, 50):
        keys.now = second
        failure(keys, str(uuid.uuid4()))
    assert len(aws.asked) == 59
    assert len(keys._failures) == public_keys._MOST
    assert keys.key(KEY_ID) is kept


def test_keys_have_a_number(keys: Keys, aws: Endpoint) -> None:
    for second in range(public_keys._MOST + 1):
        keys.now = second
        key_id = str(uuid.uuid4())
        aws.keys[key_id] = aws.keys[KEY_ID]
        keys.key(key_id)
    assert len(keys._keys) == public_keys._MOST


def test_what_is_no_key_for_the_algorithm_is_none(keys: Keys, aws: Endpoint) -> None:
    secret = ec.generate_private_key(ec.SECP384R1()), ed25519.Ed25519PrivateKey.generate()
    others = [
        key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        for key in secret
    ]
    for number, content in enumerate([b"<html>", *others]):
        key_id = f"{KEY_ID[:-1]}{number}"
        aws.keys[key_id] = content
        assert failure(keys, key_id).lasting


def test_one_thread_fetches_for_all(
    keys: Keys, aws: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(public_keys, "_WAIT_SECONDS", 60.0)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(keys.key(KEY_ID))) for _ in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(map(id, found))) == 1
    assert len(found) == 5
    assert aws.asked == [KEY_ID]


def test_a_thread_does_not_wait_for_long(keys: Keys, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(public_keys, "_WAIT_SECONDS", 0.01)
    with keys._lock:
        assert not failure(keys).lasting
