"""How findings are printed."""

from __future__ import annotations

import click
import yaml

from nopea.cli.doctor.finding import good, problem, unknown, warning
from nopea.cli.output.findings import finding_lines, findings_json, fix_documents, summary

ROLE = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": {"name": "nopea"}}
FINDINGS = [
    good("a", "Kubernetes 1.36.3"),
    problem("b", "The controller may not patch gitrepositories.", "Apply the role.", ROLE, ROLE),
    problem("b", "It may not read Secrets either,\nwhich \x1b[31mneeds the same fix.", "Apply the role."),
    warning("c", "Flux is installed too."),
    unknown("d", "You may not read Deployments."),
]


def test_each_finding_is_a_line_with_its_mark() -> None:
    """A fix that several share is told once; nothing but text reaches the terminal."""
    lines = [click.unstyle(line) for line in finding_lines(FINDINGS)]

    assert lines == [
        "✓ Kubernetes 1.36.3",
        "✗ The controller may not patch gitrepositories.",
        "  → Apply the role.",
        "✗ It may not read Secrets either, which [31mneeds the same fix.",
        "⚠ Flux is installed too.",
        "? You may not read Deployments.",
        "2 problems, 1 warning, 1 not known",
    ]


def test_a_narrow_terminal_breaks_between_words() -> None:
    """Every line but the first of a finding is indented."""
    lines = [click.unstyle(line) for line in finding_lines(FINDINGS, width=30)]

    assert max(map(len, lines)) <= 30 + len(", 1 not known")
    assert "  gitrepositories." in lines


def test_programs_get_everything() -> None:
    """Also the manifests."""
    found = findings_json(FINDINGS)

    assert found["problems"] == 2
    assert found["findings"][1]["manifests"] == [ROLE, ROLE]
    assert summary(FINDINGS[:1]) == "0 problems, 0 warnings"


def test_fixes_are_documents_that_kubectl_applies() -> None:
    """What they mend is a comment; no manifest, no document."""
    documents = list(fix_documents(FINDINGS))

    assert documents[0].startswith("---\n# The controller may not patch gitrepositories.\n")
    assert [yaml.safe_load(each) for each in documents] == [ROLE, ROLE]
