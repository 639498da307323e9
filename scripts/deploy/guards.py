"""Checks a plan before its apply: refuses what does harm, has a person confirm what is lost."""

import boto3

from scripts.deploy import adoption, aws, destroy_guard, losses
from scripts.deploy.adoption import AdoptionError
from scripts.deploy.context import Run
from scripts.deploy.losses import LossError
from scripts.terraform.plan import Plan

# What --allow-loss says of the messages in a queue, beside the queue itself.
_MESSAGES = "messages"


def forecast(run: Run, plan: Plan) -> None:
    """Print what `guard` would refuse or ask about."""
    if found := adoption.existing(plan, _session(plan), str(run.account)):
        print(f"deploy would refuse this plan: {AdoptionError(found)}")
    if lost := losses.losses(plan):
        print(losses.describe(lost))


def guard(run: Run, plan: Plan) -> None:
    """Check a plan that deploy is about to apply.

    Raises:
        AdoptionError: it would take over resources that are not the stack's.
        DestroyError: it would lose messages, or Terraform would stop halfway.
        LossError: it loses what `--allow-loss` does not name, and nobody is asked.
        DeclinedError: it loses something, and a person does not want that.
    """
    if found := adoption.existing(plan, _session(plan), str(run.account)):
        raise AdoptionError(found)
    _refuse_stops_and_messages(run, plan)
    if _report_losses(run, plan):
        run.agree("Lose that?")


def guard_destroy(run: Run, plan: Plan) -> None:
    """Check a plan that destroys the stack, and print what is lost; the caller asks.

    Raises:
        DestroyError: it would lose messages, or Terraform would stop halfway.
        LossError: it loses what `--allow-loss` does not name, and nobody is asked.
    """
    _refuse_stops_and_messages(run, plan)
    _report_losses(run, plan)


def _refuse_stops_and_messages(run: Run, plan: Plan) -> None:
    destroy_guard.refuse_protected(plan)
    destroy_guard.refuse_waiting(
        run.stack,
        plan,
        messages_too=_MESSAGES in run.options.allow_loss,
        dead_letters_too=getattr(run.options, "even_with_dead_letters", False),
    )


def _report_losses(run: Run, plan: Plan) -> bool:
    """Print what a plan loses without `--allow-loss`; where nobody is asked, refuse the plan."""
    allowed = set(run.options.allow_loss)
    if run.options.command != "destroy":
        # In CI it would stay there, and allow what nobody has thought of.
        allowed.discard(losses.EVERYTHING)
    if getattr(run.options, "no_image", False):
        allowed |= losses.READERS
    lost = losses.losses(plan, allowed)
    if lost and run.options.yes:
        raise LossError(lost, destroys=run.options.command == "destroy")
    if lost:
        print(losses.describe(lost))
    return bool(lost)


def _session(plan: Plan) -> boto3.Session:
    """A session in the region that a plan is for; Terraform has refused a plan without one."""
    return aws.session(plan.variables.get("region") or str(aws.region()))
