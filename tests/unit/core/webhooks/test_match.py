"""Which repositories a delivery concerns: by URL, branch, tag, version range and folder."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from nopea.core.api.spec import GitReference, GitRepositorySpec, Provider
from nopea.core.webhooks.delivery import Delivery, PullRequest, PushedRefKind, RefChange
from nopea.core.webhooks.match import concerns, concerns_pull_request, matches_url, normalise_url

COMMIT = "9f" * 20
URL = "https://git.acme.example/acme/shop.git"


def delivery(*changes: RefChange, urls: tuple[str, ...] = (URL,), **facts: Any) -> Delivery:
    """Return a delivery with these changes."""
    return Delivery(Provider.GITHUB, "push", "d-1", urls, changes, **facts)


def spec(**fields: Any) -> GitRepositorySpec:
    """Return a spec that follows main unless another ref is given."""
    ref = {name: fields.pop(name) for name in ("branch", "tag", "semver", "commit") if name in fields}
    return GitRepositorySpec(url=URL, ref=GitReference(**(ref or {"branch": "main"})), **fields)


def branch(name: str = "main", *paths: str) -> RefChange:
    """Return a change of a branch."""
    return RefChange(PushedRefKind.BRANCH, name, COMMIT, paths=frozenset(paths) or None)


def tag(name: str) -> RefChange:
    """Return a change of a tag."""
    return RefChange(PushedRefKind.TAG, name, COMMIT)


@pytest.mark.parametrize(
    "url",
    [
        "https://git.acme.example/acme/shop",
        "https://git.acme.example/acme/shop.git",
        "https://git.acme.example/acme/shop.git/",
        "https://git.acme.example:8443/acme/shop//",
        "http://GIT.Acme.Example/acme/shop",
        "https://user:password@git.acme.example/acme/shop.git",
        "ssh://git@git.acme.example:2222/acme/shop.git",
        "ssh://git.acme.example/acme/shop",
        "git://git.acme.example/acme/shop.git",
        "git@git.acme.example:acme/shop.git",
        "git@git.acme.example:/acme/shop.git",
        "git.acme.example/acme/shop",
        " https://git.acme.example/acme/shop.git?x=1#y ",
    ],
)
def test_all_urls_of_a_repository_are_equal(url: str) -> None:
    """Scheme, user, port, case of the host and suffixes do not matter."""
    assert normalise_url(url) == "git.acme.example/acme/shop"
    assert matches_url(url, delivery(urls=("https://elsewhere.example/x", URL)))


@pytest.mark.parametrize(
    "url",
    [
        "https://git.acme.example/acme/shop2.git",
        "https://git.acme.example/acme/shop.github",
        "https://git.acme.example/shop.git",
        "https://git.acme.example/x/acme/shop.git",
        "https://git.acme.example.evil.example/acme/shop.git",
        "https://evil.example/git.acme.example/acme/shop",
        "https://git.acme.example@evil.example/acme/shop",
        "https://git.acme.example",
        "",
    ],
)
def test_urls_of_other_repositories_differ(url: str) -> None:
    """Similar URLs do not match."""
    assert not matches_url(url, delivery())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("ssh://git@[fd00::1]:22/acme/shop.git", "[fd00::1]/acme/shop"),
        ("git@[fd00::1]:acme/shop.git", "[fd00::1]/acme/shop"),
        ("git@ssh.dev.azure.com:v3/acme/Shop/web", "dev.azure.com/acme/Shop/_git/web"),
        ("https://dev.azure.com/Web/Web/_git/Web", "dev.azure.com/_git/Web"),
        ("https://vs-ssh.visualstudio.com/Shop/_git/web", "vs-ssh.visualstudio.com/Shop/_git/web"),
        ("file:///srv/git/Shop.git", "/srv/git/Shop"),
        ("https://bitbucket.acme.example/scm/acme/shop.git", "bitbucket.acme.example/acme/shop"),
        ("https://git.acme.example/a/b:c@d", "git.acme.example/a/b:c@d"),
    ],
)
def test_unusual_urls_are_normalized(url: str, expected: str) -> None:
    """This covers IPv6 addresses, local files, and colons and at signs in a path."""
    assert normalise_url(url) == expected


@pytest.mark.parametrize(
    ("ssh", "sent"),
    [
        ("ssh://git@ssh.github.com:443/acme/shop.git", "https://github.com/acme/shop.git"),
        ("ssh://git@altssh.gitlab.com:443/acme/team/shop.git", "https://gitlab.com/acme/team/shop"),
        ("ssh://git@altssh.bitbucket.org:443/acme/shop.git", "https://bitbucket.org/acme/shop"),
        ("git@SSH.GitHub.com:acme/shop.git", "git@github.com:acme/shop.git"),
    ],
)
def test_ssh_through_port_443_has_a_host_of_its_own(ssh: str, sent: str) -> None:
    """The delivery has the usual host; a similar host is another one."""
    assert matches_url(ssh, delivery(urls=(sent,)))
    assert not matches_url(
        ssh.replace(".com", ".com.evil.example"), delivery(urls=("https://x.example/a/b",))
    )
    assert not matches_url(ssh.replace("shop", "shop2"), delivery(urls=(sent,)))


@example("ssh.dev.azure.com", ["v3", "scm", "v3", "v3"])
@example("ssh.dev.azure.com", ["scm", " ", "v3"])
@example("git.acme.example", ["scm", " ", "v3"])
@given(
    st.sampled_from(
        [
            "ssh.dev.azure.com",
            "vs-ssh.visualstudio.com",
            "acme.visualstudio.com",
            "dev.azure.com",
            "git.acme.example",
            "ssh.github.com",
        ]
    ),
    st.lists(st.sampled_from(["v3", "acme", "Web", "_git", "DefaultCollection", "scm", " ", ""]), max_size=7),
)
def test_any_url_of_a_provider_has_one_normal_form(host: str, parts: list[str]) -> None:
    """The forms of one provider do not lead from one to the next."""
    once = normalise_url(f"https://{host}/{'/'.join(parts)}")

    assert normalise_url(once) == once


def test_the_case_of_a_path_does_not_matter() -> None:
    """No provider has two repositories whose names differ only in case."""
    assert matches_url("https://git.acme.example/ACME/Shop", delivery())


@pytest.mark.parametrize("end", [":1" * 1000 + "x", ":" * 2000 + "x", " " * 2000 + "x", ".git/" * 400])
def test_no_url_takes_long(end: str) -> None:
    """A signed delivery with very long URLs does not delay others."""
    began = time.process_time()
    for number in range(100):
        normalise_url(f"https://host{number}{end}")

    assert time.process_time() - began < 0.5


def test_a_delivery_without_urls_matches_no_url() -> None:
    """It needs the repository's own endpoint."""
    assert not matches_url(URL, delivery(urls=()))


@given(st.text())
def test_any_text_has_one_normal_form(url: str) -> None:
    """Any text can be normalized, and normalization is idempotent."""
    once = normalise_url(url)

    assert normalise_url(once) == once


@given(
    host=st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}\.example", fullmatch=True),
    path=st.from_regex(r"[a-zA-Z0-9_-]{1,8}(/[a-zA-Z0-9_.-]{1,8}[a-zA-Z0-9_-]){1,3}", fullmatch=True),
    port=st.integers(1, 65535),
)
def test_every_spelling_of_a_url_is_the_same(host: str, path: str, port: int) -> None:
    """HTTPS, SSH with a port and scp-like URLs are equal."""
    spellings = {
        f"https://{host}/{path}", f"ssh://git@{host.upper()}:{port}/{path}.git", f"git@{host}:{path}.git",
        f"https://{host.lower()}:{port}/{path}/",
    }  # fmt: skip

    assert {normalise_url(url) for url in spellings} == {f"{host.lower()}/{path}"}


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({}, branch()),
        ({"branch": "feature/a/b"}, branch("feature/a/b")),
        ({"tag": "v1.4.2"}, tag("v1.4.2")),
        ({"semver": ">=1.2 <2"}, tag("v1.4.2")),
        ({"semver": "1.x"}, tag("1.0.0")),
    ],
)
def test_a_change_of_the_followed_ref_concerns(fields: dict[str, Any], change: RefChange) -> None:
    """A branch, a tag or a version in the range may be any of several changes."""
    assert concerns(spec(**fields), delivery(change))
    assert concerns(spec(**fields), delivery(branch("x"), tag("y"), change))


@pytest.mark.parametrize(
    ("fields", "change"),
    [
        ({}, branch("main2")),
        ({}, branch("Main")),
        ({}, tag("main")),
        ({"branch": "b"}, branch("feature/b")),
        ({"tag": "v1"}, branch("v1")),
        ({"tag": "v1"}, tag("v1.0")),
        ({"semver": "1.x"}, tag("v2.0.0")),
        ({"semver": "1.x"}, tag("v1.5.0-rc.1")),
        ({"semver": "1.x"}, tag("latest")),
        ({"semver": "1.x"}, tag("9" * 5000)),
        ({"semver": "1.x"}, branch("v1.0.0")),
        ({"semver": "no range"}, tag("v1.0.0")),
        ({"commit": COMMIT}, branch()),
        ({"branch": "main", "commit": COMMIT}, branch()),
        ({"commit": COMMIT}, tag(COMMIT)),
    ],
)
def test_other_refs_do_not_concern(fields: dict[str, Any], change: RefChange) -> None:
    """A repository with a fixed commit is concerned by no change."""
    assert not concerns(spec(**fields), delivery(change))


@pytest.mark.parametrize("ref", [None, GitReference()])
def test_the_default_branch_is_the_one_that_the_delivery_names(ref: GitReference | None) -> None:
    """Of a repository without a ref, a push to another branch or of a tag is ignored."""
    follower = GitRepositorySpec(url=URL, ref=ref)

    assert concerns(follower, delivery(branch("main"), default_branch="main"))
    assert not concerns(follower, delivery(branch("next"), default_branch="main"))
    assert not concerns(follower, delivery(tag("main"), default_branch="main"))


def test_any_branch_may_be_the_default_branch() -> None:
    """If the provider does not say which branch it is, Git is asked after every push of a branch."""
    follower = GitRepositorySpec(url=URL)

    assert concerns(follower, delivery(branch("main")))
    assert concerns(follower, delivery(branch("next")))
    assert not concerns(follower, delivery(tag("v1")))
    assert not concerns(follower, delivery(RefChange(PushedRefKind.BRANCH, "main", None, deleted=True)))


def test_a_push_concerns_who_follows_it_by_its_full_name() -> None:
    """Providers do not tell of other refs, but they often move with a branch."""
    by_name = GitRepositorySpec(url=URL, ref=GitReference(name="refs/heads/main"))
    pull = GitRepositorySpec(url=URL, ref=GitReference(name="refs/pull/1/head"))

    assert [
        concerns(by_name, delivery(change)) for change in (branch("main"), branch("next"), tag("main"))
    ] == [
        True,
        False,
        False,
    ]
    assert concerns(pull, delivery(branch("next")))


def test_a_spec_with_two_refs_is_never_concerned() -> None:
    """An older schema may have stored it; a webhook cannot change that it is invalid."""
    assert not concerns(spec(branch="main", tag="v1"), delivery(branch()))


def test_a_deleted_ref_concerns_no_repository() -> None:
    """There is nothing to apply; the next poll reports the missing branch."""
    gone = RefChange(PushedRefKind.BRANCH, "main", None, deleted=True)

    assert not concerns(spec(), delivery(gone))
    assert concerns(spec(), delivery(gone, branch()))


def test_a_push_of_very_many_refs_concerns_all_repositories() -> None:
    """Comparing each ref with thousands of repositories would take too long."""
    tags = [tag(f"v1.{number}.0") for number in range(10_000)]
    began = time.process_time()

    assert all(concerns(spec(semver=f">={number}"), delivery(*tags)) for number in range(100))
    assert time.process_time() - began < 1
    assert not concerns(spec(semver=">=2"), delivery(*tags[:100]))


def test_an_ignored_delivery_concerns_none_and_a_bare_one_all() -> None:
    """A bare delivery does not say what changed, so Git is asked."""
    assert not concerns(spec(), delivery(branch(), ignored="ping"))
    for fields in ({}, {"tag": "v1"}, {"path": "apps/web"}):
        assert concerns(spec(**fields), delivery(bare=True))


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("", "README.md"),
        (".", "README.md"),
        ("apps/web", "apps/web/deployment.yaml"),
        ("apps/web", "apps/web/deep/er/x.yaml"),
        ("apps/web/", "apps/web/x.yaml"),
        ("./apps//web", "apps/web/x.yaml"),
        ("apps/web", "apps/web"),
        ("apps/web", "apps"),
        ("apps", "apps/.nopeaignore"),
    ],
)
def test_a_push_into_the_folder_concerns(path: str, changed: str) -> None:
    """The change may be at any depth, or of the folder itself, as a link or submodule."""
    assert concerns(spec(path=path), delivery(branch("main", "docs/x.md", changed)))


@pytest.mark.parametrize(
    ("path", "changed"),
    [
        ("apps/web", "apps/api/deployment.yaml"),
        ("apps/web", "apps/web2/x.yaml"),
        ("apps/web", "apps/README.md"),
        ("apps/web", "web/x.yaml"),
        ("apps/web", "Apps/Web/x.yaml"),
        ("web", "apps/web/x.yaml"),
    ],
)
def test_a_push_to_another_folder_does_not_concern(path: str, changed: str) -> None:
    """Only repositories whose folder changed are triggered."""
    assert not concerns(spec(path=path), delivery(branch("main", changed)))


def test_with_links_every_file_may_matter() -> None:
    """The ref still has to be the one that is followed."""
    assert concerns(spec(path="apps/web"), delivery(branch("main", "base/x.yaml")), has_links=True)
    assert not concerns(spec(path="apps/web"), delivery(branch("next", "base/x.yaml")), has_links=True)


@given(
    st.lists(st.sampled_from(["a", "b", "a-b", "a.b", "a/b", "ü"]), min_size=1, max_size=3),
    st.sets(
        st.lists(st.sampled_from(["a", "b", "c", "a-b", "a.b", "ü"]), min_size=1, max_size=4).map("/".join)
    ),
)
def test_changes_below_and_above_a_folder_concern_it(parts: list[str], changed: set[str]) -> None:
    """The fast search gives the same result as comparing with every file."""
    folder = "/".join(parts)
    expected = not changed or any(
        f"{name}/".startswith(f"{folder}/") or folder.startswith(f"{name}/") for name in changed
    )

    assert concerns(spec(path=folder), delivery(branch("main", *changed))) == expected


def test_a_push_whose_files_are_unknown_concerns_every_folder() -> None:
    """Otherwise the repository would have to wait for the next poll."""
    assert concerns(spec(path="apps/web"), delivery(branch()))


@pytest.mark.parametrize(
    ("ref", "base", "wanted"),
    [
        ({"branch": "main"}, "main", True),
        ({"branch": "main"}, "next", False),
        ({"name": "refs/heads/main"}, "main", True),
        ({"name": "refs/heads/next"}, "main", False),
        ({"name": "refs/pull/7/head"}, "main", False),
        ({"tag": "main"}, "main", False),
        ({"semver": ">=1"}, "v1.0.0", False),
        ({"commit": COMMIT}, "main", False),
        ({"commit": COMMIT, "branch": "main"}, "main", False),
        (None, "main", True),
        (None, "next", False),
    ],
)
def test_a_pull_request_concerns_who_follows_its_base(
    ref: dict[str, str] | None, base: str, *, wanted: bool
) -> None:
    """A merge into any other branch is synced by nobody; without a ref, the default branch is followed."""
    followed = GitRepositorySpec(url=URL, ref=GitReference(**ref) if ref else None)
    sent = delivery(pull_request=PullRequest(7, "more", base, COMMIT), default_branch="main")

    assert concerns_pull_request(followed, sent) is wanted


def test_a_push_concerns_no_pull_request() -> None:
    """Nor is a pull request a push."""
    request = delivery(pull_request=PullRequest(7, "more", "main", COMMIT))

    assert not concerns_pull_request(spec(), delivery(branch()))
    assert not concerns(spec(), request)
