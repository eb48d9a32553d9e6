"""From what a user gives to the Secret of a GitRepository. Credentials come from files and standard input."""

from __future__ import annotations

import asyncio
import base64
import ipaddress
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import click

from nopea.cli.cluster import CommandError
from nopea.cli.creation.server import Login, host_key_of, known_hosts_line, login_of
from nopea.core.git.credentials import parse_credentials
from nopea.core.git.known_hosts import host_keys
from nopea.core.git.source import Credentials, host_of, is_ssh
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError
from nopea.core.secret import Secret

TOKEN_USER = "x-access-token"
"""The user beside a token that is sent as a password: GitHub wants this one, others take any."""

_MOST_BYTES = 64 * 1024
_KEYGEN_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """What the options say; what they read has been read already."""

    token: Secret | None = None
    username: str = ""
    password: Secret | None = None
    identity: bytes = field(default=b"", repr=False)
    deploy_key: bool = False
    known_hosts: str = ""
    ca: str = ""

    @property
    def has_login(self) -> bool:
        """Whether there is something to log in with over HTTP."""
        return self.token is not None or self.password is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class GitLogin:
    """The data of the Secret, empty if none is needed; what was found out about the server, in a sentence."""

    data: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    note: str = ""
    public_key: str = ""

    def credentials(self, name: str, url: str) -> Credentials:
        """Return the credentials as the controller reads them from the Secret; raises StalledError."""
        if not self.data:
            return Credentials()
        raw = {"data": {key: base64.b64encode(value).decode() for key, value in self.data.items()}}
        parsed = parse_credentials(raw, name=name, url=url)
        if isinstance(parsed, Problem):
            raise StalledError(parsed)
        return parsed


async def find_login(url: str, given: Given, *, key: RepoKey) -> GitLogin:
    """Ask the server which login it wants, and return what the Secret must hold for it.

    Raises CommandError, also where what was given is not what the server wants.
    """
    if is_ssh(url):
        return await _ssh_login(url, given, key)
    if given.identity or given.deploy_key or given.known_hosts:
        raise CommandError(
            "SSH keys are for SSH URLs.", f"Give --url as ssh://git@{host_of(url)}/…, or another login."
        )
    return await _http_login(url, given)


async def _http_login(url: str, given: Given) -> GitLogin:
    ca = {"ca.crt": given.ca.encode()} if given.ca else {}
    if not url.startswith(("http://", "https://")):
        return GitLogin(note="It is read from a folder.")
    wanted, host = await login_of(url, ca=given.ca), host_of(url)
    if wanted is Login.NOTHING:
        unused = ", so what you gave is not kept" if given.has_login else ""
        return GitLogin(data=ca, note=f"{host} asks for no login{unused}.")
    if not given.has_login:
        if wanted is Login.UNCLEAR:
            return GitLogin(data=ca)
        raise CommandError(
            f"{host} asks for a login ({wanted}).",
            "Give --token-stdin, or --username and --password-stdin. Read access is enough.",
        )
    if url.startswith("http://") and not _is_loopback(host):
        raise CommandError(
            f"Over plain http everybody on the way to {host} could read the login.", "Give an https URL."
        )
    if wanted is Login.BEARER:
        if given.token is None:
            raise CommandError(f"{host} takes tokens only (Bearer).", "Give --token-stdin.")
        return GitLogin(data={"token": given.token.reveal(), **ca}, note=f"{host} asks for a token (Bearer).")
    secret = given.token or given.password
    assert secret is not None  # noqa: S101 - has_login
    username = given.username or TOKEN_USER
    wants = "asks for user and password (Basic)" if wanted is Login.BASIC else "does not say what it wants"
    note = f"{host} {wants}"
    if given.token is not None:
        note += f": the token is the password of {username}"
    return GitLogin(data={"username": username.encode(), "password": secret.reveal(), **ca}, note=f"{note}.")


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


async def _ssh_login(url: str, given: Given, key: RepoKey) -> GitLogin:
    if given.has_login or given.ca:
        raise CommandError(
            "Tokens, passwords and --ca-file are for https URLs.", "Give --ssh-key FILE or --deploy-key."
        )
    if not given.identity and not given.deploy_key:
        raise CommandError("An SSH URL needs a key.", "Give --ssh-key FILE, or --deploy-key to make one.")
    known_hosts = given.known_hosts or await _confirmed_host(url)
    if not host_keys(known_hosts, url).accepted:
        raise CommandError(
            f"--known-hosts has no key of {host_of(url)}, or not for its port.",
            "`ssh-keyscan -p PORT HOST` prints its lines; compare them with what the host publishes.",
        )
    identity, public = given.identity, ""
    if given.deploy_key:
        identity, public = await asyncio.to_thread(make_key, f"nopea {key}")
    return GitLogin(
        data={"identity": identity, "known_hosts": known_hosts.encode()},
        note=f"{host_of(url)} is known by its host key.",
        public_key=public,
    )


async def _confirmed_host(url: str) -> str:
    """Show the server's key and return its line when the user confirms it; raises CommandError."""
    shown, host = await host_key_of(url), host_of(url)
    text = f"{host} shows the host key {shown}."
    if not sys.stdin.isatty():
        raise CommandError(
            f"{text} There is no terminal to confirm it on.",
            "Compare it with what the host publishes, and give its lines with --known-hosts FILE.",
        )
    click.echo(text, err=True)
    if not click.confirm("Is it the one that the host publishes?", err=True):
        raise CommandError("The host key is not confirmed.", "Nothing was created.")
    return known_hosts_line(url, shown)


def make_key(comment: str) -> tuple[bytes, str]:
    """Return a new ed25519 key as OpenSSH writes it: the private key, and the line of the public one.

    Blocks until ssh-keygen ends. Raises CommandError, also where there is no such program.
    """
    program = shutil.which("ssh-keygen")
    if program is None:
        raise CommandError("ssh-keygen is not installed.", "Install OpenSSH, or give a key with --ssh-key.")
    with tempfile.TemporaryDirectory(prefix="nopea-") as folder:
        path = Path(folder) / "identity"
        command = [program, "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)]
        try:
            done = subprocess.run(
                command, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=_KEYGEN_SECONDS
            )
        except subprocess.TimeoutExpired as error:
            raise CommandError(
                f"ssh-keygen has not ended after {_KEYGEN_SECONDS:.0f} s.", "Give a key with --ssh-key."
            ) from error
        if done.returncode != 0:
            raise CommandError(f"ssh-keygen failed: {done.stderr.decode(errors='replace').strip()}")
        return path.read_bytes(), path.with_suffix(".pub").read_text().strip()


def read_secret(what: str) -> Secret:
    """Return a token or a password from standard input, without showing it on a terminal.

    Raises CommandError for an empty one, and one that is too long.
    """
    if sys.stdin.isatty():
        text = str(click.prompt(what, hide_input=True, err=True)).encode()
    else:
        text = sys.stdin.buffer.read(_MOST_BYTES + 1)
    if not text.strip() or len(text) > _MOST_BYTES:
        why = "has more than 64 KiB" if text.strip() else "is empty"
        raise CommandError(f"The {what.lower()} on standard input {why}.", "Pipe it in, and nothing else.")
    return Secret(text.strip())


def read_file(path: Path, option: str) -> bytes:
    """Return the content of a small file; raises CommandError."""
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise CommandError(f"{option}: {path} cannot be read: {error.strerror}.") from error
    if len(content) > _MOST_BYTES:
        raise CommandError(f"{option}: {path} has more than 64 KiB.", "Name the file that is meant.")
    return content
