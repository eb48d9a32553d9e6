"""What is wrong in a kustomization: one condition with the file, and the last good commit stays."""

from __future__ import annotations

import pytest
from tests.e2e.test_kustomize import MAPS, OVERLAY, must_be, overlay, push
from tests.e2e.waiting import eventually
from tests.e2e.world import Site


@pytest.mark.parametrize(
    ("code", "path", "content"),
    [
        ("NOPEA-R002", "prod/kustomization.yaml", "resource: [../base]\n"),
        ("NOPEA-R003", "prod/kustomization.yaml", "resources: [../gone]\n"),
        ("NOPEA-R003", "base/web.yaml", None),
        ("NOPEA-R004", "base/kustomization.yaml", "resources: [../prod]\n"),
        ("NOPEA-R005", "prod/patch.yaml", "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: gone}\n"),
        ("NOPEA-R006", "base/kustomization.yaml", "resources:\n- https://git.example/x//y?ref=v1\n"),
        ("NOPEA-R007", "base/kustomization.yaml", "helmCharts: [{name: x, repo: https://c.example}]\n"),
        ("NOPEA-R008", "base/kustomization.yaml", "resources: [../../../etc]\n"),
    ],
)
def test_an_error_keeps_all_as_it_is(site: Site, code: str, path: str, content: str | None) -> None:
    """Nothing is applied and nothing deleted; drift from the last good commit is still healed."""
    repo = overlay(site, pruneLimit="100%")
    commit = repo.status()["lastAppliedCommit"]

    push(repo, {path: content})
    repo.sync_now()
    error = repo.wait_failed(code)["status"]["errors"][0]

    assert error["source"].split(":")[0] in OVERLAY, error
    assert repo.status()["lastAppliedCommit"] == commit
    must_be(site, "prod-web", colour="green", size="1")
    site.cluster.merge(site.place(MAPS, "prod-web"), {"data": {"colour": "red"}})
    eventually(lambda: must_be(site, "prod-web", colour="green", size="1"))
