"""Deploys the Terraform stack: plan, apply, destroy, output.

Variables come from `terraform/terraform.tfvars` (see `terraform.tfvars.example`) and TF_VAR_*,
credentials from boto3's and Terraform's usual places, and the state is where Terraform itself
would put it, so that `terraform -chdir=terraform …` works beside this command.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from scripts import ScriptError
from scripts.stack import Plan, Stack
from scripts.terraform_env import terraform_env

TERRAFORM = Path(__file__).resolve().parent.parent / "terraform"

_SIGNS = {
    ("create",): "+ create ",
    ("update",): "~ update ",
    ("delete",): "- destroy",
    ("delete", "create"): "± replace",
    ("create", "delete"): "± replace",
}


def main(
    arguments: Sequence[str] | None = None,
    directory: Path = TERRAFORM,
    ask: Callable[[str], str] = input,
) -> int:
    """Run the command line; returns the exit code."""
    options = _parser().parse_args(arguments)
    try:
        stack = Stack(
            directory,
            data_dir=directory / ".terraform",
            state=directory / "terraform.tfstate",
            variables={},
            environment=terraform_env(),
        )
        stack.init()
        return _COMMANDS[options.command](stack, options, ask)
    except ScriptError as error:
        print(f"deploy: {error}", file=sys.stderr)
        return 1
    except EOFError:
        print("deploy: nobody is there to answer; --yes answers in advance", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("deploy: interrupted; the same command goes on where it stopped", file=sys.stderr)
        return 130


def _plan(stack: Stack, _options: argparse.Namespace, _ask: Callable[[str], str]) -> int:
    _show(stack.plan())
    return 0


def _apply(stack: Stack, options: argparse.Namespace, ask: Callable[[str], str]) -> int:
    plan = stack.plan()
    _show(plan)
    if plan.empty:
        return 0
    if not _agreed("Apply these changes?", options, ask):
        return 1
    stack.apply()
    return _output(stack, options, ask)


def _destroy(stack: Stack, options: argparse.Namespace, ask: Callable[[str], str]) -> int:
    if not _agreed("Destroy the stack, its queues and what is in them?", options, ask):
        return 1
    stack.destroy()
    return 0


def _output(stack: Stack, options: argparse.Namespace, _ask: Callable[[str], str]) -> int:
    outputs = {name: value for name, value in stack.outputs().items() if value is not None}
    if getattr(options, "json", False):
        print(json.dumps(outputs, indent=2))
        return 0
    for name, value in outputs.items():
        print(f"{name} = {value if isinstance(value, str) else json.dumps(value)}")
    return 0


_COMMANDS: dict[str, Callable[[Stack, argparse.Namespace, Callable[[str], str]], int]] = {
    "plan": _plan,
    "apply": _apply,
    "destroy": _destroy,
    "output": _output,
}


def _show(plan: Plan) -> None:
    for change in plan.changes:
        print(f"  {_SIGNS.get(change.actions, '/'.join(change.actions))} {change.address}")
    print(f"{len(plan.changes) or 'No'} changes.")


def _agreed(question: str, options: argparse.Namespace, ask: Callable[[str], str]) -> bool:
    if options.yes or ask(f"{question} [y/N] ").strip().lower() in ("y", "yes"):
        return True
    print("Nothing was changed.")
    return False


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.deploy",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("plan", help="show what apply would change")
    for name, help_ in (("apply", "make it so"), ("destroy", "remove everything")):
        command = commands.add_parser(name, help=help_)
        command.add_argument("--yes", action="store_true", help="do not ask")
    command = commands.add_parser("output", help="print the outputs")
    command.add_argument("--json", action="store_true", help="as JSON, with the sensitive ones")
    return parser


if __name__ == "__main__":
    sys.exit(main())
