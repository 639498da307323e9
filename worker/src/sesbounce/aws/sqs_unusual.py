"""Finds what in the configuration of boto3's client only the client itself can honour."""

import re
from collections.abc import Iterable
from types import MethodType
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from botocore.utils import get_environ_proxies

from sesbounce.aws.sqs_protocol import OPERATIONS

if TYPE_CHECKING:
    from types_boto3_sqs.client import SQSClient

_EVENTS = (
    "provide-client-params",
    "before-parameter-build",
    "before-endpoint-resolution",
    "before-call",
    "request-created",
    "choose-signer",
    "before-sign",
    "before-send",
    "response-received",
    "before-parse",
    "needs-retry",
    "after-call",
    "after-call-error",
)
# What may stand in a request's first line as it is.
_PLAIN = re.compile("[!-~]+")
_OWN = ("botocore", "boto3")


def unusual(client: "SQSClient") -> str:
    """Find a reason why only boto3's client can call SQS as it is configured.

    Returns:
        The first reason, as a sentence; empty where there is none.
    """
    try:
        return next(filter(None, _reasons(client)), "")
    except AttributeError as error:
        return f"this version of boto3 is made in another way: {error}"


def _reasons(client: Any) -> Iterable[str]:
    signer, config = client._request_signer, client.meta.config  # noqa: SLF001  not public
    yield _of_endpoint(client.meta.endpoint_url)
    if config.proxies or get_environ_proxies(client.meta.endpoint_url):
        yield "a proxy applies to the endpoint"
    if config.client_cert:
        yield "a client certificate is configured"
    if signer.signature_version != "v4" or config.auth_scheme_preference:
        yield "requests are not signed with Signature Version 4 alone"
    if signer._credentials is None:  # noqa: SLF001
        yield "there are no credentials"
    if not _is_own(client._make_api_call):  # noqa: SLF001
        yield "another library wraps boto3's calls"
    yield from _of_hooks(client)


def _of_endpoint(endpoint: str) -> str:
    url = urlsplit(endpoint)
    if url.query or url.username is not None or not _PLAIN.fullmatch(endpoint):
        return "the endpoint's URL has a query, a user, blanks or characters beyond ASCII"
    return ""


def _of_hooks(client: Any) -> Iterable[str]:
    """A reason for each hook on the operations that is not one of botocore's or boto3's own."""
    hooks = client.meta.events._emitter._handlers  # noqa: SLF001  there is no public list
    for operation in OPERATIONS:
        for event in _EVENTS:
            for hook in hooks.prefix_search(f"{event}.sqs.{operation.name}"):
                hook = getattr(hook, "func", hook)  # noqa: PLW2901  what a partial calls
                module = str(getattr(hook, "__module__", None))
                if not _in_own(module):
                    name = getattr(hook, "__qualname__", repr(hook))
                    yield f"the hook {module}.{name} is registered for {event}"


def _is_own(method: Any) -> bool:
    """Whether a method is defined by botocore. Tracers replace it by a function or an object."""
    return isinstance(method, MethodType) and _in_own(method.__func__.__globals__["__name__"])


def _in_own(module: str) -> bool:
    return module.partition(".")[0] in _OWN
