"""The headers that sign a webhook: those of Standard Webhooks, and the older one of sesbounce.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime


def signed_headers(
    identity: str, at: datetime, body: bytes, keys: Sequence[bytes]
) -> dict[str, str]:
    """The headers that sign a body.

    Args:
        identity: the identity of the event, equal in each attempt; it holds no full stop.
        at: when this attempt is made.
        body: the body as it is sent.
        keys: the keys, the newest first. Each signs; the older header has room for one signature.
    """
    timestamp = str(int(at.timestamp()))
    content = b".".join([identity.encode(), timestamp.encode(), body])
    signatures = [base64.b64encode(_digest(key, content)).decode() for key in keys]
    return {
        "webhook-id": identity,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "X-Sesbounce-Signature": f"sha256={_digest(keys[0], body).hex()}",
    }


def _digest(key: bytes, content: bytes) -> bytes:
    return hmac.new(key, content, hashlib.sha256).digest()
