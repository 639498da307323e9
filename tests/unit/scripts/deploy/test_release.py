from pathlib import Path
from typing import Any

import pytest

from scripts.deploy import release
from scripts.deploy.release import Outlook, ReleaseError, Sources
from scripts.image import registry
from scripts.image.build import content_tag
from scripts.image.registry import RegistryError
from scripts.terraform.plan import Plan

URL = "123456789012.dkr.ecr.eu-west-1.amazonaws.com/sesbounce"
IMAGE = f"{URL}@sha256:{'a' * 64}"


def plan(worker: dict[str, Any] | None = None, **outputs: Any) -> Plan:
    return Plan((), outputs, {"worker": worker}, Path("saved"))


def test_a_stack_without_a_worker_wants_no_image() -> None:
    expected = Outlook(None, None, None, makes_repository=False)
    assert release.outlook(plan(worker_platform=None, repository_url=None), None) == expected


def test_a_repository_without_a_known_url_is_not_created_yet() -> None:
    found = release.outlook(plan({}, worker_platform="linux/arm64"), None)
    assert found == Outlook(None, "linux/arm64", None, makes_repository=True)


def test_the_stack_s_repository_is_known() -> None:
    found = release.outlook(plan({}, worker_platform="linux/arm64", repository_url=URL), IMAGE)
    assert found.deployed == IMAGE
    assert found.repository is not None
    assert found.repository.url == URL
    assert not found.makes_repository


def test_a_repository_may_be_one_that_exists() -> None:
    arn = "arn:aws:ecr:eu-west-1:123456789012:repository/sesbounce"
    known = plan({"repository_arn": arn}, worker_platform="linux/amd64", repository_url=None)
    found = release.outlook(known, None)
    assert found.repository is not None
    assert found.repository.url == URL


def test_there_may_be_no_repository() -> None:
    known = plan({"create_repository": False}, worker_platform="linux/amd64", repository_url=None)
    found = release.outlook(known, IMAGE)
    assert (found.repository, found.makes_repository) == (None, False)
    line = release.forecast(found, Sources("linux/amd64"))
    assert line == f"The stack has no repository: the image stays {IMAGE}."


@pytest.mark.parametrize("name", [URL, f"{URL}:latest", f"{URL}@sha256:abc", f"{IMAGE}0"])
def test_images_need_a_digest(name: str) -> None:
    assert release.by_digest(IMAGE) == IMAGE
    with pytest.raises(ReleaseError, match="has no digest"):
        release.by_digest(name)


def test_the_tag_stays_that_of_what_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    tags = iter(["sha-1", "sha-2"])
    monkeypatch.setattr("scripts.deploy.release.content_tag", lambda *_: next(tags))
    monkeypatch.setattr("scripts.deploy.release.pinned", lambda base, _: base)
    sources = Sources("linux/arm64")
    assert (sources.tag, sources.tag) == ("sha-1", "sha-1")


def test_the_base_is_the_one_that_the_registry_has(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    digest = f"sha256:{'b' * 64}"
    bases: list[str | None] = []

    def build(_: str, __: str, base: str | None, *, require_pinned: bool) -> None:
        bases.append(base)

    def silent(_: str) -> str:
        raise RegistryError("The registry is silent.")

    monkeypatch.setattr(release, "build", build)
    monkeypatch.setattr(registry, "digest", lambda _: digest)
    pinned = Sources("linux/arm64", "python:3.13")
    assert pinned.tag == content_tag("linux/arm64", f"python:3.13@{digest}")
    pinned.build()
    monkeypatch.setattr(registry, "digest", silent)
    for sources in (
        Sources("linux/arm64", "python:3.13"),
        Sources("linux/arm64", "python:3.13", require_pinned=True),
    ):
        assert sources.tag == content_tag("linux/arm64", "python:3.13")
        sources.build()
    assert bases == [f"python:3.13@{digest}", "python:3.13", "python:3.13"]
    (warning,) = capsys.readouterr().err.splitlines()
    assert warning.startswith("deploy: The registry is silent. The base python:3.13 is a tag")
