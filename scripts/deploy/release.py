"""Which image of the worker a stack is to run, and its way into the repository.

An image is named by its digest. What was built from the same sources has the same tag, so it is
built and pushed once.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from scripts import ScriptError
from scripts.deploy import ecr
from scripts.deploy.ecr import Repository
from scripts.image import build as image
from scripts.image.build import Image
from scripts.terraform.plan import Plan

VARIABLE = "worker_image"

Say = Callable[[str], None]


class ReleaseError(ScriptError):
    """The worker's image can't be had as it is asked for."""


@dataclass(frozen=True)
class Sources:
    """What an image is built from.

    Attributes:
        platform: such as `linux/arm64`.
        base: the image to build on; None: the one that the Dockerfile names.
        require_pinned: refuse a base that is not named by its digest.
    """

    platform: str
    base: str | None = None
    require_pinned: bool = False

    @cached_property
    def tag(self) -> str:
        """The tag of whatever is built from them; also when somebody goes on editing them."""
        return image.content_tag(self.platform, self.base)

    def build(self) -> Image:
        """Build them."""
        return image.build(self.tag, self.platform, self.base, require_pinned=self.require_pinned)


@dataclass(frozen=True)
class Outlook:
    """What the variables ask for, as far as an image goes.

    Attributes:
        deployed: the image that runs, by digest; None: none yet.
        platform: what to build for; None where the stack has no worker.
        repository: where the image goes; None where that is yet to be made, or is not ours.
        makes_repository: whether an apply would make it.
    """

    deployed: str | None
    platform: str | None
    repository: Repository | None
    makes_repository: bool


def outlook(plan: Plan, deployed: str | None) -> Outlook:
    """Tell it from a plan with the image that is deployed, and from ECR.

    Raises:
        AwsError: ECR does not answer.
    """
    platform = plan.outputs.get("worker_platform")
    if platform is None:
        return Outlook(deployed, None, None, makes_repository=False)
    # Terraform can't tell the URL of a repository that it has yet to make.
    if "repository_url" not in plan.outputs:
        return Outlook(deployed, platform, None, makes_repository=True)
    arn = (plan.variables.get("worker") or {}).get("repository_arn")
    url = plan.outputs["repository_url"] or (ecr.url_of(arn) if arn else None)
    return Outlook(deployed, platform, Repository.at(url) if url else None, makes_repository=False)


def publish(repository: Repository, sources: Sources, say: Say, built: Image | None = None) -> str:
    """See to it that the repository holds the image of the sources.

    Args:
        repository: where it goes.
        sources: what it is built from, unless it is there.
        say: hears what is done.
        built: the image, if it is built already.

    Returns:
        The image by its digest.

    Raises:
        ScriptError: it can't be built, or the registry does not take it.
    """
    if found := repository.find(sources.tag):
        return found
    if built is None:
        say(f"Building the image {sources.tag} for {sources.platform}.")
        built = sources.build()
    say(f"Pushing {built.name} to {repository.url}.")
    return image.push(built, repository.url, repository.credentials())


def by_digest(reference: str) -> str:
    """An image that somebody names, provided that it can't change.

    Raises:
        ReleaseError: it is named by a tag.
    """
    if not image.is_pinned(reference):
        raise ReleaseError(
            f"{reference} names no digest, so that what runs could change by itself. Name the "
            "image NAME@sha256:…; `docker buildx imagetools inspect` and `aws ecr describe-images` "
            "tell the digest."
        )
    return reference


def forecast(outlook: Outlook, sources: Sources) -> str:
    """One line on what deploy would do about the image."""
    if outlook.makes_repository:
        then = f"build and push the image {sources.tag} ({sources.platform}), and start the worker"
        return f"deploy would make the repository, then {then}."
    if outlook.repository is None:
        return f"The stack has no repository: the image stays {outlook.deployed or 'unset'}."
    found = outlook.repository.find(sources.tag)
    if found is None:
        return f"deploy would build and push the image {sources.tag}, and roll the worker to it."
    if found != outlook.deployed:
        return f"deploy would roll the worker to the image {sources.tag}, {found}."
    return f"The image is the one of these sources: {sources.tag}."
