"""The main loop: a repository is applied in one sync, followed and reported."""

from __future__ import annotations

import re
import time

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Json, Site, condition
from tests.git.faulty import Relay
from tests.gitserver import Access, GitServer

pytestmark = BOTH_MODES

PASS_KEYS = {
    "time", "level", "message", "logger", "repo", "sync_id", "triggers", "result", "commit", "objects",
    "created", "configured", "pruned", "drifted", "failed", "seconds",
}  # fmt: skip


def _everything(namespace: str, group: str) -> dict[str, str]:
    """Return files that depend on each other, in the wrong order by name."""
    webhook = yamls.webhook_configuration(f"check-{namespace}", namespace=f"{namespace}-shop")
    return {
        "a-webhook.yaml": yamls.text(webhook),
        "b-customs.yaml": yamls.text(
            yamls.custom("Sprocket", "small", group=group, size=1),
            yamls.custom("Hub", f"{namespace}-main", group=group, spokes=3),
        ),
        "c-workloads.yaml": yamls.text(yamls.deployment("web"), yamls.service("web"), yamls.job("migrate")),
        "d-rbac.yaml": yamls.text(
            yamls.role_binding("deployer", role="deployer", account="builder", namespace=namespace),
            yamls.role("deployer", resources=("configmaps",)),
            yamls.service_account("builder"),
        ),
        "e-elsewhere.yaml": yamls.text(yamls.config_map("web", namespace=f"{namespace}-shop", colour="blue")),
        "f-definitions.yaml": yamls.text(
            yamls.definition("Sprocket", group=group), yamls.definition("Hub", group=group, scope="Cluster")
        ),
        "g-namespace.yaml": yamls.text(yamls.namespace(f"{namespace}-shop")),
    }


def test_one_sync_applies_a_whole_repository(site: Site, nopea: Nopea) -> None:
    """Namespaces, CRDs, custom resources, workloads, RBAC and webhooks are applied in one sync."""
    group, shop = f"{site.namespace}.acme.example", f"{site.namespace}-shop"
    site.grant_all()
    origin = site.origin("shop")
    commit = origin.commit(_everything(site.namespace, group), message="Open the shop\n\nAt last.")
    found = site.follow("shop").wait_synced(commit)
    rbac = "rbac.authorization.k8s.io/v1"
    sources = {
        f"v1 namespaces /{shop}": "g-namespace.yaml#1",
        f"apiextensions.k8s.io/v1 customresourcedefinitions /sprockets.{group}": "f-definitions.yaml#1",
        f"{group}/v1 sprockets {site.namespace}/small": "b-customs.yaml#1",
        f"{group}/v1 hubs /{site.namespace}-main": "b-customs.yaml#2",
        site.place("apps/v1 deployments", "web"): "c-workloads.yaml#1",
        site.place("v1 services", "web"): "c-workloads.yaml#2",
        site.place("batch/v1 jobs", "migrate"): "c-workloads.yaml#3",
        site.place(f"{rbac} rolebindings", "deployer"): "d-rbac.yaml#1",
        site.place(f"{rbac} roles", "deployer"): "d-rbac.yaml#2",
        site.place("v1 serviceaccounts", "builder"): "d-rbac.yaml#3",
        f"v1 configmaps {shop}/web": "e-elsewhere.yaml#1",
        "admissionregistration.k8s.io/v1 validatingwebhookconfigurations "
        f"/check-{site.namespace}": "a-webhook.yaml#1",
    }
    for place, source in sources.items():
        _assert_ours(site.cluster.must_get(place), owner=f"{site.namespace}.shop", source=source)
    _assert_told(found, commit, count=13)
    assert [line["result"] for line in nopea.logs(repo=f"{site.namespace}/shop")] == ["synced"]
    line = nopea.logs("sync finished", repo=f"{site.namespace}/shop")[0]
    assert line.keys() == PASS_KEYS
    assert (line["commit"], line["created"], line["triggers"]) == (commit, 13, ["startup"])


def _assert_ours(live: Json, *, owner: str, source: str) -> None:
    metadata = live["metadata"]
    assert metadata["labels"]["nopea.io/repository"] == owner
    assert metadata["annotations"]["nopea.io/source"] == source
    ours = [entry for entry in metadata["managedFields"] if entry["manager"] == "nopea"]
    assert [entry["operation"] for entry in ours] == ["Apply"]


def _assert_told(found: Json, commit: str, *, count: int) -> None:
    status = found["status"]
    facts = {
        "revision": f"main@sha1:{commit[:7]}",
        "lastAttemptedCommit": commit,
        "lastAppliedCommit": commit,
        "lastCommitMessage": "Open the shop",
        "resourceCount": count,
        "inSyncCount": count,
        "failedCount": 0,
        "observedGeneration": 1,
    }
    assert {key: status[key] for key in facts} == facts
    assert "Acme Robot" in status["lastCommitAuthor"]
    assert "nextSyncTime" not in status
    assert status.get("errors", []) == []
    entry = status["history"][0]
    assert (len(status["history"]), entry["commit"], entry["outcome"]) == (1, commit, "synced")
    assert (entry["created"], entry["trigger"]) == (count, "startup")
    (revision,) = status["revisions"]
    assert (revision["commit"], revision["message"], revision["created"]) == (commit, "Open the shop", count)
    assert revision["author"].startswith("Acme Robot")
    ready = condition(found, "Ready")
    assert (ready["status"], ready["reason"]) == ("True", "Succeeded")
    assert ready["message"] == f"Applied {count} objects at {commit[:7]}."
    assert {one["type"] for one in status["conditions"]} == {
        "Healthy", "Ready", "Fetched", "Applied", "Watching",
    }  # fmt: skip


def test_a_sync_is_reported_in_an_event(site: Site) -> None:
    """The Event about a sync says what was applied and names the controller."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))})
    event = repo.wait_event("Synced")
    assert (event["type"], event["action"]) == ("Normal", "Sync")
    assert event["note"] == f"Applied 1 object at {repo.git.tip()[:7]}."
    assert event["reportingController"] == "nopea.io/controller"


def test_a_new_commit_writes_only_changed_objects(site: Site) -> None:
    """After a push, only changed objects are written: others keep resourceVersion and managedFields."""
    files = {
        f"{name}.yaml": yamls.text(yamls.config_map(name, colour="blue")) for name in ("api", "db", "web")
    }
    repo = site.sync("shop", files, interval="1s")
    places = {name: site.place("v1 configmaps", name) for name in ("api", "db", "web")}
    before = {name: site.cluster.must_get(place) for name, place in places.items()}
    time.sleep(1.1)  # managedFields have whole seconds

    files["web.yaml"] = yamls.text(yamls.config_map("web", colour="red"))
    found = repo.wait_synced(repo.git.commit(files), seconds=10)

    after = {name: site.cluster.must_get(place) for name, place in places.items()}
    assert after["web"]["data"] == {"colour": "red"}
    assert (after["api"], after["db"]) == (before["api"], before["db"])
    entry = found["status"]["history"][0]
    assert (entry.get("created", 0), entry["changed"]) == (0, 1)
    assert entry["trigger"].startswith(("poll", "reconcile"))  # at this interval, whichever comes first


def test_a_sync_without_changes_writes_nothing(site: Site) -> None:
    """Polls that find the same commit leave the GitRepository and its objects unchanged."""
    repo = site.sync("shop", {"web.yaml": yamls.text(yamls.config_map("web"))}, interval="1s")
    repo.wait_event("Synced")
    place = site.place("v1 configmaps", "web")
    before = repo.get(), site.cluster.must_get(place), len(repo.events())
    asked = sum(site.server.requests.values())

    def polled() -> None:
        assert sum(site.server.requests.values()) >= asked + 3

    eventually(polled, seconds=10)
    assert (repo.get(), site.cluster.must_get(place), len(repo.events())) == before


@pytest.mark.parametrize("change", ["ref", "path", "targetNamespace"])
def test_a_spec_change_is_applied_without_a_restart(site: Site, nopea: Nopea, change: str) -> None:
    """The running worker applies another branch, path or target namespace at once."""
    site.grant_all()
    one = yamls.text(yamls.config_map("web", colour="blue"))
    two = yamls.text(yamls.config_map("web", colour="red"))
    # another namespace replaces the only object
    repo = site.sync("shop", {"one/web.yaml": one, "two/web.yaml": two}, path="one", pruneLimit="100%")
    repo.git.commit({"one/web.yaml": two}, branch="next")
    site.cluster.put(f"v1 namespaces /{site.namespace}-b", yamls.namespace(f"{site.namespace}-b"))
    other = f"{site.namespace}-b"
    repo.change(**{change: {"ref": {"branch": "next"}, "path": "two", "targetNamespace": other}[change]})
    repo.wait_synced()
    moved = other if change == "targetNamespace" else site.namespace
    colour = "blue" if change == "targetNamespace" else "red"
    assert site.cluster.must_get(f"v1 configmaps {moved}/web")["data"] == {"colour": colour}
    passes = nopea.logs("sync finished", repo=repo.log_key)
    assert passes[-1]["triggers"] == ["spec change"]
    site.cluster.delete(f"v1 namespaces /{other}")


def test_the_default_branch_is_followed_also_when_it_changes(site: Site) -> None:
    """Without a ref the branch is the one that the server's HEAD names at each poll."""
    blue = {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))}
    red = {"web.yaml": yamls.text(yamls.config_map("web", colour="red"))}
    repo = site.sync("shop", blue, ref=None, interval="1s")
    assert "ref" not in repo.get()["spec"]
    first = repo.git.tip()

    repo.git.commit(red, branch="next")
    repo.git.git("symbolic-ref", "HEAD", "refs/heads/next")

    repo.wait_synced(repo.git.tip("next"))
    assert repo.git.tip() == first
    assert site.cluster.must_get(site.place("v1 configmaps", "web"))["data"] == {"colour": "red"}


def test_kubectl_get_shows_the_state(site: Site, cluster: Cluster) -> None:
    """`kubectl get gr` shows the state of a synced, a failed and a suspended repository."""
    good = {"web.yaml": yamls.text(yamls.config_map("web"))}
    synced = site.sync("synced", good)
    site.origin("suspended", good)
    site.follow("suspended", suspend=True)
    site.origin("broken", good)
    broken = site.follow("broken", ref={"branch": "gone"})
    broken.wait_failed("NOPEA-G003")

    def shown() -> dict[str, list[str]]:
        """Return the cells of each row; empty ones are not shown."""
        table = cluster.lab.run_kubectl("get", "gr", "-n", site.namespace)
        header, *rows = table.splitlines()
        assert header.split() == ["NAME", "READY", "HEALTH", "REVISION", "DRIFT", "STATUS", "AGE"]
        cells = {row.split()[0]: re.split(r" {2,}", row.strip()) for row in rows}
        assert cells["suspended"][1:3] == ["Unknown", "Suspended; nothing is applied or reverted"], table
        return cells

    cells = eventually(shown)
    revision = f"main@sha1:{synced.git.tip()[:7]}"
    assert cells["synced"][1:6] == ["True", "Healthy", revision, "0", "1 object in sync"]
    assert cells["broken"][1] == "False"
    assert cells["broken"][2] == "Branch, tag or commit not found; check spec.ref"
    wide = cluster.lab.run_kubectl("get", "gr", "broken", "-n", site.namespace, "-o", "wide")
    assert site.url("broken") in wide


def test_a_refused_login_is_not_tried_again_every_few_seconds(site: Site, git_server: GitServer) -> None:
    """Servers lock accounts after many attempts; a corrected Secret and a changed spec wake at once."""
    files = {"web.yaml": yamls.text(yamls.config_map("web"))}
    site.origin("shop", files)
    place = site.place("v1 secrets", "git")
    site.cluster.put(place, yamls.secret("git", username="acme", password="guess"))
    with (
        GitServer(git_server.root, access=Access(username="acme", password="opensesame")) as guarded,
        Relay(guarded.port, held=b"GET") as relay,
    ):
        relay.gate.set()
        url = relay.url(f"{site.namespace}/shop.git")
        repo = site.follow("shop", url=url, interval="1s", secretRef={"name": "git"})
        repo.wait_failed("NOPEA-G002")
        asked = len(relay.requests)
        always(lambda: _assert_asked(relay, asked), seconds=6)

        repo.change(interval="2s")
        eventually(lambda: _assert_asked(relay, 2 * asked))
        site.cluster.put(place, yamls.secret("git", username="acme", password="opensesame"))
        repo.wait_synced(seconds=40)


def _assert_asked(relay: Relay, times: int) -> None:
    assert len(relay.requests) == times
