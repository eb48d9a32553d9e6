"""Events as `kubectl describe` shows them: one for each occurrence, with repetitions counted."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e import yamls
from tests.e2e.waiting import eventually
from tests.e2e.world import Repo, Site

WEB = {"web.yaml": yamls.text(yamls.config_map("web", colour="blue"))}
BROKEN = {**WEB, "bad.yaml": "kind: [\n"}


def _reasons(repo: Repo) -> list[str]:
    return [event["reason"] for event in sorted(repo.events(), key=lambda event: event["eventTime"])]


def test_a_push_is_reported_with_its_changes(site: Site) -> None:
    """The first sync emits Synced; the next commit emits Changed with the names of the objects."""
    repo = site.sync("shop", WEB)
    repo.wait_event("Synced")
    files = {
        "web.yaml": yamls.text(yamls.config_map("web", colour="red")),
        "db.yaml": yamls.text(yamls.config_map("db")),
    }
    commit = repo.git.commit(files)
    repo.sync_and_wait()
    note = repo.wait_event("Changed")["note"]

    assert "created ConfigMap" in note
    assert "/db; configured ConfigMap" in note
    assert note.startswith(f"Applied {commit[:7]}: ")
    assert note.endswith("/web.")
    assert _reasons(repo) == ["Synced", "Changed"]


def test_failure_and_recovery_are_reported(site: Site) -> None:
    """A broken commit emits one Event whose repetitions are counted; its correction emits Recovered."""
    repo = site.sync("shop", WEB)
    repo.git.commit(BROKEN)
    repo.sync_now()
    repo.wait_failed("NOPEA-M001")
    repo.wait_event("YamlSyntax")
    repo.sync_now()  # fails again, for the same reason

    def counted() -> None:
        (event,) = [one for one in repo.events() if one["reason"] == "YamlSyntax"]
        assert event.get("series", {}).get("count", 1) >= 2

    eventually(counted, seconds=20)
    assert repo.status()["failures"] >= 2
    repo.wait_synced(repo.git.commit({**WEB, "bad.yaml": yamls.text(yamls.config_map("mended"))}), seconds=40)
    assert "failed attempts. Applied 2 objects" in repo.wait_event("Recovered")["note"]
    assert "failures" not in repo.status()


def test_a_refusal_is_reported_to_both_repositories(site: Site) -> None:
    """The refused repository gets the reason; the owner gets one Event, even across its own failures."""
    owner = site.sync("owner", WEB)
    other = site.follow("other")
    site.origin("other", WEB)
    other.sync_now()
    other.wait_failed("NOPEA-K004")
    assert "owner" in other.wait_event("OwnedByOther")["note"]
    owner.wait_event("AlsoDeclared")
    owner.git.commit(BROKEN)
    for _ in range(2):
        before = owner.status().get("failures", 0)
        owner.sync_now()
        eventually(_more_failures(owner, before), seconds=20)

    (declared,) = [event for event in owner.events() if event["reason"] == "AlsoDeclared"]
    assert "series" not in declared


def _more_failures(repo: Repo, before: int) -> Callable[[], None]:
    def failed_again() -> None:
        assert repo.status().get("failures", 0) > before

    return failed_again
