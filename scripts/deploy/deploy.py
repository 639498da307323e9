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
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from botocore.exceptions import BotoCoreError

from scripts import ScriptError
from scripts.deploy import (
    applying,
    aws,
    dns_records,
    function,
    guards,
    release,
    rollout,
    run_task,
    runs,
)
from scripts.deploy.context import Ask, DeclinedError, Run
from scripts.deploy.options import parser
from scripts.terraform import tfvars
from scripts.terraform.env import terraform_env
from scripts.terraform.environments import environment, has_variables
from scripts.terraform.stack import Stack
from sesbounce.doctor import checks, report, rights, rights_report
from sesbounce.doctor.declared import Wiring, declared
from sesbounce.doctor.examine import examine
from sesbounce.doctor.finding import Status
from sesbounce.errors import NothingDeployedError, SesBounceError

TERRAFORM = Path(__file__).resolve().parents[2] / "terraform"

# As `sesbounce` exits where a person does not confirm.
DECLINED = 4


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
        raise applying.PlaceError(
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
    image = applying.given_image(run) if applying.image_is_given(run) else deployed
    with applying.planned(run, image) as plan:
        applying.show(run, plan)
        guards.forecast(run, plan)
    if not applying.image_is_given(run):
        outlook = release.outlook(plan, deployed)
        if outlook.platform:
            print(release.forecast(outlook, run.sources(outlook.platform)))
    return 0


def _apply(run: Run) -> int:
    failed = _failed_deployments(run)
    if applying.image_is_given(run):
        applying.apply_with(run, applying.given_image(run))
    else:
        applying.apply_with_own_image(run)
    _print_outputs(run.stack.outputs(sensitive=False), documents=False)
    wired = declared(run.stack.outputs(), run.stack.resources())
    session = aws.session(wired.region)
    ecs, logs = session.client("ecs"), session.client("logs")
    for service in wired.services:
        if failed and rollout.failed_deployment(ecs, service) in failed:
            print(
                f"The deployment of {service.name} before this one has failed, and nothing of it "
                "has changed."
            )
            rollout.restart(ecs, service)
    if wired.service:
        rollout.await_stable(ecs, wired.service, print, logs)
    if wired.schedule:
        runs.run_now(session, wired.schedule, print)
    if wired.function:
        function.sweep_now(session, wired.function, print)
    if wired.api:
        if rollout.is_given_up(ecs, wired.api):
            print(
                f"ECS has given up on {wired.api.name}, perhaps before the worker had updated the "
                "database's tables: a new deployment begins."
            )
            rollout.restart(ecs, wired.api)
        rollout.await_stable(ecs, wired.api, print, logs)
    return _print_findings(wired, session)


def _check(run: Run) -> int:
    wired = declared(run.stack.outputs(), run.stack.resources())
    return _print_findings(wired, aws.session(wired.region), tables=True)


def _destroy(run: Run) -> int:
    with run.stack.planned(destroy=True) as plan:
        applying.show(run, plan)
        if plan.empty:
            return 0
        guards.guard_destroy(run, plan)
        run.agree("Destroy the stack, its queues and their messages?")
        run.stack.apply(plan=plan)
    return 0


def _restart(run: Run) -> int:
    wired, session = _deployed_worker(run)
    ecs, logs = session.client("ecs"), session.client("logs")
    for service in wired.services:
        rollout.restart(ecs, service)
        rollout.await_stable(ecs, service, print, logs)
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
    elif outputs := run.stack.outputs(sensitive=False):
        _print_outputs(outputs)
    else:
        print("Nothing is deployed yet: `make deploy` creates the stack.", file=sys.stderr)
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


def _failed_deployments(run: Run) -> set[str]:
    """The deployments of services that ECS has given up, before this run changes anything."""
    try:
        wired, session = _deployed_worker(run)
    except (NoServiceError, NothingDeployedError):
        return set()
    ecs = session.client("ecs")
    return {id_ for each in wired.services if (id_ := rollout.failed_deployment(ecs, each))}


def _deployed_worker(run: Run) -> tuple[Wiring, boto3.Session]:
    """The wiring of a stack whose worker has a service or a schedule, or is a function."""
    wired = declared(run.stack.outputs(), ())  # the outputs alone name them
    if not (wired.service or wired.schedule or wired.function):
        raise NoServiceError(NoServiceError.__doc__)
    return wired, aws.session(wired.region)


def _print_findings(wired: Wiring, session: boto3.Session, *, tables: bool = False) -> int:
    """Print what the checks find, and with `tables` each right of the queue's readers."""
    answers = rights.rights(wired, session)
    for each in answers:
        if tables or each.skipped:
            print(rights_report.table(each))
    of_rights = checks.RIGHTS._replace(run=lambda *_: checks.of_rights(answers))
    results = list(examine([checks.group(lambda: (wired, session), of_rights)]))
    for line in report.lines(results):
        print(line)
    print(f"Wiring: {report.total(results)}")
    return 1 if any(result.status is Status.BROKEN for result in results) else 0


def _print_outputs(outputs: dict[str, Any], *, documents: bool = True) -> None:
    for name, value in outputs.items():
        text = value if isinstance(value, str) else json.dumps(value)
        if name == dns_records.OUTPUT:
            for line in dns_records.lines(outputs):
                print(line)
        elif value is not None and (documents or not text.startswith(("{", "[{"))):
            print(f"{name} = {text}")


if __name__ == "__main__":
    sys.exit(main())
