"""The action that comments a plan, against a server that speaks GitHub's API of comments."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

SCRIPT = Path(__file__).parents[2] / ".github" / "actions" / "plan" / "comment.py"
BOT = "github-actions[bot]"
MARKER = "<!-- nopea plan team-shop/shop -->"
Comment = dict[str, Any]


class GitHub(ThreadingHTTPServer):
    """The comments of pull request 7 of acme/shop."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.comments: list[Comment] = []
        self.requests: list[str] = []

    def add(self, body: str, *, login: str = BOT) -> None:
        """Somebody comments."""
        self.comments.append({"id": len(self.comments) + 1, "body": body, "user": {"login": login}})


class _Handler(BaseHTTPRequestHandler):
    server: GitHub

    def do_GET(self) -> None:
        """Answer with a page of comments."""
        found = re.fullmatch(
            r"/repos/acme/shop/issues/7/comments\?per_page=(\d+)&page=(\d+)", self._authorized()
        )
        assert found
        size, page = int(found[1]), int(found[2])
        self._answer(200, self.server.comments[size * (page - 1) : size * page])

    def do_POST(self) -> None:
        """Create a comment."""
        assert self._authorized() == "/repos/acme/shop/issues/7/comments"
        self.server.add(self._body())
        self._answer(201, self.server.comments[-1])

    def do_PATCH(self) -> None:
        """Change a comment."""
        found = re.fullmatch(r"/repos/acme/shop/issues/comments/(\d+)", self._authorized())
        assert found
        comment = self.server.comments[int(found[1]) - 1]
        comment["body"] = self._body()
        self._answer(200, comment)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Keep the method of each request."""
        del format, args
        self.server.requests.append(self.command)

    def _authorized(self) -> str:
        assert self.headers["Authorization"] == "Bearer secret"
        return self.path

    def _body(self) -> str:
        text = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["body"]
        assert len(text) <= 65_536, "GitHub refuses a longer comment"
        return str(text)

    def _answer(self, status: int, body: object) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@pytest.fixture
def github() -> Iterator[GitHub]:
    """Run the server on loopback."""
    with GitHub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def comment(github: GitHub, folder: Path, text: str, *, repository: str = "team-shop/shop") -> None:
    """Run the script as the action does."""
    plan = folder / "plan.md"
    plan.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "7", repository, str(plan)],
        env={
            "PATH": os.defpath,
            "GITHUB_API_URL": f"http://127.0.0.1:{github.server_port}",
            "GITHUB_REPOSITORY": "acme/shop",
            "TOKEN": "secret",
            "LOGIN": BOT,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "secret" not in done.stdout + done.stderr


def test_the_first_plan_is_a_new_comment(github: GitHub, tmp_path: Path) -> None:
    """The plan follows a marker that readers do not see."""
    comment(github, tmp_path, "### 1 to change\n")

    assert [one["body"] for one in github.comments] == [f"{MARKER}\n### 1 to change\n"]


def test_later_plans_update_it(github: GitHub, tmp_path: Path) -> None:
    """One comment, whatever others write in between."""
    github.add("hello", login="ann")
    comment(github, tmp_path, "first")
    github.add("looks good", login="ann")
    comment(github, tmp_path, "second")

    assert [one["body"] for one in github.comments] == ["hello", f"{MARKER}\nsecond", "looks good"]


def test_each_repository_has_its_comment(github: GitHub, tmp_path: Path) -> None:
    """Staging and production do not overwrite each other."""
    comment(github, tmp_path, "staging", repository="staging/shop")
    comment(github, tmp_path, "production", repository="prod/shop")
    comment(github, tmp_path, "staging again", repository="staging/shop")

    assert [one["body"].splitlines()[1] for one in github.comments] == ["staging again", "production"]


def test_it_is_found_on_a_later_page(github: GitHub, tmp_path: Path) -> None:
    """A long discussion has many pages of comments."""
    for number in range(250):
        github.add(f"comment {number}", login="ann")
    comment(github, tmp_path, "first")
    comment(github, tmp_path, "second")

    assert len(github.comments) == 251
    assert github.comments[-1]["body"].endswith("second")


def test_a_forged_marker_is_not_updated(github: GitHub, tmp_path: Path) -> None:
    """A user cannot have the plan put into a comment that stays editable by that user."""
    github.add(f"{MARKER}\nmine", login="mallory")
    comment(github, tmp_path, "plan")

    assert [one["body"] for one in github.comments] == [f"{MARKER}\nmine", f"{MARKER}\nplan"]


def test_a_plan_of_the_greatest_length_is_accepted(github: GitHub, tmp_path: Path) -> None:
    """`nopea plan -o markdown` uses the whole length that GitHub allows; the marker comes on top."""
    comment(github, tmp_path, "x" * 65_536)

    assert len(github.comments) == 1
