"""A GitRepository can always be parsed; an invalid spec is a problem, not an exception."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.fakes.samples import raw_repository, repository

from nopea.core.api.repository import parse_repository, parse_spec, ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem

GOOD = {"url": "https://git.acme.example/x", "ref": {"branch": "main"}}
JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


URLS = st.text() | st.text().map("file://".__add__) | st.text().map("https://".__add__)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"url": None}, "url"),
        ({"url": 5}, "$.url"),
        ({"url": ""}, "$.url"),
        ({"ref": {"branch": "main", "tag": "v1"}}, "spec.ref: set only one"),
        ({"ref": {"tag": "v1", "commit": "a" * 40}}, "spec.ref: set only one"),
        ({"ref": {"branch": "main", "semver": "1.x", "commit": "a" * 40}}, "spec.ref: set only one"),
        ({"ref": "main"}, "$.ref"),
        ({"interval": "soon"}, "$.interval"),
        ({"interval": "9999999999999h"}, "9999999999999h"),
        ({"timeout": "5"}, "$.timeout"),
        ({"healGracePeriod": "9" * 31 + "h"}, "too long for a duration"),
        ({"ref": {"commit": "abc"}}, "$.ref.commit"),
        ({"healPolicy": "sometimes"}, "$.healPolicy"),
        ({"exclude": "*.yaml"}, "$.exclude"),
        ({"url": "file:///srv/git"}, "file URL"),
        ({"url": "file://[x"}, "file URL"),
    ],
    ids=str,
)
def test_an_invalid_spec_is_a_problem_that_names_the_field(change: dict[str, Any], says: str) -> None:
    """This includes specs that were stored before the schema rejected them."""
    spec = {key: value for key, value in {**GOOD, **change}.items() if value is not None}

    found = parse_spec(spec)

    assert isinstance(found, Problem)
    assert found.code is Code.SPEC_INVALID
    assert says in found.message


@settings(deadline=None, max_examples=40)
@given(
    st.fixed_dictionaries({"url": URLS}, optional={"ref": JSON, "interval": st.text(), "path": JSON}) | JSON
)
def test_no_spec_raises(raw_spec: Any) -> None:
    """An invalid object of one user must not stop the controller for all others."""
    assert isinstance(parse_spec(raw_spec), GitRepositorySpec | Problem)


def test_file_urls_are_accepted_if_allowed() -> None:
    """A file URL is valid only with the option that allows it."""
    assert isinstance(parse_spec({**GOOD, "url": "file:///srv/git"}, policy=AS_CALLER), GitRepositorySpec)


def test_the_problem_of_a_url_hides_its_credentials() -> None:
    """The problem is written to the status, so it must not contain the password of a URL."""
    found = parse_spec({**GOOD, "url": "file://bot:hunter22@h/x"})

    assert isinstance(found, Problem)
    assert "hunter22" not in str(found)


@pytest.mark.parametrize("kind", [kind for kind in RefKind if kind is not RefKind.HEAD])
def test_each_kind_of_ref_is_read(kind: RefKind) -> None:
    """A spec follows a branch, a tag, a semver range, any ref or a commit."""
    value = "refs/pull/1/head" if kind is RefKind.NAME else "a" * 40
    spec = parse_spec({"url": "https://h/x", "ref": {kind.value: value}})

    assert isinstance(spec, GitRepositorySpec)
    assert ref_of(spec) == Ref(kind, value)


@pytest.mark.parametrize(
    "name",
    ["main", "refs/", "refs/heads/a b", "refs/a:refs/b", "refs/tags/v1^{}", "refs/*", "refs/x\n", "HEAD"],
)
def test_a_name_that_is_not_the_full_name_of_a_ref_is_refused(name: str) -> None:
    """It would be a part of a refspec, or what Git makes of a ref."""
    assert isinstance(parse_spec({"url": "https://h/x", "ref": {"name": name}}), Problem)


@pytest.mark.parametrize("given", [{}, {"ref": {}}], ids=str)
def test_the_default_branch_is_followed_without_a_ref(given: dict[str, Any]) -> None:
    """An absent ref and an empty one mean the HEAD of the server."""
    spec = parse_spec({"url": "https://h/x", **given})

    assert isinstance(spec, GitRepositorySpec)
    assert ref_of(spec) == DEFAULT_BRANCH
    assert repository(ref=None).follows == "the default branch"


def test_a_commit_beside_a_branch_is_what_is_applied() -> None:
    """As in Flux, the branch only says where the commit comes from."""
    spec = parse_spec({"url": "https://h/x", "ref": {"branch": "main", "commit": "a" * 40}})

    assert isinstance(spec, GitRepositorySpec)
    assert ref_of(spec) == Ref(RefKind.COMMIT, "a" * 40)


def test_identity_is_read_despite_an_invalid_spec() -> None:
    """The worker needs key, uid and generation to report the problem."""
    found = repository(url=5, uid="u", generation=3, annotations={"nopea.io/sync-requested-at": "now"})

    assert (found.key, found.uid, found.generation) == (RepoKey("shop", "api"), "u", 3)
    assert found.sync_requested_at == "now"
    assert isinstance(found.spec, Problem)
    assert not found.suspended
    assert str(found.object_key) == "nopea.io/GitRepository shop/api"


def test_suspended_and_deleting_are_read() -> None:
    """Both are false by default."""
    assert repository(suspend=True).suspended
    assert repository(deleting=True).deleting
    assert not repository().suspended
    assert not repository().deleting


def test_an_unreadable_status_is_dropped() -> None:
    """A status that this version cannot parse counts as empty."""
    assert repository(status={"summary": "Suspended"}).status.summary == "Suspended"
    assert repository(status={"summary": 5, "resourceCount": -1}).status == GitRepositoryStatus()


def test_an_object_without_spec_status_and_annotations_is_read() -> None:
    """An older schema may have allowed such an object."""
    raw = raw_repository()
    del raw["spec"], raw["status"], raw["metadata"]["annotations"], raw["metadata"]["generation"]

    found = parse_repository(raw)

    assert isinstance(found.spec, Problem)
    assert (found.generation, found.sync_requested_at) == (0, "")


def test_a_long_request_is_truncated() -> None:
    """The value is truncated to the 256 characters of `lastHandledSyncAt`, so that it counts as handled."""
    found = repository(annotations={"nopea.io/sync-requested-at": "x" * 1000})

    assert found.sync_requested_at == "x" * 256
