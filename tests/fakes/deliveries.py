"""Signed webhook deliveries as Git providers send them, for the tests of the HTTP server."""

from __future__ import annotations

import hashlib
import hmac
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

SECRET = "a shared secret of acme"
URL = "https://git.acme.example/shop/api.git"


@dataclass(frozen=True, slots=True)
class Sent:
    """The headers and the body of a delivery."""

    headers: Mapping[str, str]
    body: bytes

    def tampered(self) -> Sent:
        """Return the delivery with one byte of the body changed."""
        return replace(self, body=self.body.replace(b"refs/heads", b"refs/headS", 1))


def github(event: str, payload: Mapping[str, Any], *, secret: str = SECRET, delivery: str = "") -> Sent:
    """Return a delivery as GitHub sends it; the default is a new delivery id."""
    body = json.dumps(payload).encode()
    digest = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
    return Sent(
        {
            "Content-Type": "application/json",
            "X-GitHub-Event": event,
            "X-GitHub-Delivery": delivery or str(uuid.uuid4()),
            "X-Hub-Signature-256": f"sha256={digest}",
        },
        body,
    )


def push(
    *, url: str = URL, ref: str = "refs/heads/main", commit: str = "c0ffee0" + "0" * 33,
    paths: Sequence[str] = ("web.yaml",), deleted: bool = False, padding: int = 0, **how: str,
) -> Sent:  # fmt: skip
    """Return GitHub's delivery for a push of one commit that changes these paths."""
    zero = "0" * 40
    change = {"id": commit, "added": [], "removed": [], "modified": list(paths), "message": "x" * padding}
    payload = {
        "ref": ref,
        "before": "b" * 40,
        "after": zero if deleted else commit,
        "created": False,
        "deleted": deleted,
        "forced": False,
        "commits": [] if deleted else [change],
        "head_commit": None if deleted else change,
        "repository": {
            "full_name": "shop/api",
            "html_url": url.removesuffix(".git"),
            "clone_url": url,
            "ssh_url": url.replace("https://", "ssh://git@"),
        },
    }
    return github("push", payload, **how)


def pull_request(
    *, url: str = URL, action: str = "opened", number: int = 7, branch: str = "more", base: str = "main",
    commit: str = "c0ffee0" + "0" * 33, is_fork: bool = False, **how: str,
) -> Sent:  # fmt: skip
    """Return GitHub's delivery for a pull request."""
    payload = {
        "action": action,
        "number": number,
        "pull_request": {
            "head": {"ref": branch, "sha": commit, "repo": {"id": 2 if is_fork else 1}},
            "base": {"ref": base, "sha": "b" * 40, "repo": {"id": 1}},
        },
        "repository": {"full_name": "shop/api", "clone_url": url, "default_branch": "main"},
    }
    return github("pull_request", payload, **how)


def ping(**how: str) -> Sent:
    """Return GitHub's ping."""
    return github("ping", {"zen": "Keep it small.", "repository": {"clone_url": URL}}, **how)
