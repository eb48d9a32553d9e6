"""The action that comments a plan, against a server that speaks GitHub's API of comments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.fakes.github import BOT, GitHub

SCRIPT = Path(__file__).parents[2] / ".github" / "actions" / "plan" / "comment.py"
MARKER = "<!-- nopea plan team-shop/shop -->"


def comment(github: GitHub, folder: Path, text: str, *, repository: str = "team-shop/shop") -> None:
    """Run the script as the action does; it succeeds."""
    done = run(f"http://127.0.0.1:{github.server_port}", folder, text, repository)
    assert done.returncode == 0, done.stderr


def run(api: str, folder: Path, text: str, repository: str) -> subprocess.CompletedProcess[str]:
    """Run the script; it never prints the token or a traceback."""
    plan = folder / "plan.md"
    plan.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(SCRIPT), "7", repository, str(plan)],
        env={
            "PATH": os.defpath,
            "GITHUB_API_URL": api,
            "GITHUB_REPOSITORY": "acme/shop",
            "TOKEN": "secret",
            "LOGIN": BOT,
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "secret" not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    return done


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


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (403, b"{}", "The job needs `permissions: {pull-requests: write}`."),
        (404, b"{}", "GitHub answered 404"),
        (200, b"<html>", "The plan could not be commented: "),
    ],
    ids=["no right", "not found", "a proxy's page"],
)
def test_a_refusal_is_one_sentence(
    github: GitHub, tmp_path: Path, status: int, body: bytes, said: str
) -> None:
    """A missing right says which, and whatever is wrong, there is no traceback."""
    github.broken = (status, body)
    done = run(f"http://127.0.0.1:{github.server_port}", tmp_path, "plan", "team-shop/shop")

    assert done.returncode == 1
    assert said in done.stderr


def test_without_a_network_it_says_so(tmp_path: Path) -> None:
    """Nobody listens at the address."""
    done = run("http://127.0.0.1:1", tmp_path, "plan", "team-shop/shop")

    assert done.returncode == 1
    assert done.stderr.startswith("The plan could not be commented: ")
