"""The options of `nopea create`: what to follow, and how to log in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

REFS = {"branch": "branch", "tag": "tag", "name": "ref"}
"""The fields of `spec.ref`, by the option that sets each."""


def login_options(function: Any) -> Any:
    """Add the options that say how to log in to the Git server."""
    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    for option in (
        click.option("--ca-file", type=file, help="Certificates of the authority of the Git server."),
        click.option(
            "--known-hosts", type=file, help="Host keys of the SSH server, as ssh-keyscan prints them."
        ),
        click.option("--deploy-key", is_flag=True, help="Make an SSH key, show the public one, wait for it."),
        click.option("--ssh-key", type=file, help="Private SSH key."),
        click.option("--password-stdin", is_flag=True, help="Read the password from standard input."),
        click.option("--username", metavar="NAME", help="User for the password or the token."),
        click.option("--token-stdin", is_flag=True, help="Read a token from standard input."),
    ):
        function = option(function)
    return function


def spec_options(function: Any) -> Any:
    """Add the options that set fields of the spec."""
    for option in (
        click.option("--interval", metavar="DURATION", help="How often Git is asked.  [default: 5m]"),
        click.option("--service-account", metavar="NAME", help="Service account that applies the objects."),
        click.option("--target-namespace", metavar="NAMESPACE", help="Namespace of all objects."),
        click.option("--path", metavar="PATH", help="Folder with the manifests.  [default: the root]"),
        click.option("--ref", metavar="REF", help="Ref to follow, such as refs/pull/420/head."),
        click.option("--tag", metavar="TAG", help="Tag to follow."),
        click.option("--branch", metavar="BRANCH", help="Branch to follow.  [default: the default branch]"),
        click.option("--url", metavar="URL", required=True, help="URL of the Git repository: https or SSH."),
    ):
        function = option(function)
    return function


def refuse_wrong(options: dict[str, Any]) -> None:
    """Raise UsageError for options that exclude or need each other."""
    if sum(bool(options[name]) for name in ("branch", "tag", "ref")) > 1:
        raise click.UsageError("Give one of --branch, --tag and --ref.")
    logins = ("token_stdin", "password_stdin", "ssh_key", "deploy_key")
    if sum(bool(options[name]) for name in logins) > 1:
        raise click.UsageError("Give one of --token-stdin, --password-stdin, --ssh-key and --deploy-key.")
    if options["password_stdin"] and not options["username"]:
        raise click.UsageError("--password-stdin needs --username.")
    if options["username"] and not (options["password_stdin"] or options["token_stdin"]):
        raise click.UsageError("--username needs --password-stdin or --token-stdin.")
    if options["show_secrets"] and not options["export"]:
        raise click.UsageError("--show-secrets needs --export.")
    if options["export"] and options["deploy_key"] and not options["show_secrets"]:
        raise click.UsageError("--export --deploy-key needs --show-secrets: the key is kept nowhere else.")
