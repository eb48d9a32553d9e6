"""The table of `nopea get`, and its documents."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import click
from tests.fakes.samples import raw_repository

from nopea.cli.output.repositories import Table, without_noise

NOW = datetime(2026, 11, 24, 5, 10, tzinfo=UTC)


def _raw(name: str = "api", **status: Any) -> dict[str, Any]:
    raw = raw_repository(name, status=status)
    raw["metadata"]["creationTimestamp"] = "2026-11-24T05:00:00Z"
    return raw


SYNCED = _raw(
    "web",
    conditions=[{"type": "Ready", "status": "True"}, {"type": "Healthy", "reason": "Healthy"}],
    revision="main@sha1:c0ffee0",
    driftedCount=1,
    summary="Deployment web changed by kubectl, not reverted",
    resourceCount=3,
    lastSyncTime="2026-11-24T05:05:00Z",
)


def _lines(*raws: dict[str, Any], **how: Any) -> list[str]:
    return [click.unstyle(line) for line in Table(**{"with_namespace": False} | how).lines(raws, now=NOW)]


def test_the_table_has_the_columns_of_kubectl() -> None:
    """What is not known is a dash."""
    drifted = _raw("web", **SYNCED["status"] | {"summary": "Deployment web drifted"})

    assert _lines(_raw(), drifted) == [
        "NAME  READY  HEALTH   REVISION           DRIFT  STATUS                                   AGE",
        "api   -      -        -                  -      The controller has not looked at it yet  10m",
        "web   True   Healthy  main@sha1:c0ffee0  1      Deployment web drifted                   10m",
    ]


def test_the_status_is_cut_to_the_terminal() -> None:
    """All other columns stay whole."""
    lines = _lines(SYNCED, with_namespace=True, width=92)

    assert {len(line) for line in lines} == {92}
    assert lines[1].startswith("shop       web   True   Healthy  main@sha1:c0ffee0  1      Deployment")
    assert lines[1].endswith("…  10m")


def test_wide_has_more_columns() -> None:
    """Those that kubectl shows with -o wide."""
    head, line = _lines(SYNCED, wide=True)

    assert head.endswith("OBJECTS  FAILED  LAST SYNC  URL")
    assert line.endswith("3        -       5m         https://git.acme.example/shop/api.git")
    assert _lines() == []


def test_nothing_controls_the_terminal() -> None:
    """Whatever somebody wrote into the status."""
    assert "\x1b" not in "".join(Table(with_namespace=False).lines([_raw(summary="\x1b[31mred")], now=NOW))


def test_documents_are_without_what_only_nopea_reads() -> None:
    """Managed fields and packed records."""
    raw = _raw(inventory="x", objectStates="y", summary="z")
    raw["metadata"]["managedFields"] = [{}]

    shown = without_noise(raw)

    assert shown["status"] == {"summary": "z"}
    assert "managedFields" not in shown["metadata"]
    assert shown["spec"] == raw["spec"]


def test_a_narrow_terminal_has_fewer_columns() -> None:
    """STATUS says what matters of the revision and of the drift."""
    head, line = _lines(SYNCED, with_namespace=True, width=70)

    assert head.split() == ["NAMESPACE", "NAME", "READY", "HEALTH", "DRIFT", "STATUS", "AGE"]
    assert len(line) == 70
    assert "DRIFT" not in _lines(SYNCED, with_namespace=True, width=50)[0]
