"""Repositories of tests as an overlay and as a chart: what holds for plain manifests holds for rendered ones.

A module that imports `form` has its tests run in both forms.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import pytest
from tests.e2e.world import Site
from tests.gitserver import Origin


class Overlay(Origin):
    """Each commit has a kustomization of all its files."""

    def commit(self, files: Mapping[str, str | bytes], **options: Any) -> str:
        """Commit the files with a kustomization at the root."""
        kustomization = json.dumps({"resources": sorted(files)})
        return super().commit({**files, "kustomization.yaml": kustomization}, **options)


class Chart(Origin):
    """Each commit is a chart whose templates are the files."""

    def commit(self, files: Mapping[str, str | bytes], **options: Any) -> str:
        """Commit a chart."""
        templates = {f"templates/{name}": content for name, content in files.items()}
        chart = "apiVersion: v2\nname: web\nversion: 0.1.0\n"
        return super().commit({**templates, "Chart.yaml": chart}, **options)


@pytest.fixture(scope="module", params=[Overlay, Chart], ids=["overlay", "chart"], autouse=True)
def form(request: pytest.FixtureRequest) -> Iterator[None]:
    """Commit in one of the forms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Site, "origin_type", request.param)
        yield


def cases_of(*modules: ModuleType) -> dict[str, object]:
    """Return the tests of modules with their fixtures, to be the tests of another module."""
    found: dict[str, object] = {}
    for module in modules:
        theirs = {name: value for name, value in vars(module).items() if not name.startswith("_")}
        theirs.pop("pytestmark", None)
        both = [name for name in theirs.keys() & found.keys() if name.startswith("test_")]
        assert both == [], f"two tests have one name: {both}"
        found |= theirs
    return found
