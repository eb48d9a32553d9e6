"""The steps of `nopea create`, in their order, and what each one prints."""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from typing import Any

import click

from nopea.cli.cluster import ClusterChoice
from nopea.cli.creation.account import refuse_without_account
from nopea.cli.creation.arrival import Arrival
from nopea.cli.creation.declaration import (
    Made,
    make,
    planned_repository,
    repository_manifest,
    secret_manifest,
    try_repository,
    try_secret,
    with_secret,
)
from nopea.cli.creation.login import GitLogin, Given, find_login, read_file, read_secret
from nopea.cli.creation.preview import Preview, preview, wait_for_key
from nopea.cli.creation.server import refuse_login_in
from nopea.cli.inspection import looking, valid_spec
from nopea.cli.output.diff import object_lines, print_other_problems
from nopea.cli.output.history import age
from nopea.cli.output.manifests import commented_yaml
from nopea.cli.output.messages import print_error, print_hint, print_problem
from nopea.cli.progress import show_progress
from nopea.core.api.repository import Repository
from nopea.core.drift.mask import mask_object
from nopea.core.git.private_key import tidy
from nopea.core.git.source import Remote
from nopea.core.objects import RepoKey
from nopea.core.show.facts import rights_notes
from nopea.kube.client import KubeClient
from nopea.kube.config import ConfigError
from nopea.kube.load import load_config

EXIT_DONE = 0
EXIT_NOT_DONE = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the user asks for, beside the login."""

    name: str
    spec: dict[str, Any]
    secret: str
    show_secrets: bool
    yes: bool
    wait: bool
    timeout: float


def read_given(options: dict[str, Any]) -> Given:
    """Read what the login options name; raises CommandError."""

    refuse_login_in(options["url"])

    def text(option: str) -> str:
        path = options[option]
        return read_file(path, f"--{option.replace('_', '-')}").decode(errors="replace") if path else ""

    return Given(
        token=read_secret("Token") if options["token_stdin"] else None,
        username=options["username"] or "",
        password=read_secret("Password") if options["password_stdin"] else None,
        identity=tidy(read_file(options["ssh_key"], "--ssh-key")) if options["ssh_key"] else b"",
        deploy_key=options["deploy_key"],
        known_hosts=text("known_hosts"),
        ca=text("ca_file"),
    )


async def export(cluster: ClusterChoice, wish: Wish, given: Given) -> int:
    """Print the objects; only the Git server is asked something. Raises CommandError, SyncError."""

    key = RepoKey(cluster.namespace or _namespace(cluster), wish.name)
    login = await find_login(wish.spec["url"], given, key=key)
    login.credentials(wish.secret, wish.spec["url"])
    repository = repository_manifest(key, wish.spec)
    if login.data:
        secret = secret_manifest(wish.secret, key.namespace, login.data)
        repository = with_secret(repository, wish.secret)
        click.echo(commented_yaml(secret if wish.show_secrets else mask_object(secret), []), nl=False)
        if not wish.show_secrets:
            print_hint("The values of the Secret are masked; --show-secrets prints them.")
    click.echo(commented_yaml(repository, []), nl=False)
    if login.public_key:
        print_hint(f"Add this deploy key to the repository, for reading: {login.public_key}")
    return EXIT_DONE


def _namespace(cluster: ClusterChoice) -> str:
    """Return the namespace of the context; without a kubeconfig `default`."""

    try:
        return load_config(cluster.kubeconfig, context=cluster.context or "").namespace
    except ConfigError:
        return "default"


async def create(client: KubeClient, namespace: str, wish: Wish, given: Given) -> int:
    """Ask, show, create and wait; returns the exit code. Raises CommandError, SyncError, ApiError."""

    key, url = RepoKey(namespace, wish.name), wish.spec["url"]
    manifest = repository_manifest(key, wish.spec)
    repository = planned_repository(manifest)
    valid_spec(repository)
    await try_repository(client, manifest)
    await refuse_without_account(client, key, wish.spec["serviceAccountName"] or "")
    login = await find_login(url, given, key=key)
    remote = Remote(url, login.credentials(wish.secret, url), owner=key)
    secret = secret_manifest(wish.secret, namespace, login.data) if login.data else None
    if secret is not None:
        await try_secret(client, secret)
        manifest = with_secret(manifest, wish.secret)
    if login.note:
        click.echo(f"✓ {login.note}")
    made, is_done = Made(), False
    try:
        if login.public_key and not await _deploy_key(repository, remote, login, seconds=wish.timeout):
            return EXIT_NOT_DONE
        with looking(server=True) as looks:
            found = await preview(client, repository, remote, looks=looks)
        if not _agreed(found, yes=wish.yes):
            return EXIT_NOT_DONE
        await make(client, manifest, secret, made=made)
        is_done = True
    finally:
        if not is_done:
            _say_what_stays(key, wish, login, made)
    also = f"Secret {namespace}/{wish.secret} and " if secret else ""
    click.echo(f"✓ Created {also}GitRepository {key}.")
    return await _arrive(client, key, seconds=wish.timeout) if wish.wait else EXIT_DONE


def _say_what_stays(key: RepoKey, wish: Wish, login: GitLogin, made: Made) -> None:
    """Say what an attempt that did not end well has left, and how to remove it."""
    if made.repository:
        print_hint(f"GitRepository {key} may have been created: `nopea get {key.arguments}` shows it.")
    if made.secret:
        only = "If it was not, `" if made.repository else "`"
        print_hint(
            f"Secret {key.namespace}/{wish.secret} was created, or may have been. {only}kubectl -n "
            f"{key.namespace} delete secret {wish.secret}` removes it; then run the command again."
        )
    elif login.public_key:
        print_hint(
            "The new key is not kept: remove it from the repository, if you have added it. The next run "
            "makes another one."
        )


async def _deploy_key(repository: Repository, remote: Remote, login: GitLogin, *, seconds: float) -> bool:
    """Show the public key, and wait until the server knows it."""

    click.echo("Add this deploy key to the repository, for reading:")
    click.echo(f"  {login.public_key}")
    with show_progress("Waiting until the server accepts the key.") as progress:
        why = await wait_for_key(repository, remote, seconds=seconds, show=progress.show)
    if why:
        print_error(why, "Nothing was created.")
    return not why


def _agreed(found: Preview, *, yes: bool) -> bool:
    """Show what a first sync does, and return whether the GitRepository may be created."""

    refused = found.inspection.is_refused
    click.echo(f"{'✗' if refused else '✓'} {found.line()}")
    shown = (*found.taken_over, *found.refused)
    for line in object_lines(shown):
        click.echo(f"  {line}")
    for note in rights_notes(found.inspection.objects):
        click.echo(note)
    print_other_problems(found.inspection)
    if refused:
        print_error("Nothing was created.", "Correct what is refused in Git or in the options.")
        return False
    if not found.taken_over or yes:
        return True
    if not sys.stdin.isatty():
        print_error("Objects would be taken over, and there is no terminal to ask on.", "--yes agrees.")
        return False
    return click.confirm("Take over these objects?")


async def _arrive(client: KubeClient, key: RepoKey, *, seconds: float) -> int:

    arrival = Arrival(client, key)
    started = asyncio.get_running_loop().time()
    with show_progress("Waiting for the first sync.") as progress:
        why = await arrival.wait(seconds=seconds, show=progress.show)
    after = age(asyncio.get_running_loop().time() - started)
    if not why:
        click.echo(f"✓ {arrival.line(after=after)}")
        return EXIT_DONE
    errors = arrival.repository.status.errors if arrival.repository is not None else ()
    for error in errors:
        print_problem(error)
    if not errors:
        print_error(
            f"Not applied and healthy after {after}: {why}", f"`nopea why {key.arguments}` says more."
        )
    return EXIT_NOT_DONE
