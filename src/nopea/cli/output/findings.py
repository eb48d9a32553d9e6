"""Format what an examination found: lines with their fix, JSON, and the manifests that mend it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import click

from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.output.manifests import commented_yaml
from nopea.cli.output.messages import wrapped
from nopea.core.drift.mask import plain_line
from nopea.core.show.words import count

_MARKS = {
    Verdict.GOOD: ("✓", "green"),
    Verdict.WARNING: ("⚠", "yellow"),
    Verdict.PROBLEM: ("✗", "red"),
    Verdict.UNKNOWN: ("?", None),
}
_LONGEST = 1000


def finding_lines(findings: Sequence[Finding], *, width: int | None = None) -> Iterator[str]:
    """Yield a line for each finding, the fix below it, and the summary."""
    fixes = {""}  # what many findings share is told once
    for finding in findings:
        mark, colour = _MARKS[finding.verdict]
        text = plain_line(finding.message, limit=_LONGEST)
        for line in wrapped(text, width=width, first=f"{mark} ", indent="  "):
            yield (
                click.style(line, fg=colour)
                if finding.verdict is Verdict.PROBLEM
                else (line.replace(mark, click.style(mark, fg=colour), 1) if colour else line)
            )
        if finding.fix not in fixes:
            fix = plain_line(finding.fix, limit=_LONGEST)
            yield from wrapped(fix, width=width, first="  → ", indent="    ")
        fixes.add(finding.fix)
    yield summary(findings)


def summary(findings: Sequence[Finding]) -> str:
    """Return the numbers of problems, warnings and unknown facts."""
    numbers = [
        count(sum(each.verdict is verdict for each in findings), noun)
        for verdict, noun in ((Verdict.PROBLEM, "problem"), (Verdict.WARNING, "warning"))
    ]
    unread = sum(each.verdict is Verdict.UNKNOWN for each in findings)
    return ", ".join([*numbers, *([f"{unread} not known"] if unread else [])])


def findings_json(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return the findings for programs."""
    return {
        "problems": sum(each.verdict is Verdict.PROBLEM for each in findings),
        "findings": [
            {
                "subject": each.subject,
                "verdict": each.verdict.value,
                "message": each.message,
                "fix": each.fix,
                "manifests": list(each.manifests),
            }
            for each in findings
        ],
    }


def fix_documents(findings: Sequence[Finding]) -> Iterator[str]:
    """Yield the manifests of all findings as YAML documents that say what they are for."""
    for finding in findings:
        for place, manifest in enumerate(finding.manifests):
            yield commented_yaml(manifest, [finding.message] if place == 0 else [])
