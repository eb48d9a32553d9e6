"""A chart that is not in Git is named by its URL."""

from __future__ import annotations

import pytest

from nopea.core.migrate.charts import chart_of_application, needs_repository
from nopea.core.migrate.model import Fields, Notes


@pytest.mark.parametrize(
    ("source", "helm"),
    [
        (
            {"repoURL": "https://charts.example/", "chart": "web", "targetRevision": "1.0.0"},
            {"chart": "https://charts.example/web", "version": "1.0.0"},
        ),
        (
            {"repoURL": "r.example:5000/a", "chart": "web", "targetRevision": "*"},
            {"chart": "oci://r.example:5000/a/web"},
        ),
        ({"repoURL": "oci://r.example/a", "chart": "web"}, {"chart": "oci://r.example/a/web"}),
    ],
)
def test_sources_of_argo_cd(source: dict[str, str], helm: dict[str, str]) -> None:
    """Registries have no scheme there."""
    assert chart_of_application(Fields(source, "spec.source", Notes())) == helm


def test_a_revision_that_is_not_a_version() -> None:
    """It is named, and the highest version is followed."""
    notes = Notes()
    source = {"repoURL": "r.example", "chart": "web", "targetRevision": "stable"}

    assert chart_of_application(Fields(source, "spec.source", notes)) == {"chart": "oci://r.example/web"}
    assert notes.lines[0].startswith("not mapped: spec.source.targetRevision: stable is not a version")


def test_a_chart_without_a_version() -> None:
    """The error has the lines to write."""
    assert "spec.helm.chart: oci://r.example/web, and" in str(
        needs_repository({"chart": "oci://r.example/web"})
    )
