"""The commands `nopea sync`, `nopea history` and `nopea rollback`, while a controller runs."""

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
    """Return the colour of the live ConfigMap."""
    return str(site.cluster.must_get(site.place("v1 configmaps", "web"))["data"]["colour"])


def two_commits(site: Site, **spec: str) -> tuple[Repo, str, str]:
    """Return a repository whose first commit was blue and whose second, applied now, is green."""
    repo = site.sync("shop", web("blue"), **spec)
    blue = str(repo.status()["lastAppliedCommit"])
    green = repo.git.commit(web("green"))
    repo.sync_now()
    repo.wait_synced(green)
    return repo, blue, green


def test_sync_applies_a_new_commit_at_once(site: Site) -> None:
    """`nopea sync` does not wait; the new commit is applied, and the annotation is a time with fractions."""
    repo = site.sync("shop", web("blue"))
    green = repo.git.commit(web("green"))

    said = nopea_(site, "sync", "shop")

    assert (said.code, said.out) == (0, f"Requested a sync of GitRepository {repo.log_key}.\n"), said
    repo.wait_synced(green)
    asked = repo.get()["metadata"]["annotations"]["nopea.io/sync-requested-at"]
    assert "." in asked
    assert asked.endswith("Z")


def test_wait_prints_what_the_sync_did(site: Site) -> None:
    """`sync --wait` ends when the commit is applied, prints it with its counts, and exits with 0."""
    repo = site.sync("shop", web("blue"))
    green = repo.git.commit({**web("green"), "api.yaml": yamls.text(yamls.config_map("api", a="1"))})

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 0, said
    assert colour_of(site) == "green"
    assert "2 objects; 1 created, 1 changed" in said.out
    assert green in said.out
    assert "Requested a sync of GitRepository" in said.err


def test_wait_prints_the_drift_that_was_left(site: Site) -> None:
    """`sync --wait` prints drift that was left, with the reason and the manager."""
    site.sync("shop", web("blue"))
    assert nopea_(site, "suspend", "shop", "configmap/web").code == 0
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", '{"data":{"colour":"red"}}'
    )

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 0, said
    assert "1 drifted" in said.out
    assert f"drifted: ConfigMap {site.namespace}/web  left: break-glass  by kubectl-patch" in said.out


def test_wait_fails_with_every_error_of_the_sync(site: Site) -> None:
    """Each error has code, place and hint; the exit code is 1, and standard output is empty."""
    repo = site.sync("shop", web("blue"))
    odd = yamls.text(yamls.custom("Odd", "x", group="o.example"))
    bad = repo.git.commit({**web("green"), "bad.yaml": "a: 1\na: 2\n", "odd.yaml": odd})

    said = nopea_(site, "sync", "shop", "--wait")

    assert (said.code, said.out) == (1, ""), said
    assert f"the sync of {bad[:7]} failed" in said.err
    assert "✗ NOPEA-M004 bad.yaml:2" in said.err
    assert "✗ NOPEA-K001 odd.yaml#1 o.example/Odd x" in said.err
    assert said.err.count("\n→ ") >= 2


def test_wait_fails_when_git_is_unreachable(site: Site) -> None:
    """`sync --wait` fails although the commit that was fetched before is still applied."""
    repo = site.sync("shop", web("blue"))
    repo.change(url="http://127.0.0.1:9/gone.git")

    said = nopea_(site, "sync", "shop", "--wait")

    assert said.code == 1, said
    assert "NOPEA-G001" in said.err


def test_sync_of_a_suspended_repository_fails_at_once(site: Site) -> None:
    """The command requests no sync and says how to resume the repository."""
    repo = site.sync("shop", web("blue"), suspend=False)
    repo.change(suspend=True)

    for arguments in (["sync", "shop"], ["sync", "shop", "--wait"]):
        said = nopea_(site, *arguments)
        assert (said.code, said.out) == (1, ""), said
        assert "is suspended" in said.err
        assert "nopea resume shop" in said.err
    assert "nopea.io/sync-requested-at" not in repo.get()["metadata"].get("annotations", {})


def test_simultaneous_requests_all_end(site: Site) -> None:
    """A sync handles only the latest request, which also completes the earlier ones."""
    site.sync("shop", web("blue"))

    with ThreadPoolExecutor(4) as pool:
        ends = list(pool.map(lambda _: nopea_(site, "sync", "shop", "--wait", "--timeout", "60s"), range(4)))

    assert [said.code for said in ends] == [0] * 4, ends


def test_a_slow_sync_is_distinguished_from_a_missing_controller(site: Site) -> None:
    """If the Git server does not answer, the command reports a running sync until its timeout."""
    slow = site.server.url("never")
    repo = site.sync("shop", web("blue"))
    with _Silence() as port:
        repo.change(url=f"http://127.0.0.1:{port}/{slow.rpartition('/')[2]}.git", timeout="60s")

        said = nopea_(site, "sync", "shop", "--wait", "--timeout", "6s")

    assert said.code == 1, said
    assert "the sync has not ended within 6.00s. Fetching and applying." in said.err
    assert "… Fetching and applying." in said.err


class _Silence:
    """A port that accepts connections and never answers."""

    def __enter__(self) -> int:
        self._socket = socket.create_server(("127.0.0.1", 0))
        return int(self._socket.getsockname()[1])

    def __exit__(self, *exc: object) -> None:
        self._socket.close()


def test_on_a_terminal_the_progress_is_erased(site: Site) -> None:
    """On a terminal, a progress line is shown during the wait and is then replaced by the result."""
    site.sync("shop", web("blue"))

    said = say_on_a_terminal(site.cluster.lab, "sync", "shop", "--wait", "-n", site.namespace)

    assert said.code == 0, said
    assert "Requested a sync of GitRepository" in said.out
    assert "\x1b[2K" in said.out
    last = said.out.rpartition("\x1b[2K")[2]
    assert "asked" not in last
    assert "✓" in last
    assert "1 object; nothing to change" in last


def test_history_lists_syncs_newest_first(site: Site) -> None:
    """`nopea history` marks the applied commit; ids, commits and triggers are those of the status."""
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


def test_history_as_json_extends_the_status(site: Site) -> None:
    """The JSON includes zero counts and marks the entries of a rollback."""
    repo, blue, green = two_commits(site)
    assert nopea_(site, "rollback", "shop", "--wait").code == 0

    printed = nopea_(site, "history", "shop", "-o", "json").json

    assert printed["repository"] == repo.log_key
    assert (printed["lastAppliedCommit"], printed["rollbackTo"], printed["follows"]) == (
        blue,
        blue,
        "branch main",
    )
    marks = [(one["commit"], one["current"], one["rollback"]) for one in printed["history"]]
    assert marks == [(blue, True, True), (green, False, False), (blue, False, False)]
    assert [one["id"] for one in printed["history"]] == [one["id"] for one in repo.status()["history"]]
    assert (printed["history"][0]["created"], printed["history"][0]["changed"]) == (0, 1)


def test_revisions_say_what_was_applied_and_what_was_reverted(site: Site) -> None:
    """Requests in between do not push a commit out; the table names the drift that was reverted."""
    repo, blue, green = two_commits(site)
    for _ in range(12):
        repo.sync_and_wait()
    site.cluster.lab.run_kubectl(
        "patch", "configmap", "web", "-n", site.namespace, "--type=merge", "-p", '{"data":{"colour":"red"}}'
    )
    reverted = f"ConfigMap {site.namespace}/web: .data.colour, by kubectl-patch"
    eventually(lambda: _assert_reverted(repo, reverted))

    said = nopea_(site, "history", "shop", "--revisions")

    assert said.code == 0, said
    assert [line.split()[0] for line in said.out.splitlines()[2:4]] == [green[:7], blue[:7]]
    assert said.out.splitlines()[-1] == f"reverted: {reverted}"
    assert "Acme Robot" in said.out


def _assert_reverted(repo: Repo, line: str) -> None:
    assert line in repo.status()["revisions"][0].get("reverted", []), repo.status()["revisions"]


def test_rollback_applies_the_previous_commit_and_stays_there(site: Site) -> None:
    """Without a commit, rollback pins the previous one; new pushes have no effect until `--resume`."""
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
    """A second rollback goes further back; it does not return to the commit that the first one left."""
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


def test_after_a_failed_commit_rollback_goes_to_the_last_successful_one(site: Site) -> None:
    """After a failed commit, rollback goes to the last successful commit, not to the one before it."""
    repo = site.sync("shop", web("blue"))
    blue = repo.status()["lastAppliedCommit"]
    repo.git.commit({**web("green"), "bad.yaml": "a: 1\na: 2\n"})
    assert nopea_(site, "sync", "shop", "--wait").code == 1

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 0, said
    assert (repo.status()["lastAppliedCommit"], colour_of(site)) == (blue, "blue")


def test_waiting_for_a_rollback_does_not_heal_what_the_policy_leaves(site: Site) -> None:
    """`rollback --wait` requests no sync: a manual change of a field that both commits share stays."""
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


def test_rollback_without_waiting_is_applied_by_the_controller(site: Site) -> None:
    """Without `--wait`, the controller applies the commit later; a short id of the history is sufficient."""
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
def test_an_unknown_commit_changes_nothing(site: Site, commit: str, says: str) -> None:
    """For an unknown or invalid commit, rollback exits with 3 and sets no annotation."""
    repo = site.sync("shop", web("blue"))

    said = nopea_(site, "rollback", "shop", commit)

    assert (said.code, said.out) == (3, ""), said
    assert says in said.err
    assert "nopea.io/rollback-to" not in repo.get()["metadata"].get("annotations", {})


def test_a_full_id_that_git_lacks_fails_with_a_hint(site: Site) -> None:
    """The sync fails with a hint to use `--resume`, and the objects in the cluster stay unchanged."""
    site.sync("shop", web("blue"))

    said = nopea_(site, "rollback", "shop", "d" * 40, "--wait")

    assert said.code == 1, said
    assert "NOPEA-G003" in said.err
    assert f"nopea rollback shop -n {site.namespace} --resume" in said.err
    assert colour_of(site) == "blue"
    assert nopea_(site, "rollback", "shop", "--resume", "--wait").code == 0


def test_rollback_of_a_suspended_repository_waits_for_resume(site: Site) -> None:
    """The pinned commit is applied only after `resume`; until then, `rollback --wait` exits with 1."""
    repo, blue, _ = two_commits(site)
    repo.change(suspend=True)

    said = nopea_(site, "rollback", "shop", "--wait")

    assert said.code == 1, said
    assert "The GitRepository is suspended" in said.err
    assert colour_of(site) == "green"
    assert nopea_(site, "resume", "shop").code == 0
    repo.wait_synced(blue)
    assert colour_of(site) == "blue"


def test_resume_without_a_rollback_is_not_an_error(site: Site) -> None:
    """`rollback --resume` prints the branch that is followed and writes nothing."""
    repo = site.sync("shop", web("blue"))
    before = repo.get()["metadata"]["resourceVersion"]

    said = nopea_(site, "rollback", "shop", "--resume")

    assert (said.code, "follows branch main" in said.out) == (0, True), said
    assert repo.get()["metadata"]["resourceVersion"] == before


def test_diff_of_a_rolled_back_repository_is_against_the_pin(site: Site) -> None:
    """`nopea diff` compares with the pinned commit and says that the branch is not followed."""
    _, blue, _ = two_commits(site)
    assert nopea_(site, "rollback", "shop", "--wait").code == 0

    said = nopea_(site, "diff", "shop")

    assert said.code == 0, said
    assert blue[:12] in said.out
    assert "branch main is not followed" in said.err


@pytest.mark.parametrize("command", ["sync", "history", "rollback"])
def test_a_missing_repository_is_reported(site: Site, command: str) -> None:
    """The command exits with 3 and prints nothing to standard output."""
    said = nopea_(site, command, "nobody")

    assert (said.code, said.out) == (3, "")
    assert f"GitRepository {site.namespace}/nobody does not exist." in said.err
