"""Plans and applies the stack, with the worker's image or the function's package."""

from collections.abc import Iterator
from contextlib import contextmanager

from scripts import ScriptError
from scripts.deploy import aws, function, guards, release
from scripts.deploy.context import Run
from scripts.deploy.ecr import Repository
from scripts.deploy.release import Outlook, ReleaseError
from scripts.image.container_engine import find_engine
from scripts.terraform.plan import Plan


class PlaceError(ScriptError):
    """The stack is in another account or region."""


def image_is_given(run: Run) -> bool:
    """Whether the command line says which image the worker has, or that there is none."""
    return run.options.image is not None or run.options.no_image


def given_image(run: Run) -> str | None:
    """The image of the command line, by its digest; None where there is to be none."""
    return None if run.options.no_image else release.by_digest(run.options.image)


@contextmanager
def planned(run: Run, image: str | None) -> Iterator[Plan]:
    """A plan with an image; for a worker in AWS Lambda, with the package of these sources."""
    with run.stack.planned({release.VARIABLE: image}) as plan:
        package = (
            None if run.options.no_image else function.package(plan, run.stack.directory, print)
        )
        if package is None:
            yield plan
            return
    with run.stack.planned({release.VARIABLE: image, function.VARIABLE: package}) as plan:
        yield plan


def apply_with(run: Run, image: str | None) -> None:
    """Plan with an image, and apply the plan if a person agrees."""
    with planned(run, image) as plan:
        _carry_out(run, plan)


def apply_with_own_image(run: Run) -> None:
    """Apply with the image of these sources, if the stack has a worker."""
    deployed = run.stack.outputs().get(release.VARIABLE)
    with planned(run, deployed) as plan:
        _check_region(run, plan)
        outlook = release.outlook(plan, deployed)
        image: str | None
        if outlook.makes_repository:
            image = _first_image(run, plan, outlook)
        else:
            image = _own_image(run, outlook)
            if image == deployed:
                _carry_out(run, plan)
                return
    apply_with(run, image)


def _own_image(run: Run, outlook: Outlook) -> str | None:
    """The image of these sources, pushed to the repository; without one, the deployed image."""
    if outlook.platform is None:
        return outlook.deployed
    if outlook.repository is None:
        if outlook.deployed is None:
            raise ReleaseError(
                "The stack has no repository for the worker's image: choose an image with "
                "--image NAME@sha256:…, or set worker.create_repository = true."
            )
        return outlook.deployed
    return release.publish(outlook.repository, run.sources(outlook.platform), print)


def _first_image(run: Run, plan: Plan, outlook: Outlook) -> str:
    """Apply the plan without the image, which creates the repository; push the image there."""
    find_engine()
    print("First, the changes that come before the worker's image, its repository among them:")
    show(run, plan)
    guards.guard(run, plan)
    run.agree("Build the image and apply these changes?")
    # The build comes before any change, since it may well fail.
    sources = run.sources(str(outlook.platform))
    print(f"Building the image {sources.tag} for {sources.platform}.")
    built = sources.build()
    run.stack.apply(plan=plan)
    repository = Repository.at(run.stack.outputs()["repository_url"])
    return release.publish(repository, sources, print, built)


def _carry_out(run: Run, plan: Plan) -> None:
    show(run, plan)
    if not plan.empty:
        guards.guard(run, plan)
        run.agree("Apply these changes?")
        run.stack.apply(plan=plan)


def _check_region(run: Run, plan: Plan) -> None:
    """Refuse a plan that creates the stack in another region and forgets the first one."""
    topic = run.stack.outputs().get("topic_arn")
    region = plan.variables.get("region") or aws.region()
    if topic and region and topic.split(":")[3] != region:
        raise PlaceError(
            f"The stack is in {topic.split(':')[3]}, but the region is {region} now. Correct the "
            "variable region or AWS_REGION. To move the stack, destroy it there first; to have "
            "both, deploy the new one with another ENV."
        )


def show(run: Run, plan: Plan) -> None:
    """Print a plan.

    Raises:
        PlaceError: it is for another region than that of the stack.
    """
    _check_region(run, plan)
    if getattr(run.options, "detailed", False):
        print(run.stack.text(plan))
    else:
        print(plan)
