"""The API for comments of GitHub, GitLab and Gitea: requests in, answers out; it keeps the comments."""

from __future__ import annotations

import json
import re
import threading
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Any

ME = "deploy-bot"
_LIST = re.compile(r"(?:/api/v\d)?/.+/(?:issues|merge_requests)/(\d+)/(?:comments|notes)")
_ONE = re.compile(r"(?:/api/v\d)?/.+/(?:comments|notes)/(\d+)")


@dataclass
class KeptComment:
    """A comment as the server keeps it; `edits` counts how often it was changed."""

    id: int
    author: str
    body: str
    edits: int = 0


@dataclass
class Discussions:
    """The comments by the number of a pull request. While `status` is set, it answers every request."""

    comments: defaultdict[int, list[KeptComment]] = field(default_factory=lambda: defaultdict(list))
    requests: list[tuple[str, str, str]] = field(default_factory=list)
    """Method, path and authorization of each request."""
    status: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, number: int, body: str, *, author: str = ME) -> KeptComment:
        """Add a comment."""
        count = sum(map(len, self.comments.values()))
        self.comments[number].append(KeptComment(id=count + 1, author=author, body=body))
        return self.comments[number][-1]

    def of(self, number: int) -> list[KeptComment]:
        """Return the comments of a pull request."""
        with self.lock:
            return list(self.comments[number])


def answer_of(discussions: Discussions, method: str, path: str, query: str, sent: bytes) -> tuple[int, Any]:
    """Return the status and the body of the answer to a request."""
    user = "username" if "/v4/" in path else "login"
    who = "author" if "/v4/" in path else "user"
    if path.endswith("/user"):
        return 200, {user: ME}
    if (listed := _LIST.fullmatch(path)) and method == "GET":
        first = 50 * (int(query.partition("&page=")[2].partition("&")[0]) - 1)
        page = discussions.comments[int(listed[1])][first : first + 50]
        return 200, [{"id": each.id, "body": each.body, who: {user: each.author}} for each in page]
    if listed and method == "POST":
        made = discussions.add(int(listed[1]), json.loads(sent)["body"])
        return 201, {"id": made.id, who: {user: ME}}
    one = _ONE.fullmatch(path)
    found = [
        each for comments in discussions.comments.values() for each in comments
        if one and each.id == int(one[1])
    ]  # fmt: skip
    if not found or method != ("PUT" if "/v4/" in path else "PATCH"):
        return 404, {}
    if found[0].author != ME:
        return 403, {}
    found[0].body = json.loads(sent)["body"]
    found[0].edits += 1
    return 200, {"id": found[0].id}
