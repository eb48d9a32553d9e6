"""GitRepositories in Git: app of apps."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.tenancy import BOTH_MODES
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site

pytestmark = BOTH_MODES

REPOSITORIES = "nopea.io/v1alpha1 gitrepositories"
MAPS = "v1 configmaps"


def test_app_of_apps(site: Site) -> None:
    """A GitRepository in Git is an object like any other: drift, its own finalizer, pruning."""
    site.origin("web", {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))})
    files = {"web.yaml": yamls.text(site.declaration("web", deletionPolicy="Delete"))}
    root = site.sync("root", files)
    apps = Repo(site, "web")
    apps.wait_synced()
    assert apps.get()["metadata"]["finalizers"] == ["nopea.io/finalizer"]
    assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": "blue"}

    site.cluster.lab.run_kubectl(
        "patch", "gitrepositories.nopea.io", "web", "-n", site.namespace, "--type=merge", "-p",
        '{"spec":{"deletionPolicy":"Orphan"}}',
    )  # fmt: skip
    eventually(lambda: _assert_policy(apps, "Delete"))

    files = {"web.yaml": yamls.text(site.declaration("web", deletionPolicy="Delete", prune=False))}
    root.git.commit(files)
    root.sync_now()
    eventually(lambda: _assert_pruning(apps, on=False))
    eventually(lambda: _assert_held(apps))

    root.change(pruneLimit="100%")
    root.git.commit({"other.yaml": yamls.text(yamls.config_map("other"))})
    root.sync_now()
    eventually(lambda: site.cluster.assert_gone(f"{REPOSITORIES} {site.namespace}/web"))
    assert site.cluster.get(site.place(MAPS, "web")) is None


def test_a_repository_can_contain_itself_and_its_finalizer(site: Site) -> None:
    """The bootstrap pattern: kubectl creates what Git holds too. It goes on syncing, and can be deleted."""
    itself = site.declaration("root", deletionPolicy="Delete")
    itself["metadata"]["finalizers"] = ["nopea.io/finalizer"]
    root = site.sync("root", {"root.yaml": yamls.text(itself)}, deletionPolicy="Delete")
    for colour in ("blue", "red"):
        commit = root.git.commit(
            {"root.yaml": yamls.text(itself), "web.yaml": yamls.text(yamls.config_map("web", colour=colour))}
        )
        root.sync_now()
        root.wait_synced(commit)
        assert site.cluster.must_get(site.place(MAPS, "web"))["data"] == {"colour": colour}
    _assert_held(root)

    site.cluster.delete(root.place)

    eventually(lambda: site.cluster.assert_gone(root.place))
    assert site.cluster.get(site.place(MAPS, "web")) is None


def _assert_policy(repo: Repo, policy: str) -> None:
    assert repo.get()["spec"]["deletionPolicy"] == policy


def _assert_pruning(repo: Repo, *, on: bool) -> None:
    assert repo.get()["spec"].get("prune", True) is on


def _assert_held(repo: Repo) -> None:
    assert repo.get()["metadata"].get("finalizers") == ["nopea.io/finalizer"]
