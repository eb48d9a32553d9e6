"""Options of `nopea create` that exclude or need each other."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from nopea.cli.main import main


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (("--branch=a", "--tag=b"), "one of --branch, --tag and --ref"),
        (("--tag=a", "--ref=refs/x"), "one of --branch, --tag and --ref"),
        (("--token-stdin", "--deploy-key"), "one of --token-stdin"),
        (("--password-stdin",), "needs --username"),
        (("--username=me",), "needs --password-stdin or --token-stdin"),
        (("--show-secrets",), "needs --export"),
        (("--export", "--deploy-key"), "needs --show-secrets"),
        ((), "Missing option '--url'"),
    ],
)
def test_wrong_combinations_are_wrong_usage(options: tuple[str, ...], text: str) -> None:
    """Nothing is read or asked before."""
    url = ("--url=https://git.example/web",) if options else ()

    result = CliRunner().invoke(main, ["create", "web", *url, *options])

    assert result.exit_code == 2
    assert text in " ".join(result.stderr.split())
