"""Options that select events by the sender and by the attribution."""

from collections.abc import Callable
from functools import reduce, wraps
from typing import Any

import click

from sesbounce.feedback.tags import TAG_NAME
from sesbounce.store.deciding import EventFilter

_Command = Callable[..., Any]


def tag_name(text: str) -> str:
    """Read the name of a tag.

    Raises:
        BadParameter: no tag has such a name.
    """
    if not TAG_NAME.fullmatch(text):
        raise click.BadParameter(f"{text!r} is not a name that a tag can have")
    return text


class _Tag(click.ParamType[tuple[str, str]]):
    """The name and the value of a tag on the command line."""

    name = "tag"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, str]:
        """Read NAME=VALUE."""
        name, equals, wanted = value.partition("=")
        if not equals:
            self.fail(f"{value!r} is not NAME=VALUE", param, ctx)
        return tag_name(name), wanted


def event_filter(what: str) -> Callable[[_Command], _Command]:
    """Add the options to a command, which gets them as one `EventFilter`, `wanted`.

    Args:
        what: begins the help of each option: `Count only events of`.
    """
    options = [
        click.option("--configuration-set", metavar="NAME", help=f"{what} this configuration set."),
        click.option(
            "--identity", metavar="NAME", help=f"{what} this verified domain or address of yours."
        ),
        click.option("--region", metavar="REGION", help=f"{what} SES in this AWS region."),
        click.option(
            "--account", "account_id", metavar="NUMBER", help=f"{what} SES in this AWS account."
        ),
        click.option("--tenant", metavar="NAME", help=f"{what} this tenant."),
        click.option("--sender", metavar="ADDRESS", help=f"{what} mails from this sender."),
        click.option(
            "--tag",
            "tags",
            type=_Tag(),
            multiple=True,
            metavar="NAME=VALUE",
            help=f"{what} mails with this tag, which SESBOUNCE_TAGS has to name; you may repeat "
            "the option.",
        ),
    ]

    def with_options(command: _Command) -> _Command:
        @wraps(command)
        def filtered(*args: Any, **values: Any) -> Any:
            chosen = {name: values.pop(name) for name in EventFilter.__struct_fields__}
            return command(*args, wanted=EventFilter(**chosen), **values)

        return reduce(lambda made, option: option(made), reversed(options), filtered)

    return with_options
