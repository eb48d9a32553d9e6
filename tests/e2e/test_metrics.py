"""`/metrics` of a real controller: values follow events, and series disappear with their repository."""

from __future__ import annotations

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site

Series = dict[tuple[str, frozenset[tuple[str, str]]], float]


def _scrape(nopea: Nopea) -> Series:
    """Return every series; a duplicate series fails the test."""
    found: Series = {}
    for family in text_string_to_metric_families(nopea.get("/metrics").text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, key
            found[key] = sample.value
    return found


def _sum(nopea: Nopea, name: str, **labels: str) -> float:
    """Return the sum of a metric's series that have these labels; -1 when there are none."""
    values = [
        value for (known, has), value in _scrape(nopea).items() if known == name and labels.items() <= has
    ]
    return sum(values) if values else -1.0


def _becomes(nopea: Nopea, wanted: float, name: str, **labels: str) -> None:
    def claim() -> None:
        assert _sum(nopea, name, **labels) == wanted

    eventually(claim)


def _grows(nopea: Nopea, above: float, name: str, **labels: str) -> None:
    def claim() -> None:
        assert _sum(nopea, name, **labels) > max(above, 0)

    eventually(claim)


def _labels(repo: Repo) -> dict[str, str]:
    return {"repository_namespace": repo.site.namespace, "repository": repo.name}


def test_a_push_increments_the_counters(site: Site, nopea: Nopea) -> None:
    """Syncs, objects, Git operations and API requests are counted, and the repository is ready."""
    before = _sum(nopea, "nopea_sync_objects_total", result="created")
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})

    _becomes(nopea, before + 1, "nopea_sync_objects_total", result="created")
    _becomes(nopea, 1, "nopea_repository_ready", **_labels(repo))
    _becomes(nopea, 1, "nopea_repository_objects", **_labels(repo))
    _grows(nopea, 1.7e9, "nopea_repository_last_sync_timestamp_seconds", **_labels(repo))
    _grows(nopea, 0, "nopea_syncs_total", result="synced", trigger="startup")
    _grows(nopea, 0, "nopea_git_operations_total", operation="sync", result="ok")
    _grows(nopea, 0, "nopea_api_requests_total", verb="apply", code="201")
    _grows(nopea, 0, "nopea_watches", state="working")

    configured = _sum(nopea, "nopea_sync_objects_total", result="configured")
    repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", colour="green"))})
    repo.sync_and_wait()
    _becomes(nopea, configured + 1, "nopea_sync_objects_total", result="configured")
    _grows(nopea, 0, "nopea_syncs_total", result="synced", trigger="manual")


@pytest.mark.parametrize(("policy", "action"), [("auto", "healed"), ("manual", "left_policy")])
def test_drift_is_counted_by_action(site: Site, nopea: Nopea, policy: str, action: str) -> None:
    """Drift is counted with its action and tool; a gauge shows the drifted objects that are left."""
    repo = site.sync(
        "shop", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))}, healPolicy=policy
    )
    before = _sum(nopea, "nopea_drifts_total", action=action)
    patch = ("patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p")
    site.cluster.lab.run_kubectl(*patch, '{"data":{"colour":"red"}}')

    _grows(nopea, before, "nopea_drifts_total", kind="manual_drift", action=action, tool="kubectl")
    _becomes(nopea, float(policy == "manual"), "nopea_repository_drifted_objects", **_labels(repo))


def test_a_failing_repository_is_reported(site: Site, nopea: Nopea) -> None:
    """The metrics have the readiness and the failures of the repository, and the Git result."""
    site.origin("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    repo = site.follow("shop", ref={"branch": "gone"})
    repo.wait_failed("NOPEA-G003")

    _becomes(nopea, 0, "nopea_repository_ready", **_labels(repo))
    _grows(nopea, 0, "nopea_repository_failures", **_labels(repo))
    _grows(nopea, 0, "nopea_git_operations_total", operation="sync", result="ref_missing")
    _grows(nopea, 0, "nopea_repository_conditions", condition="Ready", status="False")


def test_series_disappear_with_their_repository(site: Site, nopea: Nopea) -> None:
    """No series of a deleted GitRepository remains."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    _becomes(nopea, 1, "nopea_repository_info", **_labels(repo))
    site.cluster.delete(repo.place)

    def gone() -> None:
        names = {name for name, labels in _scrape(nopea) if _labels(repo).items() <= labels}
        assert names == set()

    eventually(gone)


def test_both_formats_are_valid(site: Site, nopea: Nopea) -> None:
    """A client can request OpenMetrics; strict parsers accept it and the text format."""
    site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    openmetrics = nopea.get("/metrics", accept="application/openmetrics-text; version=1.0.0").text

    families = {family.name for family in parse_openmetrics(openmetrics)}  # type: ignore[no-untyped-call]
    assert {"nopea_syncs", "nopea_repository_info", "process_cpu_seconds"} <= families
    assert _sum(nopea, "nopea_ready") == 1
    assert _sum(nopea, "nopea_leader") == 1
    assert _sum(nopea, "process_resident_memory_bytes") > 1e6
