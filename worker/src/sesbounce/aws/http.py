"""Opens HTTP sessions that reach a host as boto3 reaches AWS: by its proxies and its CA bundle."""

import os
from typing import Any

from botocore.httpsession import URLLib3Session
from botocore.session import get_session
from botocore.utils import get_environ_proxies


def open_session(url: str, timeout_seconds: int) -> URLLib3Session:
    """Open a session for requests to the host of `url`.

    It honours `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`; `AWS_CA_BUNDLE`, `ca_bundle` of the AWS
    profile, and `REQUESTS_CA_BUNDLE`. It follows no redirect.

    Args:
        url: the URL to ask.
        timeout_seconds: the longest wait for the connection, and for each part of the answer.
    """
    verify: Any = ca_bundle() or True  # a path, too, which botocore's stubs do not know
    return URLLib3Session(verify=verify, proxies=get_environ_proxies(url), timeout=timeout_seconds)


def ca_bundle() -> str | None:
    """The file of the certificates that boto3 is configured to trust; None for its own."""
    configured = get_session().get_config_variable("ca_bundle")
    return configured or os.environ.get("REQUESTS_CA_BUNDLE") or None
