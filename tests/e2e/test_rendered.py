"""Drift and pruning of rendered objects: the tests of plain manifests, as overlays and as charts."""

from __future__ import annotations

from tests.e2e import test_drift, test_prune, yamls
from tests.e2e.forms import cases_of, form
from tests.e2e.world import Site

__all__ = ["form"]

globals().update(cases_of(test_drift, test_prune))


def test_the_repositories_of_this_module_are_rendered(site: Site) -> None:
    """Otherwise this module would show nothing."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})

    files = repo.git.git("ls-tree", "-r", "--name-only", "main").split()
    assert files in (["kustomization.yaml", "web.yaml"], ["Chart.yaml", "templates/web.yaml"])
    source = site.cluster.must_get(site.place("v1 configmaps", "web"))["metadata"]["annotations"]
    assert source["nopea.io/source"].startswith(files[-1])
