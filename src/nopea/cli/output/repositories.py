"""Format GitRepositories as `kubectl get` does: a table, and documents for programs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from nopea.cli.output.history import age_of
from nopea.core.drift.mask import plain_line

Raw = Mapping[str, Any]

_NONE = "-"
_GAP = "  "
_LEAST_STATUS = 25
_LEFT_OUT = ("REVISION", "DRIFT")
"""The columns that a narrow terminal does not show, in this order: STATUS says what matters of them."""
_WRITTEN_FOR_NOPEA = ("inventory", "objectStates")
"""Fields of the status that only Nopea can read."""
_COLOURS = {
    ("READY", "False"): "red",
    ("HEALTH", "Unhealthy"): "red",
    ("READY", "True"): "green",
    ("HEALTH", "Healthy"): "green",
}


class Table:
    """A table of GitRepositories, to which lines can be added; a width of None means no limit.

    What does not fit into `width` is left out: first the end of STATUS, then REVISION and DRIFT.
    """

    def __init__(self, *, with_namespace: bool, wide: bool = False, width: int | None = None) -> None:
        self._with_namespace, self._wide, self._width = with_namespace, wide, width
        self._sizes: dict[str, int] = {}

    def lines(self, raws: Sequence[Raw], *, now: datetime) -> Iterator[str]:
        """Yield a line for each; before the first ones, a header."""
        rows = [_cells(raw, now=now, with_namespace=self._with_namespace, wide=self._wide) for raw in raws]
        if not rows:
            return
        if not self._sizes:
            self._sizes = _sizes(rows, self._width)
            yield _line({name: name for name in self._sizes}, self._sizes)
        for row in rows:
            if self._width is None:
                self._sizes = {name: max(size, len(row[name])) for name, size in self._sizes.items()}
            yield _line(row, self._sizes)


def _sizes(rows: Sequence[Mapping[str, str]], width: int | None) -> dict[str, int]:
    """Return the widths of the columns that are shown."""
    sizes = {name: max(len(name), *(len(row[name]) for row in rows)) for name in rows[0]}
    if width is not None:
        for name in _LEFT_OUT:
            if _room(sizes, width) < min(sizes["STATUS"], _LEAST_STATUS):
                del sizes[name]
        sizes["STATUS"] = min(sizes["STATUS"], max(_room(sizes, width), len("STATUS")))
    return sizes


def with_status(raw: Raw, summary: str) -> dict[str, Any]:
    """Return the object with another summary."""
    return {**raw, "status": {**(raw.get("status") or {}), "summary": summary}}


def _room(sizes: Mapping[str, int], width: int) -> int:
    """Return how wide STATUS may be."""
    return width - sum(sizes.values()) + sizes["STATUS"] - len(_GAP) * (len(sizes) - 1)


def without_noise(raw: Raw) -> dict[str, Any]:
    """Return the object as it is stored, without managed fields and records that only Nopea can read."""
    metadata = {name: value for name, value in raw["metadata"].items() if name != "managedFields"}
    status = {
        name: value for name, value in (raw.get("status") or {}).items() if name not in _WRITTEN_FOR_NOPEA
    }
    return {**raw, "metadata": metadata, "status": status}


def _line(row: Mapping[str, str], sizes: Mapping[str, int]) -> str:
    cells = []
    for name, size in sizes.items():
        text = row[name] if len(row[name]) <= size else f"{row[name][: size - 1]}…"
        colour = _COLOURS.get((name, text)) or ("yellow" if _is_drift(name, text) else None)
        cells.append(f"{click.style(text, fg=colour) if colour else text}{' ' * (size - len(text))}")
    return _GAP.join(cells).rstrip()


def _is_drift(name: str, text: str) -> bool:
    return name == "DRIFT" and text.isdigit() and text != "0"


def _cells(raw: Raw, *, now: datetime, with_namespace: bool, wide: bool) -> dict[str, str]:
    metadata, status, spec = raw["metadata"], raw.get("status") or {}, raw.get("spec") or {}
    conditions = {each.get("type"): each for each in status.get("conditions") or ()}
    cells = {
        **({"NAMESPACE": metadata["namespace"]} if with_namespace else {}),
        "NAME": metadata["name"],
        "READY": conditions.get("Ready", {}).get("status"),
        "HEALTH": conditions.get("Healthy", {}).get("reason"),
        "REVISION": status.get("revision"),
        "DRIFT": status.get("driftedCount"),
        "STATUS": status.get("summary") or "The controller has not looked at it yet",
        "AGE": age_of(metadata.get("creationTimestamp"), now=now),
    }
    if wide:
        cells |= {
            "OBJECTS": status.get("resourceCount"),
            "FAILED": status.get("failedCount"),
            "LAST SYNC": age_of(status.get("lastSyncTime"), now=now),
            "URL": spec.get("url"),
        }
    return {name: _NONE if value in (None, "") else plain_line(str(value)) for name, value in cells.items()}
