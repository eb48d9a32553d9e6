"""A repository as the API of its Git server knows it: where that is, and which credentials it gets. Pure."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlsplit

from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.git.source import Credentials
from nopea.core.secret import Secret

PROVIDERS: Final = frozenset({Provider.GITHUB, Provider.GITLAB, Provider.GITEA})
REFUSALS: Final = frozenset({401, 403, 404})
"""Answers that mean that the credentials lack a right; servers hide what may not be seen behind 404."""

_SCP: Final = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>.+)", re.DOTALL)
_SSH_HOSTS: Final = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Hosts that serve SSH on port 443 for another host."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """One repository at a server with a known API."""

    url: str
    """The URL of the repository; only its own credentials may be sent."""
    provider: Provider
    server: str
    """The base URL of the server: `https://git.acme.example`, with the port of an http URL."""
    path: str
    """`owner/name`, at GitLab with all groups."""

    @property
    def api(self) -> str:
        """The base URL of the API; a server below a path of its host has that path in front."""
        if self.provider is Provider.GITLAB:
            return f"{self.server}/api/v4"
        root = "/".join([self.server, *self._segments[:-2]])
        if self.provider is Provider.GITEA:
            return f"{root}/api/v1"
        is_public = urlsplit(self.server).hostname in ("github.com", "www.github.com")
        return "https://api.github.com" if is_public else f"{root}/api/v3"

    @property
    def endpoint(self) -> str:
        """The URL of the repository in the API."""
        if self.provider is Provider.GITLAB:
            return f"{self.api}/projects/{quote(self.path, safe='')}"
        return f"{self.api}/repos/{'/'.join(self._segments[-2:])}"

    @property
    def _segments(self) -> list[str]:
        return [quote(part, safe="") for part in self.path.split("/")]


def project_of(spec: GitRepositorySpec) -> Project | None:
    """Return the repository of a spec; None if the API of its server is not known, or its path is odd."""
    place, provider = _locate(spec.url), provider_of(spec)
    if place is None or provider is None:
        return None
    return Project(url=spec.url, provider=provider, server=place[0], path=place[1])


def provider_of(spec: GitRepositorySpec) -> Provider | None:
    """Return the provider whose API the server has: spec.webhook.provider, else a guess by the host name."""
    if spec.webhook is not None and spec.webhook.provider is not None:
        return spec.webhook.provider if spec.webhook.provider in PROVIDERS else None
    place = _locate(spec.url)
    host = urlsplit(place[0]).hostname or "" if place else ""
    if host in ("github.com", "www.github.com") or host.startswith("github."):
        return Provider.GITHUB
    if host == "gitlab.com" or host.startswith("gitlab."):
        return Provider.GITLAB
    if host == "codeberg.org" or host.startswith(("gitea.", "forgejo.")):
        return Provider.GITEA
    return None


def authorization(project: Project, credentials: Credentials) -> Secret | None:
    """Return the header Authorization from the repository's own credentials; None if they hold no token.

    Beside an SSH key, `password` is the passphrase of the key and is never sent.
    """
    over_ssh = not project.url.startswith(("http://", "https://"))
    password = Secret(b"") if over_ssh else credentials.password
    token = credentials.token or password
    if not token or not all(0x21 <= byte <= 0x7E for byte in token.reveal()):
        return None
    if project.provider is not Provider.GITEA:
        return Secret(b"Bearer " + token.reveal())
    if credentials.token:
        return Secret(b"token " + token.reveal())
    return Secret(b"Basic " + base64.b64encode(credentials.username.encode() + b":" + token.reveal()))


def _locate(url: str) -> tuple[str, str] | None:
    """Return the server and the path of a repository's URL; None for files and paths without owner/name."""
    scp = _SCP.fullmatch(url) if "://" not in url else None
    if scp is not None:
        server, path = f"https://{_web_host(scp['host'])}", scp["path"]
    else:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            return None
        if parts.scheme not in ("http", "https", "ssh") or not host:
            return None
        name = f"[{host}]" if ":" in host else _web_host(host)
        is_web = parts.scheme != "ssh"
        server = f"{parts.scheme if is_web else 'https'}://{name}{f':{port}' if is_web and port else ''}"
        path = parts.path
    segments = path.strip("/").removesuffix(".git").split("/")
    if len(segments) < 2 or any(segment in ("", ".", "..") for segment in segments):
        return None
    return server, "/".join(segments)


def _web_host(host: str) -> str:
    return _SSH_HOSTS.get(host.lower(), host.lower())
