"""The command line of deploy."""

import argparse


def parser(description: str | None) -> argparse.ArgumentParser:
    """The parser of the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.deploy.deploy",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    everywhere = argparse.ArgumentParser(add_help=False)
    everywhere.add_argument(
        "--env", default="", metavar="NAME", help="the stack of terraform/environments/NAME.tfvars"
    )
    asks = argparse.ArgumentParser(add_help=False)
    asks.add_argument("--yes", action="store_true", help="answer yes to every question")
    asks.add_argument(
        "--allow-loss",
        action="append",
        default=[],
        metavar="NAME",
        help="delete or replace this resource, by its address, or all of a kind, for example "
        "aws_sqs_queue, without a question; `messages`: also queues that hold messages; may be "
        "given several times",
    )
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
    command = add("destroy", "destroy the stack; --allow-loss all for CI", details, asks)
    command.add_argument(
        "--even-with-dead-letters",
        action="store_true",
        help="destroy dead-letter queues that hold messages too; the messages are lost",
    )
    add(
        "restart",
        "let the worker read its secrets: new tasks, a run of its schedule, a new function",
    )
    command = add("cli", "run a command, such as why, in a task of its own, and print its log")
    command.add_argument("arguments", nargs="+", metavar="ARGS", help="such as: why ADDRESS")
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
