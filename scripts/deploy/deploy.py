"""Deploys the Terraform stack, and the worker's image with it.

Variables come from `terraform/terraform.tfvars` (see `terraform.tfvars.example`) and TF_VAR_*,
credentials from boto3's and Terraform's usual places, and the state is where Terraform itself
would put it, so that `terraform -chdir=terraform …` works beside this command. `--env NAME` reads
the variables from `terraform/environments/NAME.tfvars`, and keeps a separate state.
"""

import argparse
import functools
import json
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from scripts import ScriptError
from scripts.deploy import aws, dns_records, function, guards, release, rollout, run_task, runs
from scripts.deploy.context import Ask, DeclinedError, Run
from scripts.deploy.ecr import Repository
from scripts.deploy.options import parser
from scripts.deploy.release import Outlook, ReleaseError
from scripts.image.container_engine import find_engine
from scripts.terraform import tfvars
from scripts.terraform.env import terraform_env
from scripts.terraform.environments import environment, has_variables
from scripts.terraform.plan import Plan
from scripts.terraform.stack import Stack
from sesbounce.doctor import checks, rights
from sesbounce.doctor.declared import Wiring, declared
from sesbounce.doctor.finding import Weight
from sesbounce.errors import NothingDeployedError, SesBounceError

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"

# As `sesbounce` exits where a person does not confirm.
DECLINED = 4


class PlaceError(ScriptError):
    """The stack is in another account or region."""


class NoVariablesError(ScriptError):
    """There is a stack, but no file of its variables."""


class NoServiceError(ScriptError):
    """The stack has no worker: deploy one with make deploy."""


def main(
    arguments: Sequence[str] | None = None,
    directory: Path = TERRAFORM,
    ask: Ask = input,
) -> int:
    """Run the command line; returns the exit code."""
    options = parser(__doc__).parse_args(arguments)
    try:
        return _COMMANDS[options.command](_begin(options, directory, ask))
    except DeclinedError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return DECLINED
    except (ScriptError, SesBounceError) as error:
        print(f"deploy: {error}", file=sys.stderr)
    except BotoCoreError as error:
        print(f"deploy: AWS can't be reached: {error}", file=sys.stderr)
    except EOFError:
        print("deploy: no answer on standard input; --yes answers every question", file=sys.stderr)
        return DECLINED
    except KeyboardInterrupt:
        print("deploy: interrupted; run the same command to continue", file=sys.stderr)
        return 130
    return 1


def _begin(options: argparse.Namespace, directory: Path, ask: Ask) -> Run:
    """Open the stack, and check that the credentials are of its account."""
    place = environment(directory, options.env)
    stack = Stack(
        directory,
        data_dir=place.data_dir,
        state=place.state,
        variables={},
        environment=terraform_env(),
        var_files=place.var_files,
    )
    # The credentials are of one partition, such as China, whose STS alone knows them.
    region = tfvars.given("region", directory, place) or aws.region()
    account = None if options.command == "output" else aws.account(region)
    stack.init(place.backend_config)
    outputs = stack.outputs()
    if outputs and getattr(options, "yes", False) and not has_variables(directory, place):
        raise NoVariablesError(
            "There is a stack, but no file of its variables, so that its plan would remove what "
            f"they name. With --yes, deploy needs one: {directory}/terraform.tfvars, which may be "
            f"empty, or ENV=NAME and {directory}/environments/NAME.tfvars."
        )
    if name := _deployed_name(outputs) or place.stack_name:
        stack.set_default("name", name)
    topic = outputs.get("topic_arn")
    if account and topic and topic.split(":")[4] != account:
        raise PlaceError(
            f"The stack is in account {topic.split(':')[4]}, but the credentials are of {account}. "
            "Log in to that account, or choose another AWS_PROFILE or ENV."
        )
    return Run(stack, options, ask, account)


def _deployed_name(outputs: Mapping[str, Any]) -> str | None:
    """The name that a stack was deployed with; None before that."""
    policy: str = outputs.get("consumer_policy_arn") or ""
    return policy.rpartition("/")[2].removesuffix("-consumer") or None


# --- The commands -------------------------------------------------------------------------------


def _plan(run: Run) -> int:
    deployed = run.stack.outputs().get(release.VARIABLE)
    image = _given_image(run) if _image_is_given(run) else deployed
    with _planned(run, image) as plan:
        _show(run, plan)
        guards.forecast(run, plan)
    if not _image_is_given(run):
        outlook = release.outlook(plan, deployed)
        if outlook.platform:
            print(release.forecast(outlook, run.sources(outlook.platform)))
    return 0


def _apply(run: Run) -> int:
    failed = _failed_deployment(run)
    if _image_is_given(run):
        _apply_with(run, _given_image(run))
    else:
        _apply_with_own_image(run)
    _print_outputs(run.stack.outputs(sensitive=False), documents=False)
    wired = declared(run.stack.outputs(), run.stack.resources())
    session = aws.session(wired.region)
    if wired.service:
        ecs = session.client("ecs")
        if failed and failed == rollout.failed_deployment(ecs, wired.service):
            print("The deployment before this one has failed, and nothing of it has changed.")
            rollout.restart(ecs, wired.service)
        rollout.await_stable(ecs, wired.service, print, session.client("logs"))
    if wired.schedule:
        runs.run_now(session, wired.schedule, print)
    if wired.function:
        function.sweep_now(session, wired.function, print)
    return _print_findings(wired, session)


def _check(run: Run) -> int:
    wired = declared(run.stack.outputs(), run.stack.resources())
    return _print_findings(wired, aws.session(wired.region), tables=True)


def _destroy(run: Run) -> int:
    with run.stack.planned(destroy=True) as plan:
        _show(run, plan)
        if plan.empty:
            return 0
        guards.guard_destroy(run, plan)
        run.agree("Destroy the stack, its queues and their messages?")
        run.stack.apply(plan=plan)
    return 0


def _restart(run: Run) -> int:
    wired, session = _deployed_worker(run)
    if wired.service:
        ecs = session.client("ecs")
        rollout.restart(ecs, wired.service)
        rollout.await_stable(ecs, wired.service, print, session.client("logs"))
    if wired.schedule:
        runs.run_now(session, wired.schedule, print)
    if wired.function:
        function.restart(session, wired.function, print)
        function.sweep_now(session, wired.function, print)
    return 0


def _cli(run: Run) -> int:
    wired, session = _deployed_worker(run)
    if wired.function:
        raise NoServiceError(
            "The worker is a function, and a command needs a task in ECS. Run it on a machine that "
            "reaches the database: SESBOUNCE_DATABASE_URL=… .venv/bin/sesbounce "
            + shlex.join(run.options.arguments)
        )
    # What the command writes is alone on standard output.
    say = functools.partial(print, file=sys.stderr)
    if wired.schedule:
        place = runs.beside(session, wired.schedule)
        return run_task.run(session, wired.schedule, run.options.arguments, say, place=place)
    assert wired.service  # noqa: S101  there is a worker
    place = rollout.placement(session.client("ecs"), wired.service)
    return run_task.run(session, wired.service, run.options.arguments, say, place=place)


def _output(run: Run) -> int:
    if run.options.json:
        outputs = run.stack.outputs()
        print(json.dumps({k: v for k, v in outputs.items() if v is not None}, indent=2))
    else:
        _print_outputs(run.stack.outputs(sensitive=False))
    return 0


_COMMANDS: dict[str, Callable[[Run], int]] = {
    "plan": _plan,
    "apply": _apply,
    "check": _check,
    "destroy": _destroy,
    "output": _output,
    "restart": _restart,
    "cli": _cli,
}


# --- Their parts --------------------------------------------------------------------------------


def _image_is_given(run: Run) -> bool:
    return run.options.image is not None or run.options.no_image


def _given_image(run: Run) -> str | None:
    return None if run.options.no_image else release.by_digest(run.options.image)


@contextmanager
def _planned(run: Run, image: str | None) -> Iterator[Plan]:
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


def _apply_with(run: Run, image: str | None) -> None:
    with _planned(run, image) as plan:
        _carry_out(run, plan)


def _apply_with_own_image(run: Run) -> None:
    """Apply with the image of these sources, if the stack has a worker."""
    deployed = run.stack.outputs().get(release.VARIABLE)
    with _planned(run, deployed) as plan:
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
    _apply_with(run, image)


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
    _show(run, plan)
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
    _show(run, plan)
    if not plan.empty:
        guards.guard(run, plan)
        run.agree("Apply these changes?")
        run.stack.apply(plan=plan)


def _failed_deployment(run: Run) -> str | None:
    """The deployment of the service that ECS has given up, before this run changes anything."""
    try:
        wired, session = _deployed_worker(run)
    except (NoServiceError, NothingDeployedError):
        return None
    if wired.service is None:
        return None
    return rollout.failed_deployment(session.client("ecs"), wired.service)


def _deployed_worker(run: Run) -> tuple[Wiring, boto3.Session]:
    """The wiring of a stack whose worker has a service or a schedule, or is a function."""
    wired = declared(run.stack.outputs(), ())  # the outputs alone tell them
    if not (wired.service or wired.schedule or wired.function):
        raise NoServiceError(NoServiceError.__doc__)
    return wired, aws.session(wired.region)


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


def _print_findings(wired: Wiring, session: boto3.Session, *, tables: bool = False) -> int:
    """Print what the checks find, and with `tables` each right of the queue's readers."""
    found = rights.rights(wired, session)
    for each in found:
        if tables or each.skipped:
            print(rights.table(each))
    findings = [*checks.check(wired, session), *rights.findings(found)]
    for finding in findings:
        print(finding)
    broken = sum(finding.weight is Weight.BROKEN for finding in findings)
    hints = sum(finding.weight is Weight.HINT for finding in findings)
    hints_text = "1 hint" if hints == 1 else f"{hints or 'no'} hints"
    print(f"Wiring: {broken or 'nothing'} broken, {hints_text}.")
    return 1 if broken else 0


def _print_outputs(outputs: dict[str, Any], *, documents: bool = True) -> None:
    for name, value in outputs.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if name == dns_records.OUTPUT:
            for line in dns_records.lines(outputs):
                print(line)
        elif value is not None and (documents or not text.startswith(("{", "[{"))):
            print(f"{name} = {text}")


def _show(run: Run, plan: Plan) -> None:
    _check_region(run, plan)
    if getattr(run.options, "detailed", False):
        print(run.stack.text(plan))
    else:
        print(plan)


if __name__ == "__main__":
    sys.exit(main())
