"""Special cases of each provider's deliveries that the reference does not contain."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.core.webhooks.sent import (
    MAIN,
    NEW,
    OLD,
    OWN,
    TAG_OBJECT,
    WEB_URL,
    ZERO,
    Sent,
    azure,
    azure_push,
    changes,
    cloud,
    cloud_push,
    cloud_ref,
    commit,
    data_center,
    data_center_push,
    generic,
    generic_push,
    gitea,
    github,
    github_push,
    gitlab,
    gitlab_push,
    paths,
    refused,
)

from nopea.core.api.spec import Provider
from nopea.core.webhooks.delivery import PushedRefKind, RefChange
from nopea.core.webhooks.refused import RefusedError

BRANCH, TAG = PushedRefKind.BRANCH, PushedRefKind.TAG
ZERO_SHA256 = "0" * 64
NEW_SHA256 = "9f" * 32


@pytest.mark.parametrize(("provider", "sent"), list(OWN.values()), ids=list(OWN))
def test_every_provider_sends_a_push(provider: Provider, sent: Sent) -> None:
    """The result is the same for each provider: the commit of main, in a repository with a URL."""
    delivery = sent.receive()

    assert delivery.provider is provider
    assert changes(sent) == [RefChange(BRANCH, "main", NEW)]
    assert delivery.urls
    assert (delivery.ignored, delivery.bare) == ("", False)
    assert delivery.id == ("" if provider is Provider.GENERIC else sent.headers.get("webhook-id", "d-1"))


@pytest.mark.parametrize("sent", [github(github_push()), gitea(github_push())])
def test_all_urls_of_a_repository_are_extracted(sent: Sent) -> None:
    """A user may write any of them into the spec; missing URLs are omitted."""
    assert sent.receive().urls == (f"{WEB_URL}.git", "git@code.acme.example:acme/shop.git", WEB_URL)
    assert gitlab(gitlab_push()).receive().urls == (f"{WEB_URL}.git", WEB_URL)


@pytest.mark.parametrize("zero", [ZERO, ZERO_SHA256])
def test_zeros_mean_deleted_in_either_hash(zero: str) -> None:
    """A hash of zeros is a deletion, not a commit."""
    gone = [RefChange(BRANCH, "main", None, deleted=True)]
    gone_by_github = github_push(after=zero, deleted=True, head_commit=None, commits=[])

    assert changes(github(gone_by_github)) == gone
    assert changes(github({**gone_by_github, "deleted": False})) == gone
    assert changes(gitlab(gitlab_push(after=zero, checkout_sha=None, commits=[]))) == gone
    assert changes(gitea(github_push(after=zero, head_commit=None))) == gone
    assert changes(data_center(data_center_push({"ref": {"id": MAIN}, "toHash": zero}))) == gone
    assert changes(azure(azure_push(resource={"refUpdates": [{"name": MAIN, "newObjectId": zero}]}))) == gone
    assert changes(generic(generic_push(commit=zero))) == gone
    assert changes(cloud(cloud_push({"new": None, "old": cloud_ref()}))) == gone


def test_ids_may_be_sha256() -> None:
    """Repositories with SHA-256 have commit ids of 64 digits."""
    push = github_push(after=NEW_SHA256, head_commit={"id": NEW_SHA256})

    assert changes(github(push)) == [RefChange(BRANCH, "main", NEW_SHA256)]


@pytest.mark.parametrize(
    "sent",
    [
        github(github_push(ref="refs/tags/v1", after=TAG_OBJECT)),
        gitlab(
            gitlab_push(ref="refs/tags/v1", after=TAG_OBJECT, object_kind="tag_push"), event="Tag Push Hook"
        ),
        gitea(github_push(ref="refs/tags/v1", after=TAG_OBJECT)),
    ],
)
def test_an_annotated_tags_commit_is_not_the_tag_object(sent: Sent) -> None:
    """The commit is the one to which the tag points."""
    assert changes(sent) == [RefChange(TAG, "v1", NEW)]


@pytest.mark.parametrize(
    "sent",
    [
        github(github_push(ref="refs/tags/v1", after=TAG_OBJECT, head_commit=None)),
        gitlab(gitlab_push(ref="refs/tags/v1", after=TAG_OBJECT, checkout_sha=None)),
        gitea(github_push(ref="refs/tags/v1", after=TAG_OBJECT, head_commit=None)),
        gitea({"ref": "v1", "ref_type": "tag", "sha": TAG_OBJECT, "repository": {}}, event="create"),
    ],
)
def test_a_tag_without_its_commit_has_none(sent: Sent) -> None:
    """The id of the tag object is not used as the commit."""
    assert changes(sent) == [RefChange(TAG, "v1", None)]


@pytest.mark.parametrize("make", [github, gitea])
def test_creating_and_deleting_have_events_of_their_own(make: Any) -> None:
    """These events contain short names, which may contain slashes."""
    body = {"ref": "feature/a", "ref_type": "branch", "repository": {"html_url": WEB_URL}}

    assert changes(make(body, event="create")) == [RefChange(BRANCH, "feature/a", None)]
    assert changes(make({**body, "sha": NEW}, event="create")) == [RefChange(BRANCH, "feature/a", NEW)]
    assert changes(make(body, event="delete")) == [RefChange(BRANCH, "feature/a", None, deleted=True)]
    assert make({**body, "ref_type": "repository"}, event="create").receive().ignored
    assert make({**body, "ref_type": "planet"}, event="create").receive().ignored


@pytest.mark.parametrize(
    "sent",
    [
        github(b"[]", event="issues"),
        gitea(b"[]", event="issues"),
        gitlab(b"[]", event="Pipeline Hook"),
        gitlab({"event_name": "user_create"}, event="System Hook"),
        cloud(b"[]", event="pullrequest:created"),
        data_center(b"[]", event="pr:opened"),
        azure({"eventType": "git.pullrequest.created", "resource": 3}),
        azure({"eventType": "build.complete"}),
        github(github_push(ref="refs/notes/commits")),
        gitea(github_push(ref="refs/pull/3/head")),
        gitlab(gitlab_push(ref="refs/merge-requests/1/head")),
        data_center(data_center_push({"ref": {"id": "refs/notes/x"}, "toHash": NEW})),
        data_center({"repository": {}, "changes": []}),
        cloud(cloud_push({"new": cloud_ref("bookmark"), "old": None})),
        cloud(cloud_push({"new": None, "old": None})),
        azure(azure_push(resource={"refUpdates": []})),
        generic(generic_push(ref="refs/notes/x")),
    ],
)
def test_a_delivery_that_changes_no_branch_or_tag_is_ignored(sent: Sent) -> None:
    """It has a reason and is not an error, as providers disable webhooks that fail."""
    delivery = sent.receive()

    assert delivery.ignored
    assert (delivery.changes, delivery.bare) == ((), False)


@pytest.mark.parametrize("sent", [github(b"", event="ping"), data_center(b"[", event="diagnostics:ping")])
def test_a_ping_is_not_read(sent: Sent) -> None:
    """The body of a ping is not parsed."""
    assert sent.receive().ignored == "ping"


def test_a_delivery_may_contain_many_refs() -> None:
    """All of them are extracted, in order."""
    names = [f"b/{number}" for number in range(500)]
    expected = [RefChange(BRANCH, name, NEW) for name in names]
    updates = [{"name": f"refs/heads/{name}", "newObjectId": NEW} for name in names]
    moved = [{"ref": {"id": f"refs/heads/{name}"}, "toHash": NEW} for name in names]

    assert changes(azure(azure_push(resource={"refUpdates": updates}))) == expected
    assert changes(data_center(data_center_push(*moved))) == expected
    new = [{"new": cloud_ref(name=name), "old": None} for name in names]
    assert changes(cloud(cloud_push(*new))) == expected


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (github(github_push(commits=[commit("a"), commit("a", "b/c", removed=["d"])])), {"a", "b/c", "d"}),
        (gitlab(gitlab_push()), {"api/new.yaml", "web/app.yaml"}),
        (gitea(github_push()), {"web/app.yaml"}),
    ],
)
def test_a_complete_list_of_commits_has_the_files(sent: Sent, expected: set[str]) -> None:
    """The files are those added, removed and modified by all commits."""
    assert paths(sent) == frozenset(expected)


@pytest.mark.parametrize(
    "sent",
    [
        github(github_push(forced=True)),
        github(github_push(created=True)),
        github(github_push(before=ZERO)),
        github(github_push(commits=[])),
        github(github_push(commits=[commit("a")] * 2048)),
        github(github_push(commits=[commit("a"), commit()])),
        github(github_push(commits=[commit("a"), {"id": NEW}])),
        github(github_push(commits=[commit("a", added=None)])),
        github(github_push(commits=[commit(*(f"f{number}" for number in range(10_001)))])),
        gitlab(gitlab_push(total_commits_count=21)),
        gitlab(gitlab_push(total_commits_count=None)),
        gitlab(gitlab_push(commits=[], total_commits_count=0)),
        gitlab(gitlab_push(before=ZERO)),
        gitea(github_push(total_commits=2)),
        gitea(github_push(total_commits=None)),
        gitea(github_push(commits=None, total_commits=0)),
        gitea(github_push(before=ZERO)),
        cloud(cloud_push()),
        data_center(data_center_push()),
        azure(azure_push()),
        generic(generic_push()),
    ],
)
def test_files_are_unknown_if_the_list_may_be_incomplete(sent: Sent) -> None:
    """Forced and new refs, truncated or very long lists, and some providers give no usable list."""
    assert paths(sent) is None


@pytest.mark.parametrize("identity", ["", "x" * 257, "a b", "ü", "\udcff", "a\nb"])
def test_an_invalid_id_is_not_used(identity: str) -> None:
    """Truncated ids could be the same for two different deliveries."""
    assert github(github_push()).with_header("x-github-delivery", identity).receive().id == ""


def test_an_unknown_event_can_be_logged() -> None:
    """The name of the event is shortened and printable."""
    sent = github(b"{}").with_header("x-github-event", "a\n\udcff" + "ü" * 1000)

    assert sent.receive().event == "a" + "?" * 63


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"null", b"[]", b"3", b'"x"', b"\xff", b'{"ref":"\xff"}', b"{}{}",
        b'{"ref": NaN}', b"\xef\xbb\xbf{}",
        b"[" * 100_000, b'{"x":' * 100_000, b'{"ref":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
@pytest.mark.parametrize("make", [github, gitlab, gitea, cloud, data_center, azure, generic])
def test_an_invalid_body_is_refused(make: Any, body: bytes) -> None:
    """A body that is broken, has another shape or is nested too deeply is refused."""
    refused(make(body))


@pytest.mark.parametrize(
    "sent",
    [
        github(github_push(ref=3)),
        github(github_push(ref="main")),
        github(github_push(ref="")),
        github(github_push(ref="refs/heads/" + "x" * 2000)),
        github(github_push(ref="refs/heads/a b")),
        github(github_push(ref="refs/heads/a\n")),
        github(github_push(after="HEAD")),
        github(github_push(after=NEW + "\n")),
        github(github_push(after=NEW.upper())),
        github(github_push(before=None)),
        github(github_push(repository=None)),
        github(github_push(repository={"clone_url": 3})),
        github(github_push(forced="no")),
        github(github_push(commits={})),
        github(github_push(commits=[commit(3)])),  # type: ignore[arg-type]
        gitlab(gitlab_push(project=None)),
        gitlab(gitlab_push(checkout_sha="x")),
        gitlab(gitlab_push(total_commits_count=1e400)),
        cloud({"repository": {}, "push": {}}),
        cloud(cloud_push({"new": {"type": "branch"}, "old": None})),
        data_center(data_center_push({"ref": {"id": MAIN}})),
        azure(azure_push(resource=[])),
        azure(azure_push(id=3)),
        generic(generic_push(repository=["x"])),
        github(b"payload=%7B%7D").with_header("content-type", "application/x-www-form-urlencoded"),
        github(b"x=1").with_header("content-type", "application/x-www-form-urlencoded"),
    ],
)
def test_an_invalid_field_is_refused(sent: Sent) -> None:
    """A field with another type or format is not interpreted."""
    refused(sent)


def test_a_refusal_quotes_nothing_of_the_body() -> None:
    """The message names the field and does not contain its value."""
    with pytest.raises(RefusedError) as caught:
        github(github_push(after="hunter2", before=OLD)).receive()

    assert "hunter2" not in str(caught.value)
    assert "$.after" in str(caught.value)


def test_the_number_of_urls_is_limited() -> None:
    """Each URL is compared with every repository."""
    clone = [{"href": f"https://code.acme.example/{number}"} for number in range(1000)]

    body = {**data_center_push(), "repository": {"links": {"clone": clone}}}
    assert len(data_center(body).receive().urls) == 16
