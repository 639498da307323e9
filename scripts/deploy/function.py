"""Packs the worker for AWS Lambda, and calls the function that runs it."""

import base64
import json
import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError, WaiterError

from scripts import ScriptError
from scripts.package.build import build
from scripts.terraform.plan import Plan
from sesbounce.aws.clients import error_text
from sesbounce.doctor.declared import Function

VARIABLE = "worker_package"

_DESCRIPTION = "Records the feedback of SES from the queue."
# Lambda answers after 15 minutes at the latest. A second call would be a second sweep.
_CONFIG = Config(read_timeout=910, retries={"total_max_attempts": 1})
_SWEEP = json.dumps({"sesbounce": "sweep"})

Say = Callable[[str], None]


class FunctionError(ScriptError):
    """The function can't be called, or fails."""


def package(plan: Plan, directory: Path, say: Say) -> str | None:
    """Build the package of the function that a plan has; None if the worker is no function.

    Args:
        plan: a plan, with or without a package.
        directory: Terraform's directory.
        say: called with a line about the package.

    Returns:
        The path from Terraform's directory, which is the same in each checkout.
    """
    architecture = plan.outputs.get("function_architecture")
    if architecture is None:
        return None
    built = build(architecture)
    size = built.path.stat().st_size / 1024**2
    say(f"The function's package: {built.tag} for {architecture}, {size:.1f} MiB.")
    return os.path.relpath(built.path, directory)


def sweep_now(session: boto3.Session, function: Function, say: Say) -> None:
    """Call the function once, as its schedule does, which shows whether it works.

    Args:
        session: a session in the region of the stack.
        function: the function.
        say: called with a line of progress.

    Raises:
        FunctionError: Lambda rejects the call, or the function fails.
    """
    say(f"Calling {function.name} to sweep, as its schedule does.")
    client: Any = session.client("lambda", config=_CONFIG)  # the locked types have none for it
    try:
        answer = client.invoke(FunctionName=function.name, Payload=_SWEEP, LogType="Tail")
    except ClientError as error:
        raise FunctionError(
            f"{function.name} can't be called: {error_text(error)}. This needs "
            "lambda:InvokeFunction."
        ) from error
    if answer.get("FunctionError"):
        problem = json.loads(answer["Payload"].read()).get("errorMessage", "no message")
        tail = base64.b64decode(answer.get("LogResult", "")).decode(errors="replace").rstrip()
        raise FunctionError(
            f"{function.name} fails: {problem}\nThe end of its log:\n{tail}\n"
            "Nothing is lost: the messages are in the queue. Fix the cause, and run make deploy; "
            "if only a secret was wrong, make restart."
        )
    say(f"{function.name} works.")


def restart(
    session: boto3.Session,
    function: Function,
    say: Say,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> None:
    """Give the function a new configuration, with which Lambda starts new environments.

    Only the description changes, which Terraform leaves as it is.

    Raises:
        FunctionError: Lambda rejects the change, or does not carry it out.
    """
    client: Any = session.client("lambda")
    try:
        client.update_function_configuration(
            FunctionName=function.name,
            Description=f"{_DESCRIPTION} Restarted {now():%Y-%m-%d %H:%M:%S}Z.",
        )
        client.get_waiter("function_updated_v2").wait(FunctionName=function.name)
    except ClientError as error:
        raise FunctionError(
            f"{function.name} can't be restarted: {error_text(error)}. This needs "
            "lambda:UpdateFunctionConfiguration and lambda:GetFunction."
        ) from error
    except WaiterError as error:
        raise FunctionError(f"{function.name} is not updated: {error}") from error
    say(f"{function.name} has a new configuration: new invocations read the secrets.")
