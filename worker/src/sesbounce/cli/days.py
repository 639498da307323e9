"""The type of options that take a time of days or weeks, such as `90d`."""

from datetime import timedelta

import click

from sesbounce.operations.retention import age


class Days(click.ParamType[timedelta]):
    """A number of days or weeks on the command line."""

    name = "age"

    def convert(
        self, value: str, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read `90d` or `12w`."""
        try:
            return age(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)
