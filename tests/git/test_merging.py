"""What a merge of a branch would give, made in the mirror only."""

from __future__ import annotations

import asyncio
import hashlib
from dataclasses import replace

import pytest
from tests.git.conftest import FILES, MAIN, PATIENCE, files_of, running
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Ref, RefKind, Remote
from nopea.core.problem import SyncError
from nopea.git.merging import MOST_MERGED_BYTES
from nopea.git.port import HISTORY_COMMITS, GitPort
from nopea.git.settings import GitSettings

T = PATIENCE
MORE = Ref(RefKind.BRANCH, "more")
LINES = "".join(f"line: {number}\n---\n" for number in range(40))


@pytest.fixture
def remote(server: GitServer) -> Remote:
    """The repository of these tests."""
    return Remote(server.url("shop.git"))


async def _merged(port: GitPort, remote: Remote) -> str:
    head = await port.sync(remote, MORE, timeout_seconds=T)
    onto = await port.sync(remote, MAIN, timeout_seconds=T)
    return await port.merge(remote, onto, head, timeout_seconds=T)


async def _contents(port: GitPort, remote: Remote, commit: str) -> dict[str, str]:
    files = await files_of(port, remote, commit, "deploy", timeout_seconds=T)
    blobs = await port.read(remote, commit, [file.blob for file in files], timeout_seconds=T)
    return {file.path.removeprefix("deploy/"): blobs[file.blob].decode() for file in files}


def _diverge(origin: Origin, ours: dict[str, str | None], theirs: dict[str, str | None]) -> None:
    """Commit changes to the branch `more`, and others to main; None deletes a file."""
    for branch, changes in (("more", theirs), ("main", ours)):
        files = {**FILES, "deploy/lines.yaml": LINES} | {
            f"deploy/{name}": text for name, text in changes.items()
        }
        origin.commit({path: text for path, text in files.items() if text is not None}, branch=branch)


@pytest.fixture
def lines(origin: Origin) -> Origin:
    """The repository with a longer file."""
    origin.commit({**FILES, "deploy/lines.yaml": LINES})
    return origin


async def test_what_was_merged_meanwhile_is_in_the_merge(
    port: GitPort, remote: Remote, lines: Origin
) -> None:
    """Files of both sides, deletions of both sides, and lines of one file that both changed."""
    _diverge(
        lines,
        {"new.yaml": "of: main\n", "db.yaml": None, "lines.yaml": f"first: 1\n---\n{LINES}"},
        {"api.yaml": "of: more\n", "worker.yaml": None, "lines.yaml": f"{LINES}last: 1\n"},
    )

    merged = await _merged(port, remote)

    assert await _contents(port, remote, merged) == {
        "api.yaml": "of: more\n",
        "lines.yaml": f"first: 1\n---\n{LINES}last: 1\n",
        "new.yaml": "of: main\n",
        "web.yaml": "name: web\n",
    }
    assert merged not in (lines.tip(), lines.tip("more"))
    assert await _merged(port, remote) == merged  # nothing is written twice


async def test_a_branch_that_has_its_base_is_the_merge(port: GitPort, remote: Remote, lines: Origin) -> None:
    """And a base that has the branch is it, too: nothing would change."""
    ahead = lines.commit({"deploy/a.yaml": "a: 1\n"}, branch="more")
    assert await _merged(port, remote) == ahead

    lines.git("update-ref", "refs/heads/main", ahead)
    newest = lines.commit({"deploy/a.yaml": "a: 2\n"})

    assert await _merged(port, remote) == newest


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        ({"api.yaml": "of: main\n"}, {"api.yaml": "of: more\n"}),
        ({"api.yaml": None}, {"api.yaml": "of: more\n"}),
        ({"new.yaml": "of: main\n"}, {"new.yaml": "of: more\n"}),
        ({"new": "of: main\n"}, {"new/a.yaml": "of: more\n"}),
    ],
    ids=["both change", "one deletes", "both create", "file and folder"],
)
async def test_a_conflict_is_for_a_person(
    port: GitPort,
    remote: Remote,
    lines: Origin,
    ours: dict[str, str | None],
    theirs: dict[str, str | None],
) -> None:
    """There is no merge."""
    _diverge(lines, ours, theirs)

    assert await _merged(port, remote) == ""


async def test_branches_without_a_common_past_are_not_merged(
    port: GitPort, remote: Remote, lines: Origin
) -> None:
    """Servers do not merge them either."""
    lines.commit({"deploy/a.yaml": "a: 1\n"}, branch="more", orphan=True)
    lines.commit({"deploy/b.yaml": "b: 1\n"}, orphan=True)

    assert await _merged(port, remote) == ""


async def test_large_files_that_both_changed_are_not_merged(
    port: GitPort, remote: Remote, lines: Origin
) -> None:
    """Their lines would be compared, and the result written to the disk of everybody."""
    text = "".join(f"{hashlib.sha256(bytes([n % 256, n // 256])).hexdigest()}\n" for n in range(2**15))
    large = text * (MOST_MERGED_BYTES // len(text) // 3 + 1)
    lines.commit({**FILES, "deploy/large.yaml": large, "deploy/lines.yaml": LINES})
    _diverge(lines, {"large.yaml": f"first: 1\n{large}"}, {"large.yaml": f"{large}last: 1\n"})
    assert await _merged(port, remote) == ""

    _diverge(lines, {"large.yaml": f"first: 2\n{large}"}, {"large.yaml": large})

    assert await _merged(port, remote) != ""


@pytest.mark.usefixtures("lines")
async def test_a_commit_that_is_not_there_is_an_error(port: GitPort, remote: Remote) -> None:
    """It is not merged with nothing."""
    commit = await port.sync(remote, MAIN, timeout_seconds=T)

    with pytest.raises(SyncError):
        await port.merge(remote, commit, replace(commit, id="f" * 40), timeout_seconds=T)


@pytest.mark.parametrize("commits", [5, HISTORY_COMMITS])
async def test_of_a_long_history_the_newest_commits_are_fetched(
    settings: GitSettings, server: GitServer, lines: Origin, commits: int
) -> None:
    """A branch that left its base before them is not merged."""
    url = server.url("shop.git")
    await asyncio.to_thread(_diverge, lines, {"new.yaml": "of: main\n"}, {"api.yaml": "of: more\n"})
    for number in range(commits):
        await asyncio.to_thread(lines.commit, {**FILES, "deploy/new.yaml": f"of: main {number}\n"})

    async with running(GitPort(replace(settings, max_history_objects=5))) as port:
        merged = await _merged(port, Remote(url))
        is_merged = bool(merged)
        assert is_merged == (commits < HISTORY_COMMITS)
        if is_merged:
            assert (await _contents(port, Remote(url), merged))["api.yaml"] == "of: more\n"
            assert (await _contents(port, Remote(url), merged))["new.yaml"] == f"of: main {commits - 1}\n"
