"""Manifests are parsed in a child: what the parent receives, and the effect of hostile files."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.git.conftest import MAIN, PATIENCE, children, files_of
from tests.gitserver import GitServer, Origin

from nopea.core.git.source import Remote
from nopea.core.problem import Code
from nopea.git.port import GitPort
from nopea.git.settings import MIB, GitSettings

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\ndata:\n  text: {text}\n"


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """A small file limit, so that a test can create a file that is too big quickly."""
    return GitSettings(cache_dir=tmp_path / "cache", max_file_bytes=4 * MIB, allow_file_urls=True)


async def test_manifests_arrive_parsed(port: GitPort, server: GitServer, origin: Origin) -> None:
    """For each file, documents arrive as JSON with their position, and problems with their code."""
    commit = origin.commit(
        {
            "good.yaml": CONFIG.format(name="a", text="x") + "---\n" + CONFIG.format(name="b", text="z"),
            "bad.yaml": "a: [1\n",
        }
    )
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
    files = {
        file.path: file.blob for file in await files_of(port, remote, commit, "", timeout_seconds=PATIENCE)
    }

    parsed = await port.manifests(remote, list(files.values()), timeout_seconds=PATIENCE)

    good, bad = parsed[files["good.yaml"]], parsed[files["bad.yaml"]]
    assert [b'"name":"a"' in document.body for document in good.documents] == [True, False]
    assert [document.index for document in good.documents] == ["1", "2"]
    assert good.problems == ()
    assert [problem.code for problem in bad.problems] == [Code.YAML_SYNTAX]


async def test_large_content_is_split_into_several_answers(
    port: GitPort, server: GitServer, origin: Origin
) -> None:
    """Content that exceeds the size of one answer arrives complete, parsed and unparsed."""
    text = "t" * MIB
    commit = origin.commit({f"{n}.yaml": CONFIG.format(name=f"c{n}", text=text) for n in range(1000, 1020)})
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
    blobs = [file.blob for file in await files_of(port, remote, commit, "", timeout_seconds=PATIENCE)]

    contents = await port.read(remote, commit, blobs, timeout_seconds=PATIENCE)
    parsed = await port.manifests(remote, blobs, timeout_seconds=PATIENCE)

    assert list(contents) == blobs
    assert all(len(content) > MIB for content in contents.values())
    assert [len(parsed[blob].documents) for blob in blobs] == [1] * 20


async def test_hostile_files_do_not_affect_others(port: GitPort, server: GitServer, origin: Origin) -> None:
    """Deep nesting, alias bombs and big files are problems that affect neither other files nor the child."""
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{n}: &a{n} [{','.join(f'*a{n - 1}' for _ in range(9))}]\n" for n in range(1, 9)
    )
    commit = origin.commit({
        "nested.yaml": "[" * 30_000, "bomb.yaml": bomb, "big.yaml": "#" * (5 * MIB),
        "good.yaml": CONFIG.format(name="a", text="x"),
    })  # fmt: skip
    remote = Remote(server.url("shop.git"))
    await port.sync(remote, MAIN, timeout_seconds=PATIENCE)
    files = {
        file.path: file.blob for file in await files_of(port, remote, commit, "", timeout_seconds=PATIENCE)
    }

    parsed = await port.manifests(remote, list(files.values()), timeout_seconds=PATIENCE)

    assert [len(parsed[files[name]].documents) for name in sorted(files)] == [0, 0, 1, 0]
    assert all(parsed[blob].problems for name, blob in files.items() if name != "good.yaml")
    assert port.statistics().crashed == 0
    await children(port)
