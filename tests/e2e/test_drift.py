"""Drift is detected by watches, attributed to a manager, and reverted or left according to the policy."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from tests.e2e import yamls
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import eventually
from tests.e2e.world import Json, Repo, Site

pytestmark = BOTH_MODES


def _edit(site: Site, name: str = "web", colour: str = "red") -> str:
    """Change a ConfigMap as `kubectl edit` would; return its place."""
    place = site.place("v1 configmaps", name)
    site.cluster.lab.run_kubectl(
        "patch",
        "configmap",
        name,
        "-n",
        site.namespace,
        "--type=merge",
        "-p",
        f'{{"data":{{"colour":"{colour}"}}}}',
    )
    return place


def _web(**data: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", **(data or {"colour": "blue"})))}


def test_a_manual_change_is_reverted_and_reported(site: Site) -> None:
    """Under `auto`, a change is reverted without a poll, and the Event says which manager changed what."""
    repo = site.sync("shop", _web())
    place = _edit(site)

    def healed() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "blue"}

    eventually(healed, seconds=10)
    note = repo.wait_event("DriftHealed")["note"]
    assert "ConfigMap" in note
    assert "kubectl-patch" in note
    assert ".data.colour red → blue" in note


@pytest.mark.parametrize("policy", ["manual", "notify"])
def test_a_manual_change_is_left_and_reported(site: Site, policy: str) -> None:
    """Under `manual` and `notify`, a change is left and reported with its manager until a requested sync."""
    repo = site.sync("shop", _web(), healPolicy=policy)
    place = _edit(site)

    def reported() -> Json:
        status = repo.status()
        assert status.get("driftedCount") == 1, status
        return status

    drift = eventually(reported)["drifts"][0]
    assert (drift["kind"], drift["manager"], drift["operation"]) == (
        "manual_drift",
        "kubectl-patch",
        "Update",
    )
    assert drift["fields"] == [{"path": ".data.colour", "from": "blue", "to": "red"}]
    assert drift["object"] == {"kind": "ConfigMap", "namespace": site.namespace, "name": "web"}
    assert repo.condition("Drifted")["status"] == "True"
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["data"] == {"colour": "blue"}
    assert repo.status().get("drifts", []) == []
    assert repo.condition("Drifted") == {}


def test_git_wins_on_the_fields_that_git_changed(site: Site) -> None:
    """Under `manual`, Git's change of one field is applied and the manual change of another stays."""
    repo = site.sync("shop", _web(colour="blue", size="1"), healPolicy="manual")
    place = _edit(site)
    eventually(lambda: _assert_drifted(repo, 1))
    repo.git.commit(_web(colour="blue", size="2"))
    repo.change(interval="1s")

    def merged() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "red", "size": "2"}

    eventually(merged)
    repo.wait_synced(repo.git.tip("main"))
    _assert_drifted(repo, 1)
    assert repo.status()["drifts"][0]["action"] == "left: policy"
    assert "DriftHealed" not in [event["reason"] for event in repo.events()]


def _assert_drifted(repo: Repo, count: int) -> None:
    assert repo.status().get("driftedCount") == count, repo.status()


def test_a_deleted_object_is_restored(site: Site) -> None:
    """An object that a user deletes is created again."""
    site.sync("shop", _web())
    place = site.place("v1 configmaps", "web")
    uid = site.cluster.must_get(place)["metadata"]["uid"]
    site.cluster.delete(place)

    def restored() -> None:
        found = site.cluster.get(place)
        assert found is not None
        assert found["metadata"]["uid"] != uid

    eventually(restored, seconds=10)


def test_a_removed_ownership_label_is_restored(site: Site) -> None:
    """Removing the ownership label is drift; it does not end the ownership."""
    site.sync("shop", _web())
    place = site.place("v1 configmaps", "web")
    site.cluster.lab.run_kubectl("label", "configmap", "web", "-n", site.namespace, "nopea.io/repository-")

    def labelled() -> None:
        labels = site.cluster.must_get(place)["metadata"].get("labels", {})
        assert labels == {"nopea.io/repository": f"{site.namespace}.shop"}

    eventually(labelled, seconds=10)


def test_break_glass_holds_against_everything(site: Site) -> None:
    """Nothing is written to an object under break-glass, whether for healing, a commit or a request."""
    repo = site.sync("shop", _web())
    site.cluster.lab.run_kubectl(
        "annotate", "configmap", "web", "-n", site.namespace, "nopea.io/suspend-heal=true"
    )
    place = _edit(site)
    repo.git.commit(_web(colour="green"))
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["data"] == {"colour": "red"}
    assert repo.status()["suspendedCount"] == 1
    site.cluster.lab.run_kubectl(
        "annotate", "configmap", "web", "-n", site.namespace, "nopea.io/suspend-heal-"
    )

    def healed() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "green"}

    eventually(healed, seconds=10)


def test_a_grace_period_is_waited_for(site: Site) -> None:
    """A change stays for `healGracePeriod` and is then reverted automatically."""
    repo = site.sync("shop", _web(), healGracePeriod="4s")
    started = time.monotonic()
    place = _edit(site)
    eventually(lambda: _assert_drifted(repo, 1))
    assert site.cluster.must_get(place)["data"] == {"colour": "red"}

    def healed() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "blue"}

    eventually(healed, seconds=15)
    assert time.monotonic() - started > 3


def test_an_ignored_field_is_left_to_others(site: Site) -> None:
    """`ignoreDifferences` leaves a field to other managers, even when Git changes another field."""
    rule = {"kind": "ConfigMap", "name": "web", "jsonPointers": ["/data/colour"]}
    repo = site.sync("shop", _web(colour="blue", size="1"), ignoreDifferences=[rule])
    place = _edit(site)
    repo.git.commit(_web(colour="blue", size="2"))
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["data"] == {"colour": "red", "size": "2"}
    assert repo.status()["driftedCount"] == 0


def test_a_deleted_definition_is_restored_with_its_objects(site: Site) -> None:
    """Deleting a CRD also deletes its objects; both are drift, and both are created again."""
    site.grant_all()
    group = f"{site.namespace}.acme.example"
    files = {
        "crd.yaml": yamls.text(yamls.definition("Sprocket", group=group)),
        "small.yaml": yamls.text(yamls.custom("Sprocket", "small", group=group, size=1)),
    }
    site.sync("shop", files)
    crd = f"apiextensions.k8s.io/v1 customresourcedefinitions /sprockets.{group}"
    uid = site.cluster.must_get(crd)["metadata"]["uid"]
    site.cluster.delete(crd)

    def back() -> None:
        found = site.cluster.get(crd)
        assert found is not None
        assert found["metadata"]["uid"] != uid
        assert site.cluster.get(site.place(f"{group}/v1 sprockets", "small")) is not None

    eventually(back, seconds=90)


def test_drift_is_reverted_while_git_is_unavailable(site: Site) -> None:
    """While its Git repository is missing, a repository is not Ready, but drift is still reverted."""
    repo = site.sync("shop", _web(colour="blue", size="1"))
    path = repo.git.path
    path.rename(path.with_suffix(".away"))
    repo.sync_now()
    repo.wait_failed("NOPEA-G014")
    place = _edit(site)

    def healed() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "blue", "size": "1"}

    eventually(healed)
    assert repo.condition("Ready")["status"] == "True"
    assert repo.condition("Fetched")["reason"] == "GitNotFound"
    path.with_suffix(".away").rename(path)
    repo.sync_now()
    repo.wait_synced()


def test_a_kind_that_is_defined_in_the_same_sync_is_watched(site: Site) -> None:
    """A watch detects drift of a custom resource whose definition came in the same sync."""
    site.grant_all()
    group = f"{site.namespace}.acme.example"
    site.sync(
        "shop",
        {
            "kind.yaml": yamls.text(yamls.definition("Widget", group=group)),
            "w.yaml": yamls.text(yamls.custom("Widget", "w", group=group, size=1)),
        },
    )
    place = site.place(f"{group}/v1 widgets", "w")
    site.cluster.merge(place, {"spec": {"size": 5}})

    def healed() -> None:
        assert site.cluster.must_get(place)["spec"]["size"] == 1

    try:
        eventually(healed, seconds=15)
    finally:
        site.cluster.delete(f"apiextensions.k8s.io/v1 customresourcedefinitions /widgets.{group}")


def test_since_is_the_time_of_each_scaling(site: Site) -> None:
    """Kubernetes does not date `kubectl scale`: the watch does, and each drift has its own time."""
    deployment = yamls.deployment("web")
    repo = site.sync("shop", {"web.yaml": yamls.text(deployment)}, healPolicy="manual")
    seen = []
    for replicas in ("4", "5"):
        before = datetime.now(UTC) - timedelta(seconds=1)
        site.cluster.lab.run_kubectl(
            "scale", "deployment", "web", "-n", site.namespace, f"--replicas={replicas}"
        )
        drift = eventually(lambda: _the_drift(repo, replicas))  # noqa: B023 - it is called at once
        assert before <= datetime.fromisoformat(drift["since"]) <= datetime.now(UTC)
        seen.append(drift["since"])
        repo.sync_and_wait()
        time.sleep(1.1)
    assert seen[0] != seen[1]


def _the_drift(repo: Repo, to: str) -> Json:
    drifts = repo.status().get("drifts", [])
    assert [field["to"] for one in drifts for field in one["fields"]] == [to], drifts
    return dict(drifts[0])
