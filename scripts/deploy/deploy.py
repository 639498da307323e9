"""Deploys the Terraform stack, and the worker's image with it.

Variables come from `terraform/terraform.tfvars` (see `terraform.tfvars.example`) and TF_VAR_*,
credentials from boto3's and Terraform's usual places, and the state is where Terraform itself
would put it, so that `terraform -chdir=terraform …` works beside this command. `--env NAME` reads
the variables from `terraform/environments/NAME.tfvars`, and keeps a separate state.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from scripts import ScriptError
from scripts.deploy import aws, destroy_guard, release, rollout
from scripts.deploy.ecr import Repository
from scripts.deploy.release import Outlook, ReleaseError, Sources
from scripts.image.container_engine import find_engine
from scripts.terraform.env import terraform_env
from scripts.terraform.environments import environment
from scripts.terraform.plan import Plan
from scripts.terraform.stack import Stack
from sesbounce.doctor import checks
from sesbounce.doctor.declared import Wiring, declared
from sesbounce.doctor.finding import Weight
from sesbounce.errors import SesBounceError

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"

Ask = Callable[[str], str]


# As `sesbounce` exits where a person does not confirm.
DECLINED = 4


class PlaceError(ScriptError):
    """The stack is in another account or region."""


class DeclinedError(ScriptError):
    """You declined: this plan is not applied."""


@dataclass(frozen=True)
class Run:
    """One run of the command."""

    stack: Stack
    options: argparse.Namespace
    ask: Ask

    def sources(self, platform: str) -> Sources:
        """The sources of the image for a platform."""
        return Sources(platform, self.options.base, self.options.require_pinned)


def main(
    arguments: Sequence[str] | None = None,
    directory: Path = TERRAFORM,
    ask: Ask = input,
) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
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
    account = None if options.command == "output" else aws.account(aws.region())
    stack.init(place.backend_config)
    topic = stack.outputs().get("topic_arn")
    if account and topic and topic.split(":")[4] != account:
        raise PlaceError(
            f"The stack is in account {topic.split(':')[4]}, but the credentials are of {account}. "
            "Log in to that account, or choose another AWS_PROFILE or ENV."
        )
    return Run(stack, options, ask)


# --- The commands -------------------------------------------------------------------------------


def _plan(run: Run) -> int:
    deployed = run.stack.outputs().get(release.VARIABLE)
    image = _given_image(run) if _image_is_given(run) else deployed
    with run.stack.planned({release.VARIABLE: image}) as plan:
        _show(run, plan)
    if not _image_is_given(run):
        outlook = release.outlook(plan, deployed)
        if outlook.platform:
            print(release.forecast(outlook, run.sources(outlook.platform)))
    return 0


def _apply(run: Run) -> int:
    if _image_is_given(run):
        _apply_with(run, _given_image(run))
    else:
        _apply_with_own_image(run)
    _print_outputs(run.stack.outputs(sensitive=False), documents=False)
    wired = declared(run.stack.outputs(), run.stack.resources())
    session = aws.session(wired.region)
    if wired.service:
        rollout.await_stable(session.client("ecs"), wired.service, print)
    return _print_findings(wired, session)


def _check(run: Run) -> int:
    wired = declared(run.stack.outputs(), run.stack.resources())
    return _print_findings(wired, aws.session(wired.region))


def _destroy(run: Run) -> int:
    destroy_guard.refuse_losses(run.stack, dead_letters_too=run.options.even_with_dead_letters)
    with run.stack.planned(destroy=True) as plan:
        _show(run, plan)
        if plan.empty:
            return 0
        _agree(run, "Destroy the stack, its queues and their messages?")
        run.stack.apply(plan=plan)
    return 0


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
}


# --- Their parts --------------------------------------------------------------------------------


def _image_is_given(run: Run) -> bool:
    return run.options.image is not None or run.options.no_image


def _given_image(run: Run) -> str | None:
    return None if run.options.no_image else release.by_digest(run.options.image)


def _apply_with(run: Run, image: str | None) -> None:
    with run.stack.planned({release.VARIABLE: image}) as plan:
        _carry_out(run, plan)


def _apply_with_own_image(run: Run) -> None:
    """Apply with the image of these sources, if the stack has a worker."""
    deployed = run.stack.outputs().get(release.VARIABLE)
    with run.stack.planned({release.VARIABLE: deployed}) as plan:
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
    _agree(run, "Build the image and apply these changes?")
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
        _agree(run, "Apply these changes?")
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


def _print_findings(wired: Wiring, session: boto3.Session) -> int:
    findings = checks.check(wired, session)
    for finding in findings:
        print(finding)
    broken = sum(finding.weight is Weight.BROKEN for finding in findings)
    hints = len(findings) - broken
    hints_text = "1 hint" if hints == 1 else f"{hints or 'no'} hints"
    print(f"Wiring: {broken or 'nothing'} broken, {hints_text}.")
    return 1 if broken else 0


def _print_outputs(outputs: dict[str, Any], *, documents: bool = True) -> None:
    for name, value in outputs.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if value is not None and (documents or not text.startswith(("{", "[{"))):
            print(f"{name} = {text}")


def _show(run: Run, plan: Plan) -> None:
    _check_region(run, plan)
    if getattr(run.options, "detailed", False):
        print(run.stack.text(plan))
    else:
        print(plan)


def _agree(run: Run, question: str) -> None:
    if not run.options.yes and run.ask(f"{question} [y/N] ").strip().lower() not in ("y", "yes"):
        raise DeclinedError(DeclinedError.__doc__)


# --- The command line ---------------------------------------------------------------------------


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.deploy.deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--env", default="", metavar="NAME", help="the stack of terraform/environments/NAME.tfvars"
    )
    asks = argparse.ArgumentParser(add_help=False)
    asks.add_argument("--yes", action="store_true", help="answer yes to every question")
    details = argparse.ArgumentParser(add_help=False)
    details.add_argument("--detailed", action="store_true", help="print the whole plan")
    commands = parser.add_subparsers(dest="command", required=True, metavar="command")

    def add(name: str, help_: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        return commands.add_parser(name, parents=[everywhere, *parents], help=help_)

    add("plan", "show what apply would change", _image_options(), details)
    add(
        "apply",
        "apply the changes; build and push the worker's image where it is missing",
        _image_options(),
        details,
        asks,
    )
    add("check", "check that events reach the queue and that a worker reads it")
    command = add("destroy", "destroy the stack", details, asks)
    command.add_argument(
        "--even-with-dead-letters",
        action="store_true",
        help="destroy dead-letter queues that hold messages too; the messages are lost",
    )
    command = add("output", "print the outputs")
    command.add_argument(
        "--json", action="store_true", help="print JSON, with the sensitive outputs"
    )
    return parser


def _image_options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(add_help=False)
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "--image", metavar="NAME@sha256:…", help="run this image instead of building one"
    )
    which.add_argument(
        "--no-image", action="store_true", help="deploy no worker; a worker that runs is removed"
    )
    parser.add_argument("--base", metavar="IMAGE", help="the base image, NAME@sha256:…")
    parser.add_argument(
        "--require-pinned",
        action="store_true",
        help="refuse a base image without a digest",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
