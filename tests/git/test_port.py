"""The Git port against `git http-backend` on loopback: refs, commits, files, sharing, repair."""

from __future__ import annotations

import asyncio
import hashlib
import resource
import shutil
from pathlib import Path

import pytest
from tests.git.conftest import FILES, MAIN, PATIENCE, files_of, running
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind, Remote, Skipped, SkipReason
from nopea.core.problem import Code, StalledError, SyncError
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings

T = PATIENCE


def mirrors(settings: GitSettings) -> list[Path]:
    """Return the mirrors on disk, including incomplete ones."""
    return sorted(path for path in settings.cache_dir.iterdir() if not path.name.startswith(".children"))


async def code_of(call: asyncio.Future[object] | object) -> Code:
    """Await a call that must fail and return its only problem's code."""
    with pytest.raises(SyncError) as failure:
        await call  # type: ignore[misc]
    (problem,) = failure.value.problems
    assert problem.hint
    return problem.code


async def test_a_commit_is_synced_listed_and_read(port: GitPort, server: GitServer, origin: Origin) -> None:
    """The first sync returns the branch's commit, and its files are listed in order and read by blob."""
    remote = Remote(server.url("shop.git"))

    commit = await port.sync(remote, MAIN, timeout_seconds=T)
    files = await files_of(port, remote, commit.id, "deploy/", timeout_seconds=T)
    contents = await port.read(remote, commit.id, [file.blob for file in files], timeout_seconds=T)

    assert commit.id == origin.tip()
    assert (commit.author, commit.message) == ("Acme Robot <robot@acme.example>", "Change")
    assert commit.committed_at.tzinfo is not None
    assert [file.path for file in files] == sorted(FILES)
    assert {file.path: contents[file.blob].decode() for file in files} == FILES
    assert [file.size for file in files] == [len(FILES[file.path]) for file in files]
    assert await port.head(remote, commit.id, timeout_seconds=T) == commit


async def test_names_that_are_not_utf8_are_read_like_others(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """Git allows any bytes. Two such names stay two, and no request waits for its deadline."""
    remote = Remote(server.url("shop.git"))
    origin.commit({'"caf\\351.yaml"': "a: 1\n", '"caf\\350.yaml"': "a: 2\n", '"d\\351/x.yaml"': "a: 3\n"})

    commit = await port.sync(remote, MAIN, timeout_seconds=T)
    files = await files_of(port, remote, commit.id, "", timeout_seconds=T)

    assert [file.path for file in files] == ["caf\\udce8.yaml", "caf\\udce9.yaml", "d\\udce9/x.yaml"]
    contents = await port.read(remote, commit.id, [file.blob for file in files], timeout_seconds=T)
    assert sorted(contents.values()) == [b"a: 1\n", b"a: 2\n", b"a: 3\n"]
    with pytest.raises(SyncError) as missing:
        await files_of(port, remote, commit.id, "nowhere", timeout_seconds=T)
    assert missing.value.problems[0].code is Code.GIT_PATH_NOT_FOUND


async def test_an_unchanged_branch_is_not_fetched_again(port: GitPort, server: GitServer) -> None:
    """A second sync only requests the refs."""
    remote = Remote(server.url("shop.git"))
    first = await port.sync(remote, MAIN, timeout_seconds=T)

    assert await port.sync(remote, MAIN, timeout_seconds=T) == first
    assert await port.ls_remote(remote, MAIN, timeout_seconds=T) == first.id

    assert server.requests == {"shop.git git-upload-pack GET": 3, "shop.git git-upload-pack POST": 1}


async def test_many_callers_share_one_fetch(port: GitPort, server: GitServer) -> None:
    """A hundred concurrent syncs of one URL and branch share a single fetch."""
    remote = Remote(server.url("shop.git"))

    commits = await asyncio.gather(*(port.sync(remote, MAIN, timeout_seconds=T) for _ in range(100)))

    assert len(set(commits)) == 1
    assert server.requests == {"shop.git git-upload-pack GET": 1, "shop.git git-upload-pack POST": 1}


async def test_two_branches_share_one_mirror(
    port: GitPort, server: GitServer, origin: Origin, settings: GitSettings
) -> None:
    """Concurrent syncs of two branches of one URL use one mirror, which has both commits."""
    other = origin.commit({"a.yaml": "a: 1\n"}, branch="staging")
    remote = Remote(server.url("shop.git"))

    main, staging = await asyncio.gather(
        port.sync(remote, MAIN, timeout_seconds=T),
        port.sync(remote, Ref(RefKind.BRANCH, "staging"), timeout_seconds=T),
    )

    assert (main.id, staging.id) == (origin.tip(), other)
    assert len(mirrors(settings)) == 1
    assert len(await files_of(port, remote, main.id, "", timeout_seconds=T)) == 4
    assert len(await files_of(port, remote, staging.id, "", timeout_seconds=T)) == 1


async def test_a_new_commit_and_a_rewritten_history_are_followed(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """A push and then a forced push are both fetched, and the files are the new commit's."""
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=T)

    pushed = origin.commit({"one.yaml": "a: 1\n"})
    assert (await port.sync(remote, MAIN, timeout_seconds=T)).id == pushed
    rewritten = origin.commit({"two.yaml": "a: 2\n"}, orphan=True)
    assert (await port.sync(remote, MAIN, timeout_seconds=T)).id == rewritten

    assert [file.path for file in await files_of(port, remote, rewritten, "", timeout_seconds=T)] == [
        "two.yaml"
    ]


async def test_tags_ranges_and_commits_are_found(port: GitPort, server: GitServer, origin: Origin) -> None:
    """An annotated tag is peeled, a range takes its highest tag, a commit without a branch is found."""
    first = origin.tip()
    origin.tag("v1.2.0", first, annotated=True)
    second = origin.commit({"a.yaml": "a: 1\n"})
    origin.tag("v1.10.0", second)
    origin.tag("v2.0.0-rc.1", origin.commit({"a.yaml": "a: 2\n"}))
    remote = Remote(server.url("shop.git"))

    found = [
        await port.sync(remote, Ref(kind, value), timeout_seconds=T)
        for kind, value in (
            (RefKind.TAG, "v1.2.0"), (RefKind.SEMVER, ">=1.0 <3.0"),
            (RefKind.COMMIT, second), (RefKind.COMMIT, first),
        )
    ]  # fmt: skip

    assert [commit.id for commit in found] == [first, second, second, first]
    assert [commit.ref for commit in found] == ["refs/tags/v1.2.0", "refs/tags/v1.10.0", "", ""]
    assert await port.ls_remote(remote, Ref(RefKind.TAG, "v1.2.0"), timeout_seconds=T) == first


@pytest.mark.parametrize("over", ["http", "file"])
async def test_the_default_branch_is_followed_when_it_moves_and_when_it_changes(
    port: GitPort, server: GitServer, origin: Origin, over: str
) -> None:
    """HEAD is the commit of the branch that the server names, and the port says which one that is."""
    remote = Remote(server.url("shop.git") if over == "http" else f"file://{origin.path}")
    next_commit = origin.commit({"a.yaml": "a: 1\n"}, branch="next")

    first = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)
    assert (first.id, first.ref) == (origin.tip(), "refs/heads/main")
    moved = origin.commit({"a.yaml": "a: 2\n"})
    assert await port.ls_remote(remote, DEFAULT_BRANCH, timeout_seconds=T) == moved
    second = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)
    assert (second.id, second.ref) == (moved, "refs/heads/main")

    origin.git("symbolic-ref", "HEAD", "refs/heads/next")

    assert await port.ls_remote(remote, DEFAULT_BRANCH, timeout_seconds=T) == next_commit
    third = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)
    assert (third.id, third.ref) == (next_commit, "refs/heads/next")
    assert [file.path for file in await files_of(port, remote, third.id, "", timeout_seconds=T)] == ["a.yaml"]


async def test_a_head_without_a_branch_is_followed(port: GitPort, server: GitServer, origin: Origin) -> None:
    """A detached HEAD has a commit but no branch: the commit is applied, and no name is invented."""
    first = origin.tip()
    second = origin.commit({"a.yaml": "a: 1\n"}, branch="next")
    origin.git("update-ref", "--no-deref", "HEAD", first)
    remote = Remote(server.url("shop.git"))

    found = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)
    assert (found.id, found.ref) == (first, "")
    origin.git("update-ref", "--no-deref", "HEAD", second)
    found = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)

    assert (found.id, found.ref) == (second, "")


async def test_a_head_whose_branch_does_not_exist_is_reported(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """The hint names the branches that there are."""
    origin.git("symbolic-ref", "HEAD", "refs/heads/master")
    remote = Remote(server.url("shop.git"))

    with pytest.raises(StalledError) as failure:
        await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)

    (problem,) = failure.value.problems
    assert problem.code == Code.GIT_REF_NOT_FOUND
    assert "has no default branch" in problem.message
    assert problem.hint.endswith("The repository has, for example: main.")
    assert await code_of(port.ls_remote(remote, DEFAULT_BRANCH, timeout_seconds=T)) == Code.GIT_REF_NOT_FOUND


async def test_a_damaged_mirror_of_the_default_branch_is_repaired(
    port: GitPort, server: GitServer, origin: Origin, settings: GitSettings
) -> None:
    """Files can be listed again after the mirror was lost, without another ref."""
    remote = Remote(server.url("shop.git"))
    commit = await port.sync(remote, DEFAULT_BRANCH, timeout_seconds=T)
    for mirror in mirrors(settings):
        shutil.rmtree(mirror)

    assert commit.id == origin.tip()
    assert len(await files_of(port, remote, commit.id, "", timeout_seconds=T)) == len(FILES)


async def test_an_old_commit_is_found_in_a_new_mirror(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """The first sync can be of a commit id, and an unknown id is a missing ref."""
    first = origin.tip()
    origin.commit({"a.yaml": "a: 1\n"})
    remote = Remote(server.url("shop.git"))

    assert (await port.sync(remote, Ref(RefKind.COMMIT, first), timeout_seconds=T)).id == first
    missing = port.sync(remote, Ref(RefKind.COMMIT, "1" * 40), timeout_seconds=T)
    assert await code_of(missing) == Code.GIT_REF_NOT_FOUND


async def test_a_missing_branch_names_similar_ones(port: GitPort, server: GitServer) -> None:
    """A misspelt branch is a StalledError whose hint has similar branches."""
    with pytest.raises(StalledError) as failure:
        await port.sync(Remote(server.url("shop.git")), Ref(RefKind.BRANCH, "mian"), timeout_seconds=T)

    (problem,) = failure.value.problems
    assert problem.code == Code.GIT_REF_NOT_FOUND
    assert "mian" in problem.message
    assert "main" in problem.hint


async def test_missing_things_have_their_own_codes(port: GitPort, server: GitServer, root: Path) -> None:
    """A missing repository, an empty one and a path that is not a folder have different codes."""
    Origin(root / "empty.git")
    remote = Remote(server.url("shop.git"))
    commit = await port.sync(remote, MAIN, timeout_seconds=T)

    def sync(name: str) -> object:
        return port.sync(Remote(server.url(name)), MAIN, timeout_seconds=T)

    assert await code_of(sync("nothing.git")) == Code.GIT_NOT_FOUND
    assert await code_of(sync("empty.git")) == Code.GIT_EMPTY_REPOSITORY
    for subpath in ("deploi", "deploy/api.yaml", "../deploy", "deploy/api.yaml/x"):
        assert (
            await code_of(files_of(port, remote, commit.id, subpath, timeout_seconds=T))
            == Code.GIT_PATH_NOT_FOUND
        )


async def test_links_are_followed_and_what_cannot_be_read_is_listed(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """A link is listed with the blob of its target, a submodule with the reason; others do not matter."""
    commit = origin.commit(
        {"real.yaml": "a: 1\n", "link.yaml": "real.yaml", "notes.txt": "x", "sub": "1" * 40,
         ".nopeaignore": "*.json\n", "gone": "../caf\xe9"},
        modes={"link.yaml": "120000", "gone": "120000", "sub": "160000"},
    )  # fmt: skip
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=T)

    listing = await port.listing(remote, commit, "", timeout_seconds=T)

    assert [file.path for file in listing.files] == [".nopeaignore", "link.yaml", "real.yaml"]
    assert listing.files[1].blob == listing.files[2].blob
    assert listing.skipped == (
        Skipped("gone", SkipReason.OUTSIDE, "../caf\xe9"),
        Skipped("sub", SkipReason.SUBMODULE),
    )


async def test_a_disk_that_takes_no_more_has_one_text(
    port: GitPort, server: GitServer, origin: Origin, settings: GitSettings
) -> None:
    """Each attempt writes a file with another name; the message names none, so that retries are one Event."""
    origin.commit({"big.yaml": "".join(hashlib.sha256(bytes([n])).hexdigest() for n in range(250))})
    remote = Remote(server.url("shop.git"))
    await port.ls_remote(remote, MAIN, timeout_seconds=T)  # now there are children
    for pid in port.pids():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (4000, 4000))

    texts = set()
    for _ in range(3):
        with pytest.raises(SyncError) as failure:
            await port.sync(remote, MAIN, timeout_seconds=T)
        texts.add(str(failure.value))

    (text,) = texts
    assert str(settings.cache_dir) not in text
    assert "_git2_" not in text


async def test_control_characters_of_a_commit_do_not_pass(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """A message with CRLF has no CR, and nothing in it controls a terminal."""
    origin.commit({"a.yaml": "a: 1\n"}, message="\x1b[31mFix\x07 it\r\n\r\nThe body.\r\n")

    commit = await port.sync(Remote(server.url("shop.git")), MAIN, timeout_seconds=T)

    assert commit.message == "[31mFix  it"


async def test_a_damaged_mirror_is_cloned_again(
    port: GitPort, server: GitServer, settings: GitSettings
) -> None:
    """Reading from a damaged or missing mirror repairs it within the same call."""
    remote = Remote(server.url("shop.git"))
    commit = await port.sync(remote, MAIN, timeout_seconds=T)
    (mirror,) = mirrors(settings)
    for pack in (mirror / "objects" / "pack").glob("*.pack"):
        pack.chmod(0o644)
        pack.write_bytes(b"garbage")

    assert len(await files_of(port, remote, commit.id, "", timeout_seconds=T)) == 4
    shutil.rmtree(mirror)
    assert len(await files_of(port, remote, commit.id, "", timeout_seconds=T)) == 4
    (mirror / "HEAD").write_text("nonsense")
    assert (await port.sync(remote, MAIN, timeout_seconds=T)).id == commit.id
    assert mirrors(settings) == [mirror]


@pytest.mark.parametrize(("before", "after"), [("x", "x/y"), ("x/y", "x")])
async def test_a_branch_whose_name_is_in_the_way_of_another_is_replaced(
    port: GitPort, server: GitServer, origin: Origin, before: str, after: str
) -> None:
    """The deleted branch is still a file or a folder in the mirror; that is repaired within the same call."""
    remote = Remote(server.url("shop.git"))
    origin.commit({"a.yaml": "a: 1\n"}, branch=before)
    await port.sync(remote, Ref(RefKind.BRANCH, before), timeout_seconds=T)
    origin.git("update-ref", "-d", f"refs/heads/{before}")
    for number in range(2):
        commit = origin.commit({"a.yaml": f"a: {number}\n"}, branch=after)

        assert (await port.sync(remote, Ref(RefKind.BRANCH, after), timeout_seconds=T)).id == commit


@pytest.mark.parametrize(
    ("victim", "content"),
    [("refs/heads/main", b""), ("refs/heads/main", b"\0" * 41), ("refs/heads/main.lock", b"")],
)
async def test_what_a_crash_left_of_a_ref_is_repaired(
    port: GitPort, server: GitServer, origin: Origin, settings: GitSettings, victim: str, content: bytes
) -> None:
    """A power cut leaves empty files, a kill leaves locks: neither is told as a fault of the server."""
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=T)
    (mirror,) = mirrors(settings)
    (mirror / victim).write_bytes(content)
    commit = origin.commit({"a.yaml": "a: 2\n"})

    assert (await port.sync(remote, MAIN, timeout_seconds=T)).id == commit


async def test_a_repair_follows_the_branch_when_history_was_rewritten(
    port: GitPort, server: GitServer, origin: Origin, settings: GitSettings
) -> None:
    """If the mirror is lost and the server no longer has its commit, the caller gets a missing ref."""
    remote = Remote(server.url("shop.git"))
    commit = await port.sync(remote, MAIN, timeout_seconds=T)
    origin.commit({"a.yaml": "a: 1\n"}, orphan=True)
    origin.git("reflog", "expire", "--expire=now", "--all")
    origin.git("gc", "--quiet", "--prune=now")
    shutil.rmtree(mirrors(settings)[0])

    gone = files_of(port, remote, commit.id, "", timeout_seconds=T)

    assert await code_of(gone) == Code.GIT_REF_NOT_FOUND
    fresh = await port.sync(remote, MAIN, timeout_seconds=T)
    assert [file.path for file in await files_of(port, remote, fresh.id, "", timeout_seconds=T)] == ["a.yaml"]


async def test_unused_mirrors_are_removed(
    port: GitPort, server: GitServer, root: Path, settings: GitSettings
) -> None:
    """Only the mirrors of remotes in use stay on disk."""
    Origin(root / "old.git").commit({"a.yaml": "a: 1\n"})
    kept, old = Remote(server.url("shop.git")), Remote(server.url("old.git"))
    for remote in (kept, old):
        await port.sync(remote, MAIN, timeout_seconds=T)

    assert await port.forget([kept]) == 1

    assert len(mirrors(settings)) == 1
    assert (
        len(
            await files_of(
                port, kept, (await port.sync(kept, MAIN, timeout_seconds=T)).id, "", timeout_seconds=T
            )
        )
        == 4
    )


async def test_a_local_folder_is_read_only_when_allowed(
    tmp_path: Path, port: GitPort, origin: Origin
) -> None:
    """A file URL works if it is allowed; otherwise, it is refused before a child gets it."""
    remote = Remote(f"file://{origin.path}")
    assert (await port.sync(remote, MAIN, timeout_seconds=T)).id == origin.tip()

    strict = GitPort(GitSettings(cache_dir=tmp_path / "strict"))
    for url in (remote.url, str(origin.path)):
        assert await code_of(strict.sync(Remote(url), MAIN, timeout_seconds=T)) == Code.SPEC_INVALID


async def test_every_operation_is_measured_with_its_result(server: GitServer, settings: GitSettings) -> None:
    """Each operation is measured with its name and its result."""
    seen: list[tuple[str, str]] = []
    port = GitPort(settings, measure=lambda what, ended, seconds: seen.append((what, ended)))  # noqa: ARG005
    async with running(port):
        await port.sync(Remote(server.url("shop.git")), MAIN, timeout_seconds=T)
        await code_of(
            port.sync(Remote(server.url("shop.git")), Ref(RefKind.BRANCH, "gone"), timeout_seconds=T)
        )

    assert seen == [("sync", "ok"), ("sync", "ref_missing")]
