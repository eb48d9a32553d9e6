"""The purl of a commit: valid for every URL, unique for a repository, without credentials."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.cdevents import is_purl

from nopea.core.cdevents.purl import MAX_PURL, artifact_id

SHA = "9fceb02d0ae598e95dc970b74767f19372d61af8"


@pytest.mark.parametrize(
    ("url", "purl"),
    [
        ("https://github.com/Acme/Shop-Deploy.git", "pkg:github/acme/shop-deploy"),
        ("git@github.com:Acme/Shop-Deploy.git", "pkg:github/acme/shop-deploy"),
        ("ssh://git@ssh.github.com:443/Acme/Shop-Deploy.git", "pkg:github/acme/shop-deploy"),
        ("https://bitbucket.org/Acme/Shop", "pkg:bitbucket/acme/shop"),
        ("https://github.com/acme", "pkg:git/github.com/acme"),
        ("https://Git.Acme.example/Shop/api.git", "pkg:git/git.acme.example/Shop/api"),
        ("https://git.acme.example:443/shop/api/", "pkg:git/git.acme.example/shop/api"),
        ("ssh://git@git.acme.example:22/shop/api", "pkg:git/git.acme.example/shop/api"),
        ("git@git.acme.example:shop/api.git", "pkg:git/git.acme.example/shop/api"),
        ("https://git.acme.example:8443/shop/api", "pkg:git/git.acme.example:8443/shop/api"),
        ("https://gitlab.com/a/b/c/d/e.git", "pkg:git/gitlab.com/a/b/c/d/e"),
        (
            "https://dev.azure.com/acme/My%20Project/_git/api",
            "pkg:git/dev.azure.com/acme/My%20Project/_git/api",
        ),
        ("ssh://[fd00::1]:2222/api.git", "pkg:git/%5Bfd00::1%5D:2222/api"),
        ("https://git.acme.example/a//b/./c/../d", "pkg:git/git.acme.example/a/b/d"),
        ("https://git.acme.example/../../etc", "pkg:git/git.acme.example/etc"),
        ("https://git.acme.example/größe", "pkg:git/git.acme.example/gr%C3%B6%C3%9Fe"),
        ("https://git.acme.example/", "pkg:generic/git.acme.example"),
        ("https://git.acme.example/.git", "pkg:git/git.acme.example/.git"),
    ],
)
def test_urls_with_a_host(url: str, purl: str) -> None:
    """GitHub and Bitbucket have their own types; for other hosts the host is the namespace."""
    assert artifact_id(url, SHA) == f"{purl}@{SHA}"
    assert is_purl(artifact_id(url, SHA))


@pytest.mark.parametrize(
    "url", ["file:///srv/git/api.git", "file://localhost/srv/git/api.git", "/srv/git/api"]
)
def test_urls_without_a_host(url: str) -> None:
    """A local path gives a generic purl with the path as a qualifier."""
    purl = artifact_id(url, SHA)

    assert purl == f"pkg:generic/api@{SHA}?vcs_url=git%2Bfile:%2F%2F%2Fsrv%2Fgit%2Fapi%40{SHA}"
    assert is_purl(purl)


@pytest.mark.parametrize(
    ("subpath", "end"),
    [
        ("", ""),
        ("deploy", "#deploy"),
        ("/deploy//prod/", "#deploy/prod"),
        ("./a/../b b", "#b%20b"),
        ("..", ""),
    ],
)
def test_a_folder_of_a_monorepo(subpath: str, end: str) -> None:
    """The folder is the subpath, without `.` and `..`."""
    assert artifact_id("https://github.com/acme/shop", SHA, subpath) == f"pkg:github/acme/shop@{SHA}{end}"


@pytest.mark.parametrize(
    "url",
    [
        "https://user:hunter2@github.com/acme/shop.git",
        "https://hunter2@git.acme.example:8443/shop",
        "https://git.acme.example/shop?token=hunter2",
        "https://git.acme.example/shop#hunter2",
        "ssh://user:hunter2@git.acme.example/shop",
        "user:hunter2@git.acme.example/shop",
        "a@hunter2@git.acme.example:shop",
        "file://user:hunter2@host/srv/shop",
        "https://user:hunter2@[bad/shop",
    ],
)
def test_no_credentials(url: str) -> None:
    """User, password, query and fragment are omitted, even from a malformed URL."""
    purl = artifact_id(url, SHA)

    assert "hunter2" not in purl
    assert is_purl(purl)


@pytest.mark.parametrize("url", ["A://.", "A://./x", "a@.:x", "https://..:80", "https://h/\ud800", ".", ".."])
def test_a_host_of_dots_and_half_a_character_are_not_written(url: str) -> None:
    """The purl stays valid."""
    assert is_purl(artifact_id(url, SHA))


@given(
    url=st.one_of(
        st.text(),
        st.builds("https://git.acme.example/{}".format, st.text()),
        st.builds("https://{}".format, st.text()),
        st.builds("git@{}:{}".format, st.text(), st.text()),
        st.builds("file://{}".format, st.text()),
    ),
    commit=st.text(min_size=1, max_size=64),
    subpath=st.text(),
)
def test_any_text_gives_a_valid_purl(url: str, commit: str, subpath: str) -> None:
    """The purl is valid and bounded for any URL, commit and folder."""
    purl = artifact_id(url, commit, subpath)

    assert is_purl(purl), purl
    assert len(purl) <= MAX_PURL


@pytest.mark.parametrize("url", ["https://git.acme.example/" + "ü/" * 4000, "/" + "ü/" * 4000])
def test_very_long_urls_keep_name_and_commit(url: str) -> None:
    """A purl that is too long is reduced to the name and the commit."""
    assert artifact_id(url, SHA) == f"pkg:generic/%C3%BC@{SHA}"
