"""`nopea sync`, `nopea history` and `nopea rollback`, as a person runs them beside a controller."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest
from tests.e2e import yamls
from tests.e2e.commands import Said, say, say_on_a_terminal
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site, condition


def web(colour: str) -> dict[str, str]:
    """Return the files of a commit."""
    return {"web.yaml": yamls.text(yamls.config_map("web", colour=colour))}


def nopea_(site: Site, *arguments: str) -> Said:
    """Run a command for the site's namespace."""
    return say(site.cluster.lab, *arguments, "-n", site.namespace)


def colour_of(site: Site) -> str:
    """Return what is in the cluster."""
    return str(site.cluster.must_get(site.place("v1 configmaps", "web"))["data"]["colour"])


def two_commits(site: Site, **spec: str) -> tuple[Repo, str, str]:
    """Return a repository whose first commit was blue and whose second, applied now, is green."""
    repo = site.sync("shop", web("blue"), **spec)
    blue = str(repo.status()["lastAppliedCommit"])
    green = repo.git.commit(web("green"))
    repo.sync_now()
    repo.wait_synced(green)
    return repo, blue, green


def test_sync_brings_a_new_commit_at_once(site: Site) -> None:
    """Without a poll; the annotation is a time with its fraction, and the command does not wait."""
    repo = site.sync("shop", web("blue"))
    green = repo.git.commit(web("green"))

    said = nopea_(site, "sync", "shop")

    assert (said.code, said.out) == (0, f"Requested a sync of GitRepository {repo.log_key}.\n"), said
    repo.wait_synced(green)
    asked = repo.get()["metadata"]["annotations"]["nopea.io/sync-requested-at"]
    assert "." in asked
    assert asked.endswith("Z")


def test_wait_tells_what_the_pass_did(site: Site) -> None:
    """Commit, message, counts; exit code 0, and it is in the cluster when the command ends."""
    repo = site.sync("shop", web("blue"))
    green = repo.git.commit({**web("green"), "api.yaml": yamls.text(yamls.config_map("api", a="1"))})

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 0, said
    assert colour_of(site) == "green"
    assert "2 objects; 1 created, 1 changed" in said.out
    assert green in said.out
    assert "Requested a sync of GitRepository" in said.err


def test_wait_tells_the_drift_that_was_left(site: Site) -> None:
    """With the reason, and who made it."""
    site.sync("shop", web("blue"))
    assert nopea_(site, "suspend", "shop", "configmap/web").code == 0
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", '{"data":{"colour":"red"}}'
    )

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 0, said
    assert "1 drifted" in said.out
    assert f"drifted: ConfigMap {site.namespace}/web  left: break-glass  by kubectl-patch" in said.out


def test_wait_fails_with_every_error_of_the_pass(site: Site) -> None:
    """Each with its code, its place and its advice; exit code 1, and nothing on standard output."""
    repo = site.sync("shop", web("blue"))
    odd = yamls.text(yamls.custom("Odd", "x", group="o.example"))
    bad = repo.git.commit({**web("green"), "bad.yaml": "a: 1\na: 2\n", "odd.yaml": odd})

    said = nopea_(site, "sync", "shop", "--wait")

    assert (said.code, said.out) == (1, ""), said
    assert f"the sync of {bad[:7]} failed" in said.err
    assert "✗ NOPEA-M004 bad.yaml:2" in said.err
    assert "✗ NOPEA-K001 odd.yaml#1 o.example/Odd x" in said.err
    assert said.err.count("\n→ ") >= 2


def test_wait_fails_when_git_cannot_be_asked(site: Site) -> None:
    """Though the version that Git gave before still holds."""
    repo = site.sync("shop", web("blue"))
    repo.change(url="http://127.0.0.1:9/gone.git")

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 1, said
    assert "NOPEA-G001" in said.err


def test_a_suspended_repository_says_so_at_once(site: Site) -> None:
    """Nothing is asked, and the way on is told."""
    repo = site.sync("shop", web("blue"), suspend=False)
    repo.change(suspend=True)

    for arguments in (["sync", "shop"], ["sync", "shop", "--wait"]):
        said = nopea_(site, *arguments)
        assert (said.code, said.out) == (1, ""), said
        assert "is suspended" in said.err
        assert "nopea resume shop" in said.err
    assert "nopea.io/sync-requested-at" not in repo.get()["metadata"].get("annotations", {})


def test_many_who_ask_at_once_all_end(site: Site) -> None:
    """Passes handle the latest request only; it answers the earlier ones too."""
    site.sync("shop", web("blue"))

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda _: nopea_(site, "sync", "shop", "--wait", "--timeout", "60s"), range(4)))

    assert [said.code for said in ends] == [0] * 4, ends


def test_a_pass_that_takes_longer_is_told_from_no_controller(site: Site) -> None:
    """A Git server that does not answer: the pass is seen under way, then the time is over."""
    slow = site.server.url("never")
    repo = site.sync("shop", web("blue"))
    with _Silence() as port:
        repo.change(url=f"http://127.0.0.1:{port}/{slow.rpartition('/')[2]}.git", timeout="60s")

        said = nopea_(site, "sync", "shop", "--wait", "--timeout", "6s")

    assert said.code == 1, said
    assert "the sync has not ended within 6.00s. Syncing: fetching and applying" in said.err
    assert "… Syncing: fetching and applying" in said.err


class _Silence:
    """A port that takes connections and never says a word."""

    def __enter__(self) -> int:
        self._socket = socket.create_server(("127.0.0.1", 0))
        return int(self._socket.getsockname()[1])

    def __exit__(self, *exc: object) -> None:
        self._socket.close()


def test_on_a_terminal_the_progress_goes_away(site: Site) -> None:
    """A moving line while it waits, then the result alone, in colour."""
    site.sync("shop", web("blue"))

    said = say_on_a_terminal(site.cluster.lab, "sync", "shop", "--wait", "-n", site.namespace)

    assert said.code == 0, said
    assert "Requested a sync of GitRepository" in said.out
    assert "\x1b[2K" in said.out
    last = said.out.rpartition("\x1b[2K")[2]
    assert "asked" not in last
    assert "✓" in last
    assert "1 object; nothing to change" in last


def test_history_lists_passes_newest_first(site: Site) -> None:
    """What is applied now is marked; ids, commits, triggers and counts are those of the status."""
    repo, blue, green = two_commits(site)

    said = nopea_(site, "history", "shop")

    assert said.code == 0, said
    title, head, newest, oldest, legend = said.out.splitlines()
    assert title == f"GitRepository {repo.log_key} at {green}, follows branch main"
    assert head.split() == [
        "COMMIT", "OUTCOME", "STARTED", "TOOK", "CREATED", "CHANGED", "PRUNED", "FAILED", "ID", "TRIGGER",
    ]  # fmt: skip
    first, second = repo.status()["history"]
    assert newest.startswith(f"*  {green[:7]}  synced ")
    assert oldest.startswith(f"   {blue[:7]}  synced ")
    assert first["id"] in newest
    assert second["id"] in oldest
    assert "s ago, 20" in newest
    assert newest.endswith("manual")
    assert legend == "* applied now"


def test_history_as_json_is_the_status_and_more(site: Site) -> None:
    """Zeros are there too; what a rollback made is marked."""
    repo, blue, green = two_commits(site)
    assert nopea_(site, "rollback", "shop", "--wait").code == 0

    told = nopea_(site, "history", "shop", "-o", "json").json

    assert told["repository"] == repo.log_key
    assert (told["lastAppliedCommit"], told["rollbackTo"], told["follows"]) == (blue, blue, "branch main")
    marks = [(one["commit"], one["current"], one["rollback"]) for one in told["history"]]
    assert marks == [(blue, True, True), (green, False, False), (blue, False, False)]
    assert [one["id"] for one in told["history"]] == [one["id"] for one in repo.status()["history"]]
    assert (told["history"][0]["created"], told["history"][0]["changed"]) == (0, 1)


def test_rollback_goes_to_the_commit_before_and_stays(site: Site) -> None:
    """Without a commit; new pushes do not move it, and --resume goes to the branch's tip."""
    repo, blue, _ = two_commits(site)
    spec = repo.get()["spec"]

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 0, said
    assert colour_of(site) == "blue"
    assert blue in said.out
    ends = f"`nopea rollback shop -n {site.namespace} --resume`"
    assert f"branch main is not followed until {ends}" in said.out
    assert condition(repo.get(), "RolledBack")["status"] == "True"
    red = repo.git.commit(web("red"))
    assert nopea_(site, "sync", "shop", "--wait").code == 0
    assert colour_of(site) == "blue"
    resumed = nopea_(site, "rollback", "shop", "--resume", "--wait")
    assert (resumed.code, red in resumed.out) == (0, True), resumed
    assert colour_of(site) == "red"
    assert repo.get()["spec"] == spec
    assert condition(repo.get(), "RolledBack") == {}


def test_two_rollbacks_in_a_row_go_two_commits_back(site: Site) -> None:
    """The second does not return to what the first left."""
    repo, blue, _ = two_commits(site)
    red = repo.git.commit(web("red"))
    repo.sync_now()
    repo.wait_synced(red)

    first = nopea_(site, "rollback", "shop", "--wait")
    assert (first.code, colour_of(site)) == (0, "green"), first
    second = nopea_(site, "rollback", "shop", "--wait")

    assert (second.code, colour_of(site)) == (0, "blue"), second
    assert repo.status()["lastAppliedCommit"] == blue
    third = nopea_(site, "rollback", "shop", "--wait")
    assert third.code == 3, third
    assert "no commit that was applied before" in third.err


def test_after_a_commit_that_failed_rollback_returns_to_the_last_good_one(site: Site) -> None:
    """Not to the one before that: the last good one is what people mean."""
    repo = site.sync("shop", web("blue"))
    blue = repo.status()["lastAppliedCommit"]
    repo.git.commit({**web("green"), "bad.yaml": "a: 1\na: 2\n"})
    assert nopea_(site, "sync", "shop", "--wait").code == 1

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 0, said
    assert (repo.status()["lastAppliedCommit"], colour_of(site)) == (blue, "blue")


def test_waiting_for_a_rollback_does_not_heal_what_the_policy_leaves(site: Site) -> None:
    """It asks for the commit, not for a sync: a field that both commits have alike stays as it was made."""
    two = {"web.yaml": yamls.text(yamls.config_map("web", colour="blue", size="1"))}
    repo = site.sync("shop", two, healPolicy="manual")
    green = repo.git.commit({"web.yaml": yamls.text(yamls.config_map("web", colour="green", size="1"))})
    repo.sync_now()
    repo.wait_synced(green)
    site.cluster.merge(site.place("v1 configmaps", "web"), {"data": {"size": "9"}})

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 0, said
    assert site.cluster.must_get(site.place("v1 configmaps", "web"))["data"] == {
        "colour": "blue",
        "size": "9",
    }


def test_rollback_without_waiting_is_done_by_the_controller(site: Site) -> None:
    """A short id is enough for a commit of the history."""
    repo, blue, _ = two_commits(site)

    said = nopea_(site, "rollback", "shop", blue[:8])

    assert said.code == 0, said
    assert repo.get()["metadata"]["annotations"]["nopea.io/rollback-to"] == blue

    def applied() -> None:
        assert colour_of(site) == "blue"

    eventually(applied)


@pytest.mark.parametrize(
    ("commit", "says"),
    [("abcdef12", "No commit in its history"), ("main", "is not a commit id"), ("abc", "7")],
)
def test_a_commit_that_nobody_knows_changes_nothing(site: Site, commit: str, says: str) -> None:
    """Exit code 3, no annotation."""
    repo = site.sync("shop", web("blue"))

    said = nopea_(site, "rollback", "shop", commit)

    assert (said.code, said.out) == (3, ""), said
    assert says in said.err
    assert "nopea.io/rollback-to" not in repo.get()["metadata"].get("annotations", {})


def test_a_full_id_that_git_lacks_fails_with_advice(site: Site) -> None:
    """The pass says so; what is in the cluster stays, and --resume is the way out."""
    site.sync("shop", web("blue"))

    said = nopea_(site, "rollback", "shop", "d" * 40, "--wait")

    assert said.code == 1, said
    assert "NOPEA-G003" in said.err
    assert "nopea rollback NAME --resume" in said.err
    assert colour_of(site) == "blue"
    assert nopea_(site, "rollback", "shop", "--resume", "--wait").code == 0


def test_rollback_of_a_suspended_repository_waits_for_resume(site: Site) -> None:
    """The pin is set and told; with --wait the exit code says that nothing was applied."""
    repo, blue, _ = two_commits(site)
    repo.change(suspend=True)

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 1, said
    assert "The GitRepository is suspended" in said.err
    assert colour_of(site) == "green"
    assert nopea_(site, "resume", "shop").code == 0
    repo.wait_synced(blue)
    assert colour_of(site) == "blue"


def test_resume_of_what_is_not_rolled_back_is_no_error(site: Site) -> None:
    """It says what is followed, and annotates nothing."""
    repo = site.sync("shop", web("blue"))
    before = repo.get()["metadata"]["resourceVersion"]

    said = nopea_(site, "rollback", "shop", "--resume")

    assert (said.code, "follows branch main" in said.out) == (0, True), said
    assert repo.get()["metadata"]["resourceVersion"] == before


def test_diff_of_a_rolled_back_repository_is_against_the_pin(site: Site) -> None:
    """And says that the branch is not followed."""
    _, blue, _ = two_commits(site)
    assert nopea_(site, "rollback", "shop", "--wait").code == 0

    said = nopea_(site, "diff", "shop")

    assert said.code == 0, said
    assert blue[:12] in said.out
    assert "branch main is not followed" in said.err


@pytest.mark.parametrize("command", ["sync", "history", "rollback"])
def test_a_missing_repository_is_reported(site: Site, command: str) -> None:
    """Exit code 3, nothing on standard output."""
    said = nopea_(site, command, "nobody")

    assert (said.code, said.out) == (3, "")
    assert f"GitRepository {site.namespace}/nobody does not exist." in said.err
