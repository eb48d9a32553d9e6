"""The type of options that are durations."""

from __future__ import annotations

from typing import Any

import click

from nopea.core.duration import parse_duration


class Duration(click.ParamType[float]):
    """Seconds, written as Kubernetes writes durations: `30s`, `1h30m`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Return the seconds, or fail with an example."""
        if isinstance(value, float):
            return value
        try:
            seconds = parse_duration(value).total_seconds()
        except ValueError:
            seconds = 0.0
        if seconds <= 0:
            self.fail(f"{value!r} is not a duration longer than 0s. Example: 30s.", param, ctx)
        return seconds
