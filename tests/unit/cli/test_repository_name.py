"""How a GitRepository is named; tests/unit/cli/commands/test_completion.py has the completion."""

from __future__ import annotations

import click
import pytest

from nopea.cli.repository_name import RepositoryName, repository_key
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


@pytest.mark.parametrize("text", ["data/shop/api", "", "data/", "../api", "."])
def test_what_cannot_be_a_name_is_wrong_usage(text: str) -> None:
    """It would be taken for a path, and the error would be about a manifest."""
    with pytest.raises(click.BadParameter, match="neither NAME nor"):
        RepositoryName().convert(text, None, None)
