"""How a GitRepository is named; tests/unit/cli/commands/test_completion.py has the completion."""

from __future__ import annotations

import pytest

from nopea.cli.repository_name import repository_key
from nopea.core.objects import RepoKey


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("api", RepoKey("shop", "api")),
        ("gr/api", RepoKey("shop", "api")),
        ("gitrepository/api", RepoKey("shop", "api")),
        ("GitRepositories.nopea.io/api", RepoKey("shop", "api")),
        ("data/api", RepoKey("data", "api")),
    ],
)
def test_a_name_has_several_forms(text: str, key: RepoKey) -> None:
    """A namespace before the slash replaces the chosen one."""
    assert repository_key(RepoKey("shop", text)) == key
