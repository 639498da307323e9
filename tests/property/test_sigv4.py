"""Every request is signed byte for byte as botocore signs it."""

from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch
from urllib.parse import urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import ReadOnlyCredentials
from hypothesis import given, settings
from hypothesis import strategies as st

from sesbounce.aws.sigv4 import Signer
from sesbounce.aws.sqs_protocol import OPERATIONS, Operation

name = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
host = st.one_of(
    st.lists(name, min_size=1, max_size=4).map(".".join),
    name.map(str.upper),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map("[{}]".format),
)
port = st.one_of(st.sampled_from(["", ":80", ":443"]), st.integers(1, 65535).map(":{}".format))
path = st.text("abzAZ019-_.~/%+:@!$&'()*,;= ", max_size=20).map(lambda text: f"/{text}")
endpoint = st.builds(
    "{}://{}{}{}".format, st.sampled_from(["http", "https"]), host, port, st.just("") | path
)
text = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
token = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
credentials = st.builds(ReadOnlyCredentials, token, text, st.none() | st.just("") | token)
time = st.datetimes(datetime(1970, 1, 2), datetime(2999, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001


# A thousand requests.
@settings(max_examples=250)
@given(
    endpoint,
    st.lists(name, min_size=2, max_size=2),
    st.sampled_from(OPERATIONS),
    # Four with each signer: it must not use the key of another day or secret.
    st.lists(st.tuples(text, credentials, time), min_size=4, max_size=4),
)
def test_a_request_is_signed_as_botocore_signs_it(
    endpoint: str,
    scope: list[str],
    operation: Operation[Any],
    requests: list[tuple[str, ReadOnlyCredentials, datetime]],
) -> None:
    region, service = scope
    signer = Signer(endpoint, region, service)
    for queue, owner, at in requests:
        body = operation.encode({"QueueUrl": queue})
        request = AWSRequest("POST", endpoint, operation.headers, body)
        with patch("botocore.auth.get_current_datetime", lambda at=at: at):
            SigV4Auth(owner, service, region).add_auth(request)
        signed = signer.sign(operation.headers, body, owner, at)
        assert signed.pop("host") == _host_on_the_wire(endpoint)
        assert signed == {key.lower(): value for key, value in request.headers.items()}


def _host_on_the_wire(endpoint: str) -> str:
    """The host as the HTTP client of botocore writes it: http.client does, out of the URL."""
    url = urlsplit(endpoint)
    host = f"[{url.hostname}]" if ":" in str(url.hostname) else url.hostname
    own = {"http": 80, "https": 443}[url.scheme]
    return f"{host}" if url.port in (None, own) else f"{host}:{url.port}"
