"""What a Git server is told about a commit: which state, on which address, in which words. Pure.

Only what is final is told: that a commit is applied, or that it cannot be. Nothing is sent from here.
"""

from __future__ import annotations

import base64
import enum
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import Credentials
from nopea.core.notify.rate_limit import Role
from nopea.core.notify.rules import PATIENCE
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret
from nopea.core.status.report import Result
from nopea.core.status.status import summary
from nopea.core.status.transition import Transition

MAX_DESCRIPTION: Final = 140
PROVIDERS: Final = frozenset({Provider.GITHUB, Provider.GITLAB, Provider.GITEA})
_SCP: Final = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>.+)", re.DOTALL)
_GRANTS: Final = {
    Provider.GITHUB: "use a token with `Commit statuses: write` (classic: `repo:status`)",
    Provider.GITLAB: "use a project access token with the scope `api` and the role Developer",
    Provider.GITEA: "use a token with the permission `repository: write`",
}
_SSH_HOSTS: Final = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Hosts that serve SSH on port 443 for others."""


class State(enum.StrEnum):
    """What became of the commit."""

    SUCCESS = "success"
    FAILURE = "failure"
    """A person has to correct it."""
    ERROR = "error"
    """It failed for reasons that may go away, again and again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status of one commit; goes to the repository's own server only."""

    repository: RepoKey
    url: str
    """The repository's: only credentials that belong to it may be sent."""
    provider: Provider
    server: str
    """Where the repository is: `https://git.acme.example`, with the port of an http URL."""
    path: str
    commit: str
    state: State
    description: str

    @property
    def subject(self) -> str:
        """What the newest replaces: the repository's statuses."""
        return f"{self.repository} commit status"

    @property
    def same(self) -> str:
        """The commit and its state: the words are no news."""
        return f"{self.commit} {self.state}"

    @property
    def role(self) -> Role:
        """Every status stands for itself."""
        return Role.NEWS

    @property
    def lasting(self) -> bool:
        """True: the server remembers it."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """The POST that sets a status, without what authorizes it."""

    url: str
    body: bytes


def commit_status(step: Transition) -> CommitStatus | None:
    """Return what is to be told of a step; None for no news, no commit, and servers that we do not know."""
    spec = step.repository.spec
    commit = step.report.commit if step.report else None
    found = _state(step)
    if found is None or commit is None or not isinstance(spec, GitRepositorySpec):
        return None
    where = _locate(spec.url)
    provider = provider_of(spec)
    if where is None or provider is None:
        return None
    state, description = found
    return CommitStatus(
        repository=step.repository.key,
        url=spec.url,
        provider=provider,
        server=where[0],
        path=where[1],
        commit=commit.id,
        state=state,
        description=plain_line(description, *step.hidden, limit=MAX_DESCRIPTION),
    )


def _state(step: Transition) -> tuple[State, str] | None:
    report = step.report
    if report is None or report.commit is None:
        return None
    if report.result is Result.SYNCED:
        news = step.is_news or step.before.failures > 0
        return (State.SUCCESS, summary(report)) if news else None
    if report.result is not Result.FAILED:
        return None
    problems = [problem for problem in report.problems if not problem.code.startswith("NOPEA-G")]
    if not problems:
        return None  # Git could not be asked: that says nothing of the commit
    first = next((one for one in problems if not one.code.transient), problems[0])
    where = " ".join(part for part in (first.source, first.object) if part)
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    text = f"{first.code}{f' {where}' if where else ''}: {first.message}"
    text = f"{plain_line(text, *step.hidden, limit=MAX_DESCRIPTION - len(more))}{more}"
    if not first.code.transient:
        return State.FAILURE, text
    return (State.ERROR, text) if step.after.failures >= PATIENCE else None


def provider_of(spec: GitRepositorySpec) -> Provider | None:
    """Return whose API the server speaks: as the webhook's provider says, else as its host's name does."""
    if spec.webhook is not None and spec.webhook.provider is not None:
        return spec.webhook.provider if spec.webhook.provider in PROVIDERS else None
    where = _locate(spec.url)
    host = urlsplit(where[0]).hostname or "" if where else ""
    if host in ("github.com", "www.github.com") or host.startswith("github."):
        return Provider.GITHUB
    if host == "gitlab.com" or host.startswith("gitlab."):
        return Provider.GITLAB
    if host == "codeberg.org" or host.startswith(("gitea.", "forgejo.")):
        return Provider.GITEA
    return None


def request_of(status: CommitStatus, *, context: str, target_url: str) -> StatusRequest:
    """Return the provider's request. `target_url`, if any, is where the status leads a reader."""
    sha = quote(status.commit, safe="")
    if status.provider is Provider.GITLAB:
        state = {State.SUCCESS: "success"}.get(status.state, "failed")
        query = {"state": state, "name": context, "description": status.description}
        if target_url:
            query["target_url"] = target_url
        project = quote(status.path, safe="")
        url = f"{status.server}/api/v4/projects/{project}/statuses/{sha}?{urlencode(query)}"
        return StatusRequest(url=url, body=b"")
    body = {"state": status.state, "context": context, "description": status.description}
    if target_url:
        body["target_url"] = target_url
    *below, owner, name = (quote(part, safe="") for part in status.path.split("/"))
    url = f"{_api(status, below)}/repos/{owner}/{name}/statuses/{sha}"
    return StatusRequest(url=url, body=orjson.dumps(body))


def _api(status: CommitStatus, below: list[str]) -> str:
    """Return where the API is; a server that is below a path of its host has that path before it."""
    root = "/".join([status.server, *below])
    if status.provider is Provider.GITEA:
        return f"{root}/api/v1"
    is_public = urlsplit(status.server).hostname in ("github.com", "www.github.com")
    return "https://api.github.com" if is_public else f"{root}/api/v3"


def authorization(status: CommitStatus, credentials: Credentials) -> Secret | None:
    """Return the header Authorization from the repository's own credentials; None where they hold no token.

    Beside an SSH key, `password` is the key's own and opens nothing else.
    """
    over_ssh = not status.url.startswith(("http://", "https://"))
    password = Secret(b"") if over_ssh else credentials.password
    token = credentials.token or password
    if not token or not all(0x21 <= byte <= 0x7E for byte in token.reveal()):
        return None
    if status.provider is not Provider.GITEA:
        return Secret(b"Bearer " + token.reveal())
    if credentials.token:
        return Secret(b"token " + token.reveal())
    return Secret(b"Basic " + base64.b64encode(credentials.username.encode() + b":" + token.reveal()))


def what_to_grant(provider: Provider, answer: int) -> str:
    """Return what a person can do about an answer that refuses a status."""
    if answer in (401, 403, 404):
        return f"{_GRANTS[provider]} in the Secret of spec.secretRef; without it, set no --commit-status"
    return "the server does not take statuses of this commit; see whether it still has the commit"


def _locate(url: str) -> tuple[str, str] | None:
    """Return the server and the path of a repository's URL; None for files and what is no owner/name."""
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
