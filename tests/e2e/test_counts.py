"""A sync counts its changes correctly, even if the watch reports a write before its response arrives."""

from __future__ import annotations

from tests.e2e import yamls
from tests.e2e.world import Site

COUNT = 60


def test_every_change_is_counted(site: Site) -> None:
    """A push that changes many objects counts each of them, in history and in an Event."""

    def files(colour: str) -> dict[str, str]:
        texts = (yamls.text(yamls.config_map(f"web-{number}", colour=colour)) for number in range(COUNT))
        return {f"web-{number}.yaml": text for number, text in enumerate(texts)}

    repo = site.sync("shop", files("blue"), interval="1s")
    commit = repo.git.commit(files("red"))
    found = repo.wait_synced(commit)

    entry = found["status"]["history"][0]
    assert (entry["commit"], entry.get("created", 0), entry.get("changed", 0)) == (commit, 0, COUNT)
