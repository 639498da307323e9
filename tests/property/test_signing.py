"""The signatures of webhooks, with any bodies and secrets, by the library of the standard."""

import base64
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from sesbounce.outbound.signing import signed_headers
from sesbounce.webhook_settings import signing_keys

KEYS = st.binary(min_size=24, max_size=64)
BODIES = st.text(st.characters(codec="utf-8"))


def written(key: bytes) -> str:
    return "whsec_" + base64.b64encode(key).decode()


@given(body=BODIES, keys=st.lists(KEYS, min_size=1, max_size=3, unique=True), other=KEYS)
def test_each_secret_verifies_and_no_other(body: str, keys: list[bytes], other: bytes) -> None:
    secrets = [written(key) for key in keys]
    read = signing_keys(",".join(secrets))
    assert read == tuple(keys)
    headers = signed_headers("msg_1", datetime.now(UTC), body.encode(), read)
    for secret in secrets:
        Webhook(secret).verify(body, headers, json_parse=False)
    # HMAC fills a key up with zeros.
    if other.rstrip(b"\0") not in [key.rstrip(b"\0") for key in keys]:
        with pytest.raises(WebhookVerificationError):
            Webhook(other).verify(body, headers, json_parse=False)


@given(body=BODIES, key=KEYS, at=st.integers(0), more=st.characters(codec="utf-8"))
def test_nothing_that_was_changed_verifies(body: str, key: bytes, at: int, more: str) -> None:
    headers = signed_headers("msg_1", datetime.now(UTC), body.encode(), [key])
    verify = Webhook(key).verify
    at %= len(body) + 1
    changed = body[:at] + more + body[at:]
    later = str(int(headers["webhook-timestamp"]) + 1)
    with pytest.raises(WebhookVerificationError):
        verify(changed, headers, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        verify(body, {**headers, "webhook-id": "msg_2"}, json_parse=False)
    with pytest.raises(WebhookVerificationError):
        verify(body, {**headers, "webhook-timestamp": later}, json_parse=False)
