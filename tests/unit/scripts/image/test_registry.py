"""A registry as Docker Hub is one: it sends an anonymous client for a token first."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import parse_qs, urlsplit

import pytest

from scripts.image import registry
from scripts.image.build import pinned
from scripts.image.registry import RegistryError, digest

DIGEST = f"sha256:{'ab' * 32}"
SCOPE = "repository:library/python:pull"


class Registry(BaseHTTPRequestHandler):
    """Tells one image's digest, to a client with the token of its own service."""

    asks_for_token = True
    token = "let-me-in"

    def do_HEAD(self) -> None:
        if self.asks_for_token and self.headers["Authorization"] != f"Bearer {self.token}":
            self.send_response(401)
            realm = f"http://{self.headers['Host']}/token"
            challenge = f'Bearer realm="{realm}",service="registry",scope="{SCOPE}"'
            self.send_header("WWW-Authenticate", challenge)
        elif self.path == "/v2/library/python/manifests/3.13":
            self.send_response(200)
            if "image.index" in self.headers["Accept"]:
                self.send_header("Docker-Content-Digest", DIGEST)
        else:
            self.send_response(404)
        self.end_headers()

    def do_GET(self) -> None:
        asked = parse_qs(urlsplit(self.path).query)
        assert asked == {"service": ["registry"], "scope": [SCOPE]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps({"token": "let-me-in"}).encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  its name there
        """Keep the test's output clean."""


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with HTTPServer(("127.0.0.1", 0), Registry) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_the_digest_is_had_with_a_token(host: str) -> None:
    assert digest(f"{host}/library/python:3.13") == DIGEST


def test_or_without_one(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "asks_for_token", False)
    assert digest(f"{host}/library/python:3.13") == DIGEST


@pytest.mark.parametrize("name", ["library/python:2.7", "library/python", "acme/private:1"])
def test_an_image_that_is_not_there_is_an_error(host: str, name: str) -> None:
    with pytest.raises(RegistryError, match=f"tells no digest of {host}/{name}: .*404"):
        digest(f"{host}/{name}")


def test_a_private_one_is_an_error(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Registry, "token", "another")
    with pytest.raises(RegistryError, match="401"):
        digest(f"{host}/library/python:3.13")


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("python", "registry-1.docker.io/v2/library/python/manifests/latest"),
        ("python:3.13", "registry-1.docker.io/v2/library/python/manifests/3.13"),
        ("docker.io/library/python:3.13", "registry-1.docker.io/v2/library/python/manifests/3.13"),
        ("acme/python:3", "registry-1.docker.io/v2/acme/python/manifests/3"),
        ("ghcr.io/acme/a/b:1", "ghcr.io/v2/acme/a/b/manifests/1"),
        ("registry:5000/python", "registry:5000/v2/python/manifests/latest"),
    ],
)
def test_names_are_those_of_the_engines(
    name: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def head(url: str) -> dict[str, str]:
        asked.append(url)
        return {"Docker-Content-Digest": DIGEST}

    monkeypatch.setattr(registry, "_head", head)
    assert digest(name) == DIGEST
    assert asked == [f"https://{url}"]


def test_a_base_is_pinned_unless_the_registry_is_silent(host: str) -> None:
    said: list[str] = []
    base = f"{host}/library/python:3.13"
    assert pinned(base, said.append) == f"{base}@{DIGEST}"
    assert pinned(f"{base}@{DIGEST}", said.append) == f"{base}@{DIGEST}"
    assert said == []
    missing = f"{host}/library/python:2.7"
    assert pinned(missing, said.append) == missing
    assert "is a tag, whose image can change" in said[0]
    assert f"--base {missing}@sha256:…" in said[0]
