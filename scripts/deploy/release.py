"""Finds the worker's image that a stack should run, or builds and pushes it.

A stack refers to an image by its digest. Images of the same sources have the same tag, so each is
built and pushed once.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from scripts import ScriptError
from scripts.deploy import ecr
from scripts.deploy.ecr import Repository
from scripts.image.build import (
    Image,
    build,
    content_tag,
    default_base,
    is_pinned,
    pinned,
    push,
)
from scripts.terraform.plan import Plan

VARIABLE = "worker_image"

Say = Callable[[str], None]


class ReleaseError(ScriptError):
    """The worker's image can't be published or run as requested."""


@dataclass(frozen=True)
class Sources:
    """The sources of an image: this checkout and these options.

    Attributes:
        platform: such as `linux/arm64`.
        base: the base image; None: the one in the Dockerfile.
        require_pinned: refuse a base without a digest.
    """

    platform: str
    base: str | None = None
    require_pinned: bool = False

    @cached_property
    def _base(self) -> str:
        """The base with its digest, which is looked up once."""
        base = self.base or default_base()
        return base if self.require_pinned else pinned(base, _warn)

    @cached_property
    def tag(self) -> str:
        """The tag of their image. It stays the same while somebody edits the checkout."""
        return content_tag(self.platform, self._base)

    def build(self) -> Image:
        """Build the image."""
        return build(self.tag, self.platform, self._base, require_pinned=self.require_pinned)


@dataclass(frozen=True)
class Outlook:
    """What a plan means for the worker's image.

    Attributes:
        deployed: the image that runs, with its digest; None: none yet.
        platform: the platform to build for; None where the stack has no worker.
        repository: the repository to push to; None where it is not created yet, or the stack has
            none.
        makes_repository: whether an apply would create it.
    """

    deployed: str | None
    platform: str | None
    repository: Repository | None
    makes_repository: bool


def outlook(plan: Plan, deployed: str | None) -> Outlook:
    """Read the outlook from a plan that keeps the deployed image.

    Raises:
        AwsError: the repository is not one of ECR.
    """
    platform = plan.outputs.get("worker_platform")
    if platform is None:
        return Outlook(deployed, None, None, makes_repository=False)
    # Terraform does not know the URL of a repository before it has created it.
    if "repository_url" not in plan.outputs:
        return Outlook(deployed, platform, None, makes_repository=True)
    arn = (plan.variables.get("worker") or {}).get("repository_arn")
    url = plan.outputs["repository_url"] or (ecr.url_of(arn) if arn else None)
    return Outlook(deployed, platform, Repository.at(url) if url else None, makes_repository=False)


def publish(repository: Repository, sources: Sources, say: Say, built: Image | None = None) -> str:
    """Make sure that the repository holds the image of the sources.

    Args:
        repository: the repository to push to.
        sources: the sources, from which a missing image is built.
        say: called with a line of progress before each step.
        built: the image, if it is built already.

    Returns:
        The image, with its digest.

    Raises:
        ScriptError: the build fails, or the registry rejects the image.
    """
    if found := repository.find(sources.tag):
        return found
    if built is None:
        say(f"Building the image {sources.tag} for {sources.platform}.")
        built = sources.build()
    say(f"Pushing {built.name} to {repository.url}.")
    return push(built, repository.url, repository.credentials())


def by_digest(reference: str) -> str:
    """Return the reference of an image, provided that it has a digest and so can't change.

    Raises:
        ReleaseError: it has none.
    """
    if not is_pinned(reference):
        raise ReleaseError(
            f"{reference} has no digest, so the worker's image could change unseen. Use "
            "NAME@sha256:…; `docker buildx imagetools inspect` and `aws ecr describe-images` "
            "show the digest."
        )
    return reference


def forecast(outlook: Outlook, sources: Sources) -> str:
    """A line about what deploy would do with the image."""
    if outlook.makes_repository:
        then = f"build and push the image {sources.tag} ({sources.platform}), and start the worker"
        return f"deploy would create the repository, then {then}."
    if outlook.repository is None:
        return f"The stack has no repository: the image stays {outlook.deployed or 'unset'}."
    found = outlook.repository.find(sources.tag)
    if found is None:
        return f"deploy would build and push the image {sources.tag}, and roll the worker to it."
    if found != outlook.deployed:
        return f"deploy would roll the worker to the image {sources.tag}, {found}."
    return f"The worker runs the image of these sources: {sources.tag}."


def _warn(warning: str) -> None:
    print(f"deploy: {warning}", file=sys.stderr)
