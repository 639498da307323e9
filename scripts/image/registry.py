"""Asks a registry for the digest of an image, without a container engine.

https://distribution.github.io/distribution/spec/api/
https://distribution.github.io/distribution/spec/auth/token/
"""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPMessage

from scripts import ScriptError

_TIMEOUT_SECONDS = 10.0

# An index first: its digest stands for the images of all platforms.
_MANIFESTS = (
    "application/vnd.oci.image.index.v1+json, "
    "application/vnd.docker.distribution.manifest.list.v2+json, "
    "application/vnd.oci.image.manifest.v1+json, "
    "application/vnd.docker.distribution.manifest.v2+json"
)
_CHALLENGE = re.compile(r'(\w+)="([^"]*)"')


class RegistryError(ScriptError):
    """A registry does not tell the digest of an image."""


def digest(reference: str) -> str:
    """The digest, `sha256:…`, of the image that a name and tag stand for at present.

    It asks as anybody may ask: for a private image, add the digest to the name.

    Raises:
        RegistryError: the registry can't be reached, or does not tell.
    """
    url = _manifest_url(reference)
    try:
        found = _head(url)["Docker-Content-Digest"]
    except (OSError, ValueError) as error:
        raise RegistryError(f"The registry tells no digest of {reference}: {error}.") from error
    if found is None:
        raise RegistryError(f"The registry tells no digest of {reference}.")
    return str(found)


def _manifest_url(reference: str) -> str:
    """Where the registry keeps the manifest of an image, whose name may be a short one."""
    first, slash, rest = reference.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        host = first
    else:
        host, rest = "docker.io", reference
    path, colon, tag = rest.rpartition(":")
    name, tag = (path, tag) if colon else (rest, "latest")
    if host == "docker.io":
        host = "registry-1.docker.io"
        name = name if "/" in name else f"library/{name}"
    # As the engines do it: a registry on this machine has no certificate.
    scheme = "http" if host.partition(":")[0] in ("localhost", "127.0.0.1") else "https"
    return f"{scheme}://{host}/v2/{name}/manifests/{tag}"


def _head(url: str) -> HTTPMessage:
    """The headers of an image's manifest; a registry may first send us for a token."""
    try:
        return _open(url, "HEAD", {"Accept": _MANIFESTS})[0]
    except urllib.error.HTTPError as error:
        challenge = error.headers.get("WWW-Authenticate") or ""
        if error.code != HTTPStatus.UNAUTHORIZED or not challenge.startswith("Bearer "):
            raise
    asked = dict(_CHALLENGE.findall(challenge))
    query = urllib.parse.urlencode({k: asked[k] for k in ("service", "scope") if k in asked})
    answer = json.loads(_open(f"{asked.get('realm', '')}?{query}", "GET", {})[1])
    token = answer.get("token") or answer.get("access_token")
    return _open(url, "HEAD", {"Accept": _MANIFESTS, "Authorization": f"Bearer {token}"})[0]


def _open(url: str, method: str, headers: Mapping[str, str]) -> tuple[HTTPMessage, bytes]:
    if not url.startswith(("https://", "http://localhost", "http://127.0.0.1")):
        raise ValueError(f"{url} is not an HTTPS URL")
    request = urllib.request.Request(url, method=method, headers=dict(headers))  # noqa: S310  checked
    with urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS) as answer:  # noqa: S310  checked
        return answer.headers, answer.read()
