"""Ask a Git server which login it wants, and which SSH key it has. No credential is sent here."""

from __future__ import annotations

import asyncio
import enum
import os
import re
import ssl
import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp

from nopea import tasks
from nopea.cli.cluster import CommandError
from nopea.core.git.known_hosts import HostKey
from nopea.core.git.networks import Networks
from nopea.core.git.proxy import proxy_for, proxy_variables
from nopea.core.git.source import host_of, ssh_server_of
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings
from nopea.http_client import describe, open_session

SECONDS = 20.0
"""How long a server may take for one answer."""

_SCHEME = re.compile(r"[A-Za-z]{1,32}")


class Login(enum.StrEnum):
    """What a server wants to see before it serves a repository."""

    NOTHING = "nothing"
    BASIC = "Basic"
    BEARER = "Bearer"
    UNCLEAR = "unclear"
    """It does not say: Git itself will tell."""


async def login_of(url: str, *, ca: str = "") -> Login:
    """Return what an HTTP server asks for; raises CommandError if it cannot be reached.

    Basic is preferred where the server takes both: some take tokens as passwords only (GitHub).
    """
    context = ssl.create_default_context()
    try:
        if ca:
            context.load_verify_locations(cadata=ca.encode("ascii", errors="replace").decode())
    except (ssl.SSLError, ValueError) as error:
        hint = "Name a file with certificates, from BEGIN CERTIFICATE to END CERTIFICATE."
        raise CommandError("--ca-file has no PEM certificates.", hint) from error
    asked = f"{url.rstrip('/')}/info/refs?service=git-upload-pack"
    proxy = proxy_for(url, proxy_variables(os.environ)) or None
    headers = {"User-Agent": "git/2.0 (nopea)"}  # some servers answer nobody but Git
    try:
        async with (
            asyncio.timeout(SECONDS),
            open_session(Networks.ANY, connections=1) as session,
            session.get(asked, headers=headers, allow_redirects=False, ssl=context, proxy=proxy) as answer,
        ):
            status, challenges = answer.status, answer.headers.getall("WWW-Authenticate", [])
    except (aiohttp.ClientError, OSError) as error:
        why = "does not answer in time" if isinstance(error, TimeoutError) else describe(error)
        raise CommandError(
            f"The Git server {host_of(url)} {why}.",
            "Check --url and the network. For a certificate authority of your own give --ca-file.",
        ) from error
    if status == 200:
        return Login.NOTHING
    return _wanted(challenges) if status == 401 else Login.UNCLEAR


def _wanted(challenges: Iterable[str]) -> Login:
    schemes = {
        found[0].lower()
        for header in challenges
        for part in header[:2048].split(",")
        if (found := _SCHEME.match(part.strip()))
    }
    if "basic" in schemes:
        return Login.BASIC
    return Login.BEARER if "bearer" in schemes else Login.UNCLEAR


def refuse_login_in(url: str) -> None:
    """Raise CommandError for a URL with a password or token: it would be in the object, for all to read."""
    if "://" not in url:
        return
    try:
        parts = urlsplit(url)
        login = parts.password or (parts.username if parts.scheme in ("http", "https") else "")
    except ValueError as error:
        raise CommandError("--url is not a URL.", "Example: https://git.example/acme/web") from error
    if login:
        raise CommandError(
            "--url has a login, which everybody who may read the GitRepository would see.",
            "Leave it out and give --token-stdin, or --username and --password-stdin. Replace that password.",
        )


async def host_key_of(url: str) -> HostKey:
    """Return the key that an SSH server shows; raises CommandError, SyncError. It is not verified."""
    async with temporary_git() as git:
        key = await git.host_key(url, timeout_seconds=SECONDS)
    if key is None:
        raise CommandError(
            f"The SSH server {host_of(url)} shows no key that Nopea can use.",
            "Give its line of known_hosts with --known-hosts FILE.",
        )
    return key


def known_hosts_line(url: str, key: HostKey) -> str:
    """Return the line of known_hosts for the server of an SSH URL."""
    host, port = ssh_server_of(url)
    return f"[{host}]:{port} {key.type} {key.base64}\n"


@asynccontextmanager
async def temporary_git() -> AsyncIterator[GitPort]:
    """Yield a Git port whose child processes and files are gone when the block ends."""
    with tempfile.TemporaryDirectory(prefix="nopea-", ignore_cleanup_errors=True) as folder:
        git = GitPort(GitSettings(cache_dir=Path(folder), allow_file_urls=True))
        task = tasks.spawn(git.run(), name="git port")
        try:
            await asyncio.sleep(0)  # lets the port create its folder first
            yield git
        finally:
            await tasks.end(task)
