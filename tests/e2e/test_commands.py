"""The user commands diff, plan, heal, suspend and resume, while a controller runs."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from tests.e2e import yamls
from tests.e2e.commands import Said, say
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Cluster, Repo, Site

SECRET = "correct-horse-battery-staple"


def _web(**data: str) -> dict[str, str]:
    return {"web.yaml": yamls.text(yamls.config_map("web", **(data or {"colour": "blue"})))}


def _nopea(site: Site, *arguments: str) -> Said:
    return say(site.cluster.lab, *arguments, "-n", site.namespace)


def _edit(site: Site, colour: str) -> None:
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p",
        f'{{"data":{{"colour":"{colour}"}}}}',
    )  # fmt: skip


def _wait_drifted(repo: Repo, count: int = 1) -> None:
    def drifted() -> None:
        assert repo.status().get("driftedCount") == count, repo.status()

    eventually(drifted)


def _wait_colour(site: Site, colour: str) -> None:
    def coloured() -> None:
        assert site.cluster.must_get(site.place("v1 configmaps", "web"))["data"]["colour"] == colour

    eventually(coloured)


def test_nothing_differs_after_a_sync(site: Site) -> None:
    """After a sync, `nopea diff` reports no difference, exits with 0 and writes nothing."""
    files = {
        **_web(),
        "api.yaml": yamls.text(yamls.deployment("api"), yamls.service("api"), yamls.secret("s", key="x")),
    }
    site.sync("shop", files)
    places = [
        site.place("v1 configmaps", "web"),
        site.place("v1 secrets", "s"),
        site.place("v1 services", "api"),
    ]
    before = [site.cluster.must_get(place) for place in places]

    said = _nopea(site, "diff", "shop")

    assert said.code == 0, said
    assert "Nothing differs." in said.out
    assert said.err == ""
    assert [site.cluster.must_get(place) for place in places] == before


def test_diff_shows_both_values_and_the_manager_of_a_manual_change(site: Site) -> None:
    """`nopea diff` shows the live value and Git's, the manager and the time."""
    repo = site.sync("shop", _web(), healPolicy="manual")
    _edit(site, "red")
    _wait_drifted(repo)

    said = _nopea(site, "diff", "shop")

    assert said.code == 1, said
    assert f"ConfigMap {site.namespace}/web: policy" in said.out
    assert ".data.colour: red by kubectl-patch (Update) at 20" in said.out
    assert "Z; blue in Git" in said.out
    assert "\x1b" not in said.out, "colours are for terminals"


def test_diff_without_a_name_shows_those_that_differ(site: Site) -> None:
    """One that is as in Git is counted only; -A has them too."""
    site.sync("fine", {"fine.yaml": yamls.text(yamls.config_map("fine"))})
    repo = site.sync("shop", _web(), healPolicy="manual")
    _edit(site, "red")
    _wait_drifted(repo)

    said = _nopea(site, "diff")
    everywhere = say(site.cluster.lab, "diff", "-A")

    assert said.code == 1, said
    assert f"GitRepository {site.namespace}/shop at " in said.out
    assert ".data.colour: red by kubectl-patch (Update) at 20" in said.out
    assert f"{site.namespace}/fine" not in said.out
    assert said.out.endswith(f"\n2 GitRepositories in namespace {site.namespace}: 1 differs.\n")
    assert f"GitRepository {site.namespace}/shop at " in everywhere.out
    assert f"{site.namespace}/fine" not in everywhere.out
    assert "GitRepositories in the cluster: " in everywhere.out


def test_diff_as_json_distinguishes_both_sides_of_a_conflict(site: Site) -> None:
    """A change from Git has no manager; a field that Git and a manager changed has `both`."""
    repo = site.sync("shop", _web(colour="blue", size="1", shape="round"), healPolicy="manual")
    _edit(site, "red")
    _wait_drifted(repo)
    commit = repo.git.commit(_web(colour="green", size="2", shape="round"))

    said = _nopea(site, "diff", "shop", "-o", "json")

    assert said.code == 1, said
    assert (said.json["commit"], said.json["differs"], said.json["problems"]) == (commit, True, [])
    (found,) = said.json["objects"]
    assert (found["object"], found["action"], found["reason"]) == (
        f"ConfigMap {site.namespace}/web",
        "apply",
        "conflict",
    )
    colour, size = found["fields"]
    assert [colour[name] for name in ("path", "lastApplied", "git", "live", "changedBy", "manager")] == [
        ".data.colour", "blue", "green", "red", "both", "kubectl-patch",
    ]  # fmt: skip
    assert [size[name] for name in ("path", "lastApplied", "git", "live", "changedBy", "manager")] == [
        ".data.size", "1", "2", "1", "git", None,
    ]  # fmt: skip


def test_diff_shows_what_would_be_created_and_pruned(site: Site) -> None:
    """A new object is to be created and a removed one pruned; one that a user deleted is left by policy."""
    two = {**_web(), "api.yaml": yamls.text(yamls.config_map("api", a="1"))}
    repo = site.sync(
        "shop",
        {**two, "old.yaml": yamls.text(yamls.config_map("old", a="1"))},
        healPolicy="manual",
        pruneLimit="100%",
    )
    site.cluster.delete(site.place("v1 configmaps", "api"))
    _wait_drifted(repo)
    repo.git.commit({**two, "new.yaml": yamls.text(yamls.config_map("new", a="1"))})

    said = _nopea(site, "diff", "shop", "-o", "json")

    shown = {one["object"].partition("/")[2]: (one["action"], one["reason"]) for one in said.json["objects"]}
    assert shown == {
        "new": ("create", "not there"),
        "old": ("prune", "gone from Git"),
        "api": ("leave", "policy"),
    }, said


def test_no_value_of_a_secret_is_shown(site: Site) -> None:
    """For a changed Secret, diff shows only the sizes of the values, as text and as JSON."""
    repo = site.sync("shop", {"s.yaml": yamls.text(yamls.secret("s", key=SECRET))}, healPolicy="manual")
    site.cluster.lab.run_kubectl(
        "patch", "secret", "s", "-n", site.namespace, "--type=merge", "-p", '{"stringData":{"key":"guessed"}}'
    )
    _wait_drifted(repo)
    repo.git.commit({"s.yaml": yamls.text(yamls.secret("s", key=f"{SECRET}-2"))})

    for output in ("text", "json"):
        said = _nopea(site, "diff", "shop", "-o", output)
        assert said.code == 1, said
        assert ".data.key" in said.out
        assert "***" in said.out
        for secret in (SECRET, "guessed", "Z3Vlc3NlZ", "Y29ycmVjd"):
            assert secret not in said.out + said.err


@pytest.mark.parametrize("command", [["diff"], ["heal"], ["suspend"], ["resume"]])
def test_a_missing_repository_is_reported_with_a_hint(site: Site, command: list[str]) -> None:
    """The command exits with 3, prints nothing to standard output and says what to do."""
    said = _nopea(site, *command, "nobody")

    assert (said.code, said.out) == (3, "")
    assert f"GitRepository {site.namespace}/nobody does not exist." in said.err
    assert "nopea get -A" in said.err


def test_an_unreachable_git_server_is_reported_with_its_code(site: Site) -> None:
    """`nopea diff` exits with 3 and prints the same error code as the status."""
    site.sync("shop", _web())
    repo = site.follow("lost", url="http://127.0.0.1:9/lost.git")

    said = _nopea(site, "diff", repo.name)

    assert said.code == 3
    assert "NOPEA-G001" in said.err


def test_a_missing_kubeconfig_is_named(site: Site) -> None:
    """The error names the missing file."""
    said = _nopea(site, "diff", "shop", "--kubeconfig", "/nonexistent/config")

    assert said.code == 3
    assert "/nonexistent/config" in said.err


def test_heal_reverts_drift_that_the_policy_leaves(site: Site) -> None:
    """`nopea heal` requests that the controller revert the drift of all objects once."""
    repo = site.sync("shop", _web(), healPolicy="manual")
    _edit(site, "red")
    _wait_drifted(repo)

    said = _nopea(site, "heal", "shop")

    assert said.code == 0, said
    _wait_colour(site, "blue")
    _wait_drifted(repo, 0)


def test_heal_of_one_object_leaves_the_others(site: Site) -> None:
    """The object is given as in kubectl; only its drift is reverted."""
    api = {"api.yaml": yamls.text(yamls.config_map("api", a="1"))}
    repo = site.sync("shop", {**_web(), **api}, healPolicy="manual")
    _edit(site, "red")
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "api", "-n", site.namespace, "--type=merge", "-p", '{"data":{"a":"2"}}'
    )
    _wait_drifted(repo, 2)

    said = _nopea(site, "heal", "shop", "configmaps/web")

    assert said.code == 0, said
    asked = repo.get()["metadata"]["annotations"]["nopea.io/heal-requested"]
    assert asked.endswith(f" ConfigMap {site.namespace}/web")
    _wait_colour(site, "blue")
    _wait_drifted(repo, 1)
    assert site.cluster.must_get(site.place("v1 configmaps", "api"))["data"] == {"a": "2"}


def test_an_object_outside_the_repository_is_refused(site: Site) -> None:
    """The error lists the objects of the repository that could be meant."""
    site.sync("shop", _web())

    said = _nopea(site, "heal", "shop", "deployment/web")

    assert said.code == 3
    assert f"ConfigMap {site.namespace}/web" in said.err


def test_suspend_and_resume_a_repository(site: Site) -> None:
    """A suspended repository applies no commits until it is resumed; diff still shows the changes."""
    repo = site.sync("shop", _web(), interval="1s")

    assert _nopea(site, "suspend", "shop").code == 0
    eventually(lambda: _assert_suspended(repo))
    repo.git.commit(_web(colour="green"))
    said = _nopea(site, "diff", "shop")
    assert (said.code, "-  colour: blue\n    +  colour: green" in said.out, "suspended" in said.err) == (
        1,
        True,
        True,
    ), said
    assert _nopea(site, "resume", "shop").code == 0
    _wait_colour(site, "green")


def _assert_suspended(repo: Repo) -> None:
    assert repo.condition("Suspended").get("status") == "True", repo.status()


def test_suspend_and_resume_one_object(site: Site) -> None:
    """`suspend` sets break-glass with an end; nothing is written until `resume` removes the annotations."""
    site.sync("shop", _web())
    place = site.place("v1 configmaps", "web")

    said = _nopea(site, "suspend", "shop", "ConfigMap", f"{site.namespace}/web", "--until", "2h")

    assert said.code == 0, said
    annotations = site.cluster.must_get(place)["metadata"]["annotations"]
    assert annotations["nopea.io/suspend-heal"] == "true"
    until = datetime.fromisoformat(annotations["nopea.io/suspend-heal-until"])
    assert 6600 < (until - datetime.now(UTC)).total_seconds() <= 7201
    _edit(site, "red")

    def protected() -> None:
        assert site.cluster.must_get(place)["data"] == {"colour": "red"}

    always(protected, seconds=2)
    diff = _nopea(site, "diff", "shop")
    assert (diff.code, "break-glass" in diff.out, "red by kubectl-patch" in diff.out) == (1, True, True), diff
    assert _nopea(site, "resume", "shop", "configmap/web").code == 0
    _wait_colour(site, "blue")
    annotations = site.cluster.must_get(place)["metadata"]["annotations"]
    assert not [name for name in annotations if "suspend" in name]


def test_a_commit_that_break_glass_keeps_out_is_told(site: Site) -> None:
    """The commit counts as applied, the object is as before: `get`, `why` and `diff` say so."""
    repo = site.sync("shop", _web())
    assert _nopea(site, "suspend", "shop", "configmap/web").code == 0
    repo.git.commit(_web(colour="green"))
    synced = _nopea(site, "sync", "shop", "--wait")
    assert (synced.code, "1 suspended" in synced.out) == (0, True), synced

    assert "0 objects in sync, 1 protected by break-glass" in _nopea(site, "get", "shop").out
    assert "Applied 0 of 1 object" in repo.condition("Applied")["message"]
    why = _nopea(site, "why", "shop")
    assert (why.code, f"suspended ConfigMap {site.namespace}/web" in why.out) == (0, True), why
    diff = _nopea(site, "diff", "shop")
    assert (diff.code, ".data.colour: blue; green in Git" in diff.out) == (1, True), diff
    assert _nopea(site, "resume", "shop", "configmap/web").code == 0
    _wait_colour(site, "green")


def _folder(path: Path, files: dict[str, str]) -> str:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_text(content)
    return str(path)


def test_plan_of_a_folder_needs_no_repository(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """The plan creates missing objects and adopts existing ones; it shows fields and managers of changes."""
    cluster.put(f"v1 configmaps {namespace}/web", yamls.config_map("web", colour="red", size="1"))
    files = {**_web(colour="blue", size="1"), "sub/api.yaml": yamls.text(yamls.deployment("api"))}

    said = say(cluster.lab, "plan", "-f", _folder(tmp_path, files), "-n", namespace, "-o", "json")

    assert said.code == 1, said
    web, api = said.json["objects"]
    assert (api["object"], api["action"], api["reason"], api["source"]) == (
        f"apps/Deployment {namespace}/api", "create", "not there", "sub/api.yaml#1",
    )  # fmt: skip
    assert (web["action"], web["reason"]) == ("apply", "adopted")
    (field,) = web["fields"]
    assert (field["path"], field["git"], field["live"], field["manager"]) == (
        ".data.colour", "blue", "red", "kubectl",
    )  # fmt: skip
    assert cluster.get(f"apps/v1 deployments {namespace}/api") is None
    assert cluster.must_get(f"v1 configmaps {namespace}/web")["data"]["colour"] == "red"


def test_plan_as_a_repository_knows_what_it_applied(site: Site, tmp_path: Path) -> None:
    """`plan --for` compares a folder with a repository's applied objects: it shows changes and prunes."""
    old = {"old.yaml": yamls.text(yamls.config_map("old", a="1"))}
    site.sync("shop", {**_web(), **old}, pruneLimit="100%")

    folder = _folder(tmp_path, _web(colour="green"))
    said = _nopea(site, "plan", "-f", folder, "--for", "shop")

    assert said.code == 1, said
    assert f"change ConfigMap {site.namespace}/web: git change" in said.out
    assert "-  colour: blue\n    +  colour: green" in said.out
    assert f"delete ConfigMap {site.namespace}/old: gone from Git" in said.out
    assert "1 to change, 1 to delete" in said.out


def test_plan_refuses_an_object_of_another_repository(site: Site, tmp_path: Path) -> None:
    """As in a sync, the object is refused: the plan names its owner and exits with 2."""
    repo = site.sync("shop", _web())

    said = _nopea(site, "plan", "-f", _folder(tmp_path, _web(colour="green")))

    assert said.code == 2, said
    assert "owned by another GitRepository" in said.out
    assert repo.label in said.out


def test_plan_reports_every_error_of_the_folder(cluster: Cluster, namespace: str, tmp_path: Path) -> None:
    """Each error has its file and code, the rest is planned, and the exit code is 2."""
    files = {
        **_web(),
        "bad.yaml": "a: 1\na: 2\n",
        "odd.yaml": yamls.text(yamls.custom("Odd", "x", group="o.example")),
    }

    said = say(cluster.lab, "plan", "-f", _folder(tmp_path, files), "-n", namespace)

    assert said.code == 2, said
    assert "NOPEA-M004 bad.yaml:2" in said.err
    assert "NOPEA-K001 odd.yaml#1" in said.err
    assert f"create ConfigMap {namespace}/web" in said.out
