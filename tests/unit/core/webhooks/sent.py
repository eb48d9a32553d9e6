"""Deliveries as providers send them: reference deliveries, if present, and own ones for each provider.

The own deliveries are signed here, so that every provider is always tested.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from nopea.core.api.spec import Provider
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.webhooks.delivery import Delivery, RefChange
from nopea.core.webhooks.extract import extract
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import authenticate

_BESIDE = Path(__file__).parents[5] / "shared" / "reference"
REFERENCE = Path(os.environ.get("NOPEA_REFERENCE", _BESIDE)) / "webhooks"
NOW = datetime(2026, 5, 4, 9, 15, 30, tzinfo=UTC)
SECRET = "nopea-test-secret"
TOKEN = "whsec_" + base64.b64encode(bytes(range(32))).decode()
OLD, NEW, TAG_OBJECT, ZERO = "c5" * 20, "9f" * 20, "7c" * 20, "0" * 40
MAIN = "refs/heads/main"
WEB_URL = "https://code.acme.example/acme/shop"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """A request: lower-case header names, the raw body, and the receiver's secret and time."""

    headers: Mapping[str, str]
    body: bytes
    secret: str = SECRET
    now: datetime = NOW
    expect: Mapping[str, Any] = field(default_factory=dict)

    def receive(self, provider: Provider | None = None) -> Delivery:
        """Verify and extract the delivery, as the endpoint does."""
        sender = authenticate(self.headers, self.body, Secret(self.secret), provider=provider, now=self.now)
        return extract(sender, self.headers, self.body)

    def with_header(self, name: str, value: str | None) -> Sent:
        """Return the request with another value of a header, or without the header."""
        rest = {key: text for key, text in self.headers.items() if key != name}
        return replace(self, headers=rest if value is None else {**rest, name: value})


def reference() -> dict[str, Sent]:
    """Return the reference deliveries by file name; none if the reference is missing."""
    if not (REFERENCE / "index.json").is_file():
        return {}
    index = json.loads((REFERENCE / "index.json").read_bytes())
    return {
        raw["file"]: Sent(
            headers={name.lower(): value for name, value in raw["headers"].items()},
            body=(REFERENCE / raw["file"]).read_bytes(),
            secret=raw["expect"].get("signing_token", index["secret"]),
            now=datetime.fromtimestamp(int(raw["headers"].get("webhook-timestamp", 0)), UTC),
            expect=raw["expect"],
        )
        for raw in index["deliveries"]
    }


def hex_of(body: bytes, *, secret: str = SECRET, algorithm: str = "sha256") -> str:
    """Return the HMAC as a provider computes it."""
    return hmac.new(secret.encode(), body, getattr(hashlib, algorithm)).hexdigest()


def standard_headers(
    body: bytes, *, key: bytes = bytes(range(32)), at: datetime = NOW, delivery_id: str = "msg_1"
) -> dict[str, str]:
    """Return the three headers of Standard Webhooks."""
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(key, f"{delivery_id}.{timestamp}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": delivery_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": "v1," + base64.b64encode(digest).decode(),
    }


def basic(password: str = SECRET, *, user: str = "nopea") -> str:
    """Return the value of the Authorization header."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def github(body: Mapping[str, Any] | bytes, *, event: str = "push") -> Sent:
    """Return a delivery of GitHub."""
    raw = _raw(body)
    headers = {
        "x-github-event": event, "x-github-delivery": "d-1", "x-hub-signature": "sha1=" + "0" * 40,
        "x-hub-signature-256": f"sha256={hex_of(raw)}", "content-type": "application/json",
    }  # fmt: skip
    return Sent(headers=headers, body=raw)


def gitlab(body: Mapping[str, Any] | bytes, *, event: str = "Push Hook") -> Sent:
    """Return a delivery of GitLab with a plain token."""
    headers = {"x-gitlab-event": event, "x-gitlab-token": SECRET, "idempotency-key": "d-1"}
    return Sent(headers=headers, body=_raw(body))


def gitlab_signed(body: Mapping[str, Any] | bytes, *, at: datetime = NOW) -> Sent:
    """Return a delivery of GitLab with a signing token."""
    raw = _raw(body)
    headers = {"x-gitlab-event": "Push Hook", **standard_headers(raw, at=at)}
    return Sent(headers=headers, body=raw, secret=TOKEN)


def gitea(body: Mapping[str, Any] | bytes, *, event: str = "push", brand: str = "gitea") -> Sent:
    """Return a delivery of Gitea or Forgejo, with the GitHub headers that they also send."""
    raw = _raw(body)
    digest = hex_of(raw)
    headers = {
        "x-github-event": event, "x-hub-signature-256": f"sha256={digest}", "x-gitea-event": event,
        "x-gitea-signature": digest, f"x-{brand}-event": event, f"x-{brand}-signature": digest,
        f"x-{brand}-delivery": "d-1",
    }  # fmt: skip
    return Sent(headers=headers, body=raw)


def cloud(body: Mapping[str, Any] | bytes, *, event: str = "repo:push") -> Sent:
    """Return a delivery of Bitbucket Cloud through a proxy that adds its own x-request-id."""
    raw = _raw(body)
    headers = {
        "x-event-key": event, "x-hook-uuid": "{1}", "x-request-uuid": "d-1", "x-request-id": "proxy",
        "x-hub-signature": f"sha256={hex_of(raw)}",
    }  # fmt: skip
    return Sent(headers=headers, body=raw)


def data_center(body: Mapping[str, Any] | bytes, *, event: str = "repo:refs_changed") -> Sent:
    """Return a signed delivery of Bitbucket Data Center."""
    raw = _raw(body)
    headers = {"x-event-key": event, "x-request-id": "d-1", "x-hub-signature": f"sha256={hex_of(raw)}"}
    return Sent(headers=headers, body=raw)


def azure(body: Mapping[str, Any] | bytes) -> Sent:
    """Return a delivery of Azure DevOps."""
    return Sent(headers={"authorization": basic()}, body=_raw(body))


def generic(body: Mapping[str, Any] | bytes, *, algorithm: str = "sha256") -> Sent:
    """Return a delivery of a custom sender."""
    raw = _raw(body)
    digest = hex_of(raw, algorithm=algorithm)
    return Sent(headers={"x-signature": f"{algorithm}={digest}"}, body=raw)


def github_push(**changes: Any) -> dict[str, Any]:
    """Return the used parts of GitHub's body; Gitea has the same and `total_commits`."""
    commits = [{"id": NEW, "added": [], "removed": [], "modified": ["web/app.yaml"]}]
    urls = {
        "html_url": WEB_URL,
        "clone_url": f"{WEB_URL}.git",
        "ssh_url": "git@code.acme.example:acme/shop.git",
    }
    return {
        "ref": MAIN, "before": OLD, "after": NEW, "created": False, "deleted": False, "forced": False,
        "commits": commits, "head_commit": {"id": NEW}, "repository": urls, "total_commits": 1, **changes,
    }  # fmt: skip


def gitlab_push(**changes: Any) -> dict[str, Any]:
    """Return the used parts of GitLab's body."""
    project = {"web_url": WEB_URL, "git_http_url": f"{WEB_URL}.git", "git_ssh_url": None}
    commits = [{"id": NEW, "added": ["api/new.yaml"], "removed": [], "modified": ["web/app.yaml"]}]
    return {
        "object_kind": "push", "before": OLD, "after": NEW, "ref": MAIN, "checkout_sha": NEW,
        "project": project, "commits": commits, "total_commits_count": 1, **changes,
    }  # fmt: skip


def github_pull_request(action: str = "opened", *, head: int | None = 1, **changes: Any) -> dict[str, Any]:
    """Return the used parts of the body of GitHub and Gitea; `head` is the id of the head's repository."""
    repo = None if head is None else {"id": head}
    pull = {
        "head": {"ref": "more", "sha": NEW, "repo": repo},
        "base": {"ref": "main", "sha": OLD, "repo": {"id": 1}},
    }
    repository = {"clone_url": f"{WEB_URL}.git", "default_branch": "main"}
    return {"action": action, "number": 7, "pull_request": pull, "repository": repository, **changes}


def gitlab_merge_request(action: str = "open", **changes: Any) -> dict[str, Any]:
    """Return the used parts of GitLab's body."""
    attributes = {
        "iid": 7, "action": action, "source_branch": "more", "target_branch": "main",
        "source_project_id": 1, "target_project_id": 1, "last_commit": {"id": NEW}, **changes,
    }  # fmt: skip
    project = {"git_http_url": f"{WEB_URL}.git", "default_branch": "main"}
    return {"object_kind": "merge_request", "project": project, "object_attributes": attributes}


def cloud_push(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return Bitbucket Cloud's body."""
    repository = {"full_name": "acme/shop", "links": {"html": {"href": "https://bitbucket.org/acme/shop"}}}
    return {"repository": repository, "push": {"changes": changes or [{"new": cloud_ref(), "old": None}]}}


def cloud_ref(kind: str = "branch", name: str = "main") -> dict[str, Any]:
    """Return one side of a change in Bitbucket Cloud's body."""
    return {"type": kind, "name": name, "target": {"hash": NEW}}


def data_center_push(*changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return Bitbucket Data Center's body."""
    clone = [{"name": "ssh", "href": "ssh://git@code.acme.example:7999/acme/shop.git"}]
    moved = {"ref": {"id": MAIN}, "toHash": NEW}
    return {"repository": {"links": {"clone": clone}}, "changes": changes or [moved]}


def azure_push(**changes: Any) -> dict[str, Any]:
    """Return Azure DevOps' body."""
    resource = {
        "refUpdates": [{"name": MAIN, "oldObjectId": OLD, "newObjectId": NEW}],
        "repository": {"remoteUrl": "https://dev.azure.com/acme/Shop/_git/web"},
    }
    return {"eventType": "git.push", "id": "d-1", "resource": resource, **changes}


def generic_push(**changes: Any) -> dict[str, Any]:
    """Return the body of a custom sender."""
    return {"repository": f"{WEB_URL}.git", "ref": MAIN, "commit": NEW, **changes}


def changes(sent: Sent) -> list[RefChange]:
    """Return the changed refs of a delivery, without the files."""
    return [replace(change, paths=None) for change in sent.receive().changes]


def paths(sent: Sent) -> frozenset[str] | None:
    """Return the files of the only change."""
    (change,) = sent.receive().changes
    return change.paths


def commit(*modified: str, **lists: Any) -> dict[str, Any]:
    """Return a commit of a push."""
    return {"id": NEW, "added": [], "removed": [], "modified": list(modified), **lists}


def refused(sent: Sent) -> None:
    """Check that the delivery is refused because of its body."""
    with pytest.raises(RefusedError) as caught:
        sent.receive()
    assert caught.value.problem.code is Code.WEBHOOK_PAYLOAD


def _raw(body: Mapping[str, Any] | bytes) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()


OWN: dict[str, tuple[Provider, Sent]] = {
    "github": (Provider.GITHUB, github(github_push())),
    "gitlab token": (Provider.GITLAB, gitlab(gitlab_push())),
    "gitlab signing token": (Provider.GITLAB, gitlab_signed(gitlab_push())),
    "gitea": (Provider.GITEA, gitea(github_push())),
    "forgejo": (Provider.GITEA, gitea(github_push(), brand="forgejo")),
    "bitbucket cloud": (Provider.BITBUCKET_CLOUD, cloud(cloud_push())),
    "bitbucket data center": (Provider.BITBUCKET_DATA_CENTER, data_center(data_center_push())),
    "azure": (Provider.AZURE_DEVOPS, azure(azure_push())),
    "generic": (Provider.GENERIC, generic(generic_push())),
    "generic sha512": (Provider.GENERIC, generic(generic_push(), algorithm="sha512")),
}
"""One push to main for each provider and scheme."""

PULL_REQUESTS: dict[str, tuple[Provider, Sent]] = {
    "github": (Provider.GITHUB, github(github_pull_request(), event="pull_request")),
    "gitlab": (Provider.GITLAB, gitlab(gitlab_merge_request(), event="Merge Request Hook")),
    "gitea": (Provider.GITEA, gitea(github_pull_request("synchronized"), event="pull_request")),
}
"""One pull request with a new commit for each provider that is asked about them."""
