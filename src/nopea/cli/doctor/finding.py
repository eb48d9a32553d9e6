"""What an examination finds: one line with its verdict, what to do, and what to apply for it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class Verdict(enum.StrEnum):
    """How bad a finding is."""

    GOOD = "ok"
    WARNING = "warning"
    """It works; somebody should know."""
    PROBLEM = "problem"
    UNKNOWN = "unknown"
    """It could not be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One line; `subject` names for programs what was looked at.

    `manifests` are objects that mend it when they are applied.
    """

    subject: str
    verdict: Verdict
    message: str
    fix: str = ""
    manifests: tuple[Mapping[str, Any], ...] = ()


def good(subject: str, message: str) -> Finding:
    """Return a finding that needs nobody."""
    return Finding(subject=subject, verdict=Verdict.GOOD, message=message)


def warning(subject: str, message: str, fix: str = "", *manifests: Mapping[str, Any]) -> Finding:
    """Return something that somebody should know."""
    return Finding(subject=subject, verdict=Verdict.WARNING, message=message, fix=fix, manifests=manifests)


def problem(subject: str, message: str, fix: str, *manifests: Mapping[str, Any]) -> Finding:
    """Return something that somebody must mend."""
    return Finding(subject=subject, verdict=Verdict.PROBLEM, message=message, fix=fix, manifests=manifests)


def unknown(subject: str, message: str, fix: str = "") -> Finding:
    """Return what could not be read."""
    return Finding(subject=subject, verdict=Verdict.UNKNOWN, message=message, fix=fix)
