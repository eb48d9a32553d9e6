"""The type of options that are sizes of memory or disk."""

from __future__ import annotations

from typing import Any, ClassVar

import click

_MAX_DIGITS = 15  # a petabyte; int() raises an error of its own for thousands of digits


class MemorySize(click.ParamType[int]):
    """Bytes as Kubernetes writes them: `512Mi`, `1Gi`, or a plain number."""

    name = "size"
    _UNITS: ClassVar = {"Ki": 1024, "Mi": 1024**2, "Gi": 1024**3}

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the bytes, or fail with an example."""
        if isinstance(value, int):
            return value
        number, unit = (value[:-2], value[-2:]) if value[-2:] in self._UNITS else (value, "")
        if not number.isascii() or not number.isdigit() or len(number) > _MAX_DIGITS:
            self.fail(f"{value!r} is not a size. Example: 512Mi.", param, ctx)
        return int(number) * self._UNITS.get(unit, 1)
