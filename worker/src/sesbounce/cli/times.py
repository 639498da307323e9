"""The type of options that take a moment: `2026-11-20`, `2026-11-20T12:30:00Z`."""

from datetime import UTC, datetime

import click


class Time(click.ParamType[datetime]):
    """A moment on the command line, in any form of ISO 8601: so sesbounce prints them as well."""

    name = "time"

    def convert(
        self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None
    ) -> datetime:
        """Read a moment; without an offset it is UTC."""
        if isinstance(value, datetime):
            return value
        try:
            moment = datetime.fromisoformat(value.strip())
            return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is no time: write 2026-11-20, or 2026-11-20T12:30:00 (UTC)", param, ctx
            )
