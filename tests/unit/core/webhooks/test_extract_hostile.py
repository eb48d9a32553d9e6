"""Any request results in a delivery or in a refusal, and never in another exception."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.webhooks.sent import (
    MAIN,
    NEW,
    NOW,
    OWN,
    PULL_REQUESTS,
    SECRET,
    TOKEN,
    ZERO,
    Sent,
    hex_of,
)

from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.secret import Secret
from nopea.core.webhooks.extract import extract
from nopea.core.webhooks.match import concerns, concerns_pull_request, matches_url
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import authenticate

HEADERS = sorted({name for _, sent in OWN.values() for name in sent.headers} | {"x-forgejo-event"})
VALUES = sorted({value for _, sent in OWN.values() for value in sent.headers.values()})
EVENTS = (
    "push", "create", "delete", "ping", "Push Hook", "Tag Push Hook", "System Hook", "repo:push",
    "repo:refs_changed", "diagnostics:ping", "pull_request", "Merge Request Hook",
)  # fmt: skip
EVENT_HEADERS = ("x-github-event", "x-gitlab-event", "x-gitea-event", "x-forgejo-event", "x-event-key")
KEYS = (
    "ref", "before", "after", "created", "deleted", "forced", "commits", "head_commit", "repository", "id",
    "added", "removed", "modified", "ref_type", "sha", "object_kind", "event_name", "checkout_sha", "project",
    "total_commits_count", "total_commits", "push", "changes", "new", "old", "type", "name", "target", "hash",
    "links", "html", "href", "clone", "full_name", "toHash", "eventType", "resource", "refUpdates",
    "newObjectId", "remoteUrl", "html_url", "clone_url", "git_http_url", "commit", "action", "number",
    "pull_request", "head", "base", "repo", "object_attributes", "iid", "source_branch", "target_branch",
    "source_project_id", "target_project_id", "last_commit", "oldrev",
)  # fmt: skip
WORDS = (
    MAIN,
    NEW,
    ZERO,
    "refs/tags/v1.2.3",
    "branch",
    "tag",
    "push",
    "git.push",
    "opened",
    "open",
    "merge_request",
    "https://code.acme.example/a",
)

text = st.one_of(st.sampled_from(WORDS), st.text(max_size=20))
scalars = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), text)
json_values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.sampled_from(KEYS), st.text(max_size=5)), inner, max_size=6),
    ),
    max_leaves=30,
)
header_values = st.one_of(
    st.sampled_from((*VALUES, *EVENTS)),
    st.text(max_size=40),
    st.text(st.characters(categories=["Cs"]), max_size=3),
)
headers_of_all_sorts = st.dictionaries(st.sampled_from(HEADERS), header_values, max_size=8)
SPEC = GitRepositorySpec(url="https://code.acme.example/acme/shop.git", path="apps/web")


def survive(provider: Provider, headers: dict[str, str], body: bytes) -> None:
    """Extract the delivery and match it with a repository."""
    try:
        delivery = extract(provider, headers, body)
    except RefusedError:
        return
    is_about = delivery.changes or delivery.bare or delivery.pull_request
    assert bool(delivery.ignored) == (not is_about)
    for change in delivery.changes:
        assert not (change.deleted and change.commit)
        assert change.commit is None or change.commit.strip("0")
    concerns(SPEC, delivery)
    concerns_pull_request(SPEC, delivery)
    matches_url(SPEC.url, delivery)


def in_every_event(event: str) -> dict[str, str]:
    """Return the event headers of all providers."""
    return dict.fromkeys(EVENT_HEADERS, event)


@given(st.sampled_from(Provider), st.sampled_from(EVENTS), json_values)
def test_any_json_is_a_delivery_or_refused(provider: Provider, event: str, value: Any) -> None:
    """This holds for every provider and event."""
    survive(provider, in_every_event(event), json.dumps(value).encode())


@given(st.sampled_from([*OWN.values(), *PULL_REQUESTS.values()]), st.data())
def test_any_field_of_a_genuine_body_may_be_anything(own: tuple[Provider, Sent], data: st.DataObject) -> None:
    """One value at any depth is replaced by another one."""
    provider, sent = own
    body = json.loads(sent.body)
    place: Any = body
    while True:
        key = data.draw(st.sampled_from(sorted(place) if isinstance(place, dict) else range(len(place))))
        inner = place[key]
        if not isinstance(inner, dict | list) or not inner or data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(json_values)

    survive(provider, dict(sent.headers), json.dumps(body).encode())


@given(st.sampled_from(Provider), headers_of_all_sorts, st.binary(max_size=200))
def test_any_bytes_and_headers_are_a_delivery_or_refused(
    provider: Provider, headers: dict[str, str], body: bytes
) -> None:
    """This includes forms."""
    survive(provider, headers, body)


@given(
    headers_of_all_sorts,
    st.sampled_from([sent.body for _, sent in OWN.values()]) | st.binary(max_size=50),
    st.sampled_from([SECRET, TOKEN, "", "whsec_x"]),
    st.none() | st.sampled_from(Provider),
)
def test_any_request_is_authenticated_or_refused(
    headers: dict[str, str], body: bytes, secret: str, provider: Provider | None
) -> None:
    """An authenticated request contains the secret or a signature, or is a ping."""
    try:
        sender = authenticate(headers, body, Secret(secret), provider=provider, now=NOW)
    except RefusedError:
        return
    assert provider in (None, sender)
    if sender is Provider.BITBUCKET_DATA_CENTER and headers.get("x-event-key") == "diagnostics:ping":
        assert extract(sender, headers, body).ignored == "ping"
        return
    assert set(headers.values()) & set(VALUES)


@given(st.binary(max_size=100), st.sampled_from(["sha256", "sha512"]))
def test_a_signed_body_is_authenticated(body: bytes, algorithm: str) -> None:
    """Any body with a correct signature is authenticated."""
    headers = {"x-signature": f"{algorithm}={hex_of(body, algorithm=algorithm)}"}

    assert authenticate(headers, body, Secret(SECRET), provider=None, now=NOW) is Provider.GENERIC
