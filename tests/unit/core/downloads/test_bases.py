"""A remote reference means what Kustomize takes it for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.downloads.bases import FileBase, GitBase, parse_base
from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind

GITHUB = "https://github.com/acme/platform.git"
V1 = (Ref(RefKind.TAG, "v1"), Ref(RefKind.BRANCH, "v1"))
HEAD = (DEFAULT_BRANCH,)
COMMIT = "c0ffee" + "0" * 34


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("github.com/acme/platform//base?ref=v1", GitBase(GITHUB, "base", V1)),
        ("github.com/acme/platform/base/web?ref=v1", GitBase(GITHUB, "base/web", V1)),
        ("github.com/acme/platform", GitBase(GITHUB, "", HEAD)),
        ("github.com/acme/platform.git//base?version=v1", GitBase(GITHUB, "base", V1)),
        ("https://github.com/acme/platform//base?timeout=90s&ref=v1", GitBase(GITHUB, "base", V1)),
        (
            f"https://github.com/acme/platform?ref={COMMIT}",
            GitBase(GITHUB, "", (Ref(RefKind.COMMIT, COMMIT),)),
        ),
        ("git::https://github.com/acme/platform//base", GitBase(GITHUB, "base", HEAD)),
        (
            "https://git.example/acme/platform.git/base?ref=refs/heads/main",
            GitBase("https://git.example/acme/platform.git", "base", (Ref(RefKind.NAME, "refs/heads/main"),)),
        ),
        (
            "https://git.example/acme/platform.git//base/",
            GitBase("https://git.example/acme/platform.git", "base", HEAD),
        ),
        ("https://git.example/a/b//c", GitBase("https://git.example/a/b", "c", HEAD)),
        ("https://git.example/a/b", GitBase("https://git.example/a/b", "", HEAD)),
        (
            "ssh://git@git.example:2222/acme/platform.git//base?ref=v1",
            GitBase("ssh://git@git.example:2222/acme/platform.git", "base", V1),
        ),
        (
            "git@git.example:acme/platform.git//base",
            GitBase("git@git.example:acme/platform.git", "base", HEAD),
        ),
        (
            "https://dev.azure.example/acme/shop/_git/platform/base?ref=v1",
            GitBase("https://dev.azure.example/acme/shop/_git/platform", "base", V1),
        ),
        ("git::https://git.example/x.yaml", GitBase("https://git.example/x.yaml", "", HEAD)),
        ("https://files.example/v1/install.yaml", FileBase("https://files.example/v1/install.yaml")),
        ("https://files.example/all.yml?x=1", FileBase("https://files.example/all.yml?x=1")),
    ],
)
def test_what_is_meant(text: str, meant: GitBase | FileBase) -> None:
    """As in Kustomize's documentation of remote builds."""
    assert parse_base(text) == meant


@pytest.mark.parametrize(
    "text",
    [
        *("", "base", "../base", "ftp://git.example/a", "github.com/acme", "github.com/a/b//../../c"),
        *("file:///home/me/private//.", "file://localhost/home/me/private//."),
        *("https://robot:pw@git.example/a//b", "https://robot:pw@files.example/install.yaml"),
    ],
)
def test_what_is_no_base(text: str) -> None:
    """Something else is refused by name."""
    assert parse_base(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read(text: str) -> None:
    """And its path never leaves the repository."""
    for start in ("", "https://", "github.com/a/b//", "git@git.example:"):
        base = parse_base(start + text)
        if isinstance(base, GitBase):
            assert ".." not in base.path.split("/")
            assert not base.path.startswith("/")
