"""The action that comments a plan, against a server that speaks GitHub's API of comments."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.fakes.github import BOT, GitHub

SCRIPT = Path(__file__).parents[2] / ".github" / "actions" / "plan" / "comment.py"
MARKER = "<!-- nopea plan team-shop/shop -->"


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
