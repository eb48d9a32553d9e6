"""Write a plan as a comment on a pull request, or update the comment that an earlier run wrote.

`python comment.py NUMBER NAMESPACE/NAME FILE`, with GITHUB_API_URL, GITHUB_REPOSITORY, TOKEN and LOGIN. A
comment belongs to one GitRepository: its first line is a marker that readers do not see. Only comments of
LOGIN are updated, because everybody who can comment can write the marker.
"""

import json
import os
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

MOST_PAGES = 50
PER_PAGE = 100
SECONDS = 30
LONGEST = 65_536


def call(method: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Send a request to the API of this repository, and return the answer. Raises OSError and ValueError."""
    request = urllib.request.Request(
        f"{os.environ['GITHUB_API_URL']}/repos/{os.environ['GITHUB_REPOSITORY']}/{path}",
        method=method,
        data=None if body is None else json.dumps(body).encode(),
        headers={
            "Authorization": f"Bearer {os.environ['TOKEN']}",
            "Accept": "application/vnd.github+json",
            "Content-Type": "application/json",
        },
    )
    with urllib.request.urlopen(request, timeout=SECONDS) as response:
        return json.load(response)


def find(number: int, marker: str) -> int | None:
    """Return the id of the comment with this marker, or None."""
    for page in range(1, MOST_PAGES + 1):
        comments = call("GET", f"issues/{number}/comments?per_page={PER_PAGE}&page={page}")
        for comment in comments:
            author = (comment.get("user") or {}).get("login")
            if author == os.environ["LOGIN"] and comment["body"].startswith(marker):
                return int(comment["id"])
        if len(comments) < PER_PAGE:
            break
    return None


def main(number: int, repository: str, text: str) -> None:
    """Create the comment, or update it."""
    marker = f"<!-- nopea plan {repository} -->\n"
    body = (marker + text)[:LONGEST]
    found = find(number, marker)
    if found is None:
        call("POST", f"issues/{number}/comments", {"body": body})
    else:
        call("PATCH", f"issues/comments/{found}", {"body": body})


if __name__ == "__main__":
    try:
        main(int(sys.argv[1]), sys.argv[2], Path(sys.argv[3]).read_text(encoding="utf-8"))
    except urllib.error.HTTPError as error:
        hint = "The job needs `permissions: {pull-requests: write}`." if error.code in (401, 403) else ""
        sys.exit(f"GitHub answered {error.code} to {error.url}. {hint}".rstrip())
    except (OSError, ValueError) as error:
        sys.exit(f"The plan could not be commented: {error}.")
