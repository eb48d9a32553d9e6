"""The annotation that pins a repository to a commit: what is applied and reported, and how it ends."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.waiting import always, eventually
from tests.e2e.world import Repo, Site

ROLLBACK = "nopea.io/rollback-to"


def web(colour: str, **more: str) -> dict[str, str]:
    """Return the files of a commit."""
    return {"web.yaml": yamls.text(yamls.config_map("web", colour=colour, **more))}


def colour_of(site: Site) -> str:
    """Return the colour of the live ConfigMap."""
    return str(site.cluster.must_get(site.place("v1 configmaps", "web"))["data"]["colour"])


def wait_colour(site: Site, colour: str) -> None:
    """Wait until the live ConfigMap has this colour."""

    def coloured() -> None:
        assert colour_of(site) == colour

    eventually(coloured)


def pin(repo: Repo, commit: str | None) -> None:
    """Set the rollback annotation, or remove it."""
    repo.site.cluster.merge(repo.place, {"metadata": {"annotations": {ROLLBACK: commit}}})


def wait_held(repo: Repo, commit: str) -> None:
    """Wait until the commit is applied and the status says that it is pinned."""

    def held() -> None:
        status = repo.status()
        assert status.get("lastAppliedCommit") == commit, status
        assert commit in repo.condition("RolledBack").get("message", ""), status

    eventually(held)


def two_commits(site: Site, **spec: str) -> tuple[Repo, str, str]:
    """Return a repository whose first commit was blue and whose second, applied now, is green."""
    repo = site.sync("shop", web("blue"), **spec)
    blue = str(repo.status()["lastAppliedCommit"])
    green = repo.git.commit(web("green"))
    repo.sync_now()
    repo.wait_synced(green)
    return repo, blue, green


def test_a_pinned_commit_is_applied_and_reported_everywhere(site: Site) -> None:
    """The conditions, the history and an Event report the pinned commit; the spec does not change."""
    repo, blue, _ = two_commits(site)
    spec = repo.get()["spec"]

    pin(repo, blue)

    wait_held(repo, blue)
    assert colour_of(site) == "blue"
    found = repo.condition("RolledBack")
    assert (found["status"], found["reason"]) == ("True", "Pinned")
    assert "branch main" in found["message"]
    assert "branch main is not followed" in repo.condition("Ready")["message"]
    newest = repo.status()["history"][0]
    assert (newest["trigger"], newest["commit"], newest["outcome"]) == ("rollback", blue, "synced")
    assert blue in repo.wait_event("RolledBack")["note"]
    assert repo.get()["spec"] == spec


def test_drift_that_the_policy_leaves_outlives_a_rollback(site: Site) -> None:
    """Under `manual`, a manual change stays and is reported during a rollback and after it."""
    repo = site.sync("shop", web("blue"), healPolicy="manual", interval="1s")
    blue = str(repo.status()["lastAppliedCommit"])
    repo.wait_synced(repo.git.commit(web("blue", size="2")))
    place = site.place("v1 configmaps", "web")
    edit = '{"data":{"colour":"red"}}'
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", edit
    )
    eventually(lambda: _assert_left(repo))

    pin(repo, blue)
    wait_held(repo, blue)
    always(lambda: _assert_left(repo), seconds=3)
    assert site.cluster.must_get(place)["data"] == {"colour": "red"}
    pin(repo, None)
    repo.wait_synced(repo.git.tip("main"))

    _assert_left(repo)
    assert site.cluster.must_get(place)["data"] == {"colour": "red", "size": "2"}
    assert "DriftHealed" not in [event["reason"] for event in repo.events()]


def _assert_left(repo: Repo) -> None:
    drifts = repo.status().get("drifts", [])
    assert [field["path"] for drift in drifts for field in drift["fields"]] == [".data.colour"], repo.status()


def test_new_commits_do_not_move_a_pin(site: Site) -> None:
    """While a commit is pinned, neither a poll nor a sync request applies a new one."""
    repo, blue, _ = two_commits(site, interval="1s")
    pin(repo, blue)
    wait_held(repo, blue)

    repo.git.commit(web("red"))
    repo.sync_and_wait()

    always(lambda: _assert_colour(site, "blue"), seconds=3)
    assert repo.status()["lastAttemptedCommit"] == blue


def _assert_colour(site: Site, colour: str) -> None:
    assert colour_of(site) == colour


def test_drift_is_reverted_to_the_pinned_commit(site: Site) -> None:
    """Healing uses the pinned commit, and the history entry has the trigger `rollback`."""
    repo, blue, _ = two_commits(site)
    pin(repo, blue)
    wait_held(repo, blue)

    site.cluster.merge(site.place("v1 configmaps", "web"), {"data": {"colour": "red"}})

    wait_colour(site, "blue")

    def shown() -> None:
        assert repo.status()["history"][0]["trigger"] == "object change,rollback", repo.status()["history"]

    eventually(shown)


def test_without_the_annotation_the_branch_is_followed_again(site: Site) -> None:
    """Removing the annotation applies the branch's tip, removes the condition and emits an Event."""
    repo, blue, _ = two_commits(site)
    pin(repo, blue)
    wait_held(repo, blue)
    red = repo.git.commit(web("red"))

    pin(repo, None)

    def followed() -> None:
        assert repo.status()["lastAppliedCommit"] == red, repo.status()
        assert repo.condition("RolledBack") == {}

    eventually(followed)
    assert colour_of(site) == "red"
    assert repo.status()["history"][0]["trigger"] == "resume"
    assert "branch main" in repo.wait_event("Resumed")["note"]


def test_a_pin_can_be_moved(site: Site) -> None:
    """A second pin takes effect even while the first may still be applied."""
    repo, blue, green = two_commits(site)
    red = repo.git.commit(web("red"))
    repo.sync_now()
    repo.wait_synced(red)

    pin(repo, green)
    pin(repo, blue)

    wait_held(repo, blue)
    assert colour_of(site) == "blue"
    pin(repo, green)
    wait_held(repo, green)
    assert colour_of(site) == "green"


def test_a_pin_overrides_a_commit_of_the_spec(site: Site) -> None:
    """The condition names the commit of the spec that the pin overrides."""
    repo, blue, green = two_commits(site)
    repo.change(ref={"branch": None, "commit": green})
    repo.wait_synced(green)

    pin(repo, blue)

    wait_held(repo, blue)
    assert f"instead of commit {green}" in repo.condition("RolledBack")["message"]


def test_an_invalid_pin_changes_nothing(site: Site) -> None:
    """A value that is not a commit is an error, and the branch is not followed either."""
    repo, blue, _ = two_commits(site)
    pin(repo, "main")
    repo.wait_failed("NOPEA-S005")
    repo.git.commit(web("red"))

    repo.sync_and_wait()

    assert colour_of(site) == "green"
    pin(repo, blue)
    wait_held(repo, blue)
    assert colour_of(site) == "blue"


def test_a_pin_that_git_lacks_applies_nothing(site: Site) -> None:
    """A pinned commit that Git lacks is an error with a hint about rollback; the objects stay unchanged."""
    repo, _, green = two_commits(site)

    pin(repo, "d" * 40)

    repo.wait_failed("NOPEA-G003")
    (error,) = repo.status()["errors"]
    assert "nopea rollback" in error["hint"]
    assert colour_of(site) == "green"
    assert repo.status()["lastAppliedCommit"] == green


def test_while_git_is_unreachable_a_pin_waits(site: Site) -> None:
    """If a pinned commit cannot be fetched, no other commit is applied in its place."""
    repo, blue, _ = two_commits(site)
    pin(repo, blue)
    wait_held(repo, blue)
    repo.change(url="http://127.0.0.1:9/gone.git")
    repo.wait_failed("NOPEA-G001")

    pin(repo, "e" * 40)

    def failing() -> None:
        assert "e" * 40 in repo.condition("RolledBack").get("message", ""), repo.status()
        assert repo.condition("Ready")["status"] == "False"

    eventually(failing)
    assert colour_of(site) == "blue"


def test_a_pin_of_a_suspended_repository_is_applied_after_resume(site: Site) -> None:
    """The condition reports the pin at once, but nothing is applied until the repository is resumed."""
    repo, blue, _ = two_commits(site)
    repo.change(suspend=True)

    def suspended() -> None:
        assert repo.status()["summary"].startswith("Suspended")

    eventually(suspended)
    pin(repo, blue)

    def shown() -> None:
        assert blue in repo.condition("RolledBack").get("message", "")

    eventually(shown)
    assert colour_of(site) == "green"
    repo.change(suspend=False)
    wait_held(repo, blue)
    assert colour_of(site) == "blue"
