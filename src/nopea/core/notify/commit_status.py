"""The status of a commit at its Git server: the state, the address and the words. Pure; sends nothing.

The commit is applied, it cannot be applied, or it waits: for what may end without a person, or for health.
"""

from __future__ import annotations

import base64
import enum
import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

import orjson

from nopea.core.api.conditions import HEALTHY, find
from nopea.core.api.spec import GitRepositorySpec, Provider
from nopea.core.drift.mask import plain_line
from nopea.core.git.source import Credentials
from nopea.core.notify.failures import HOLD_SECONDS, seconds_of
from nopea.core.notify.rate_limit import AlertState
from nopea.core.objects import RepoKey
from nopea.core.secret import Secret
from nopea.core.status.conditions import report_line
from nopea.core.status.report import Result
from nopea.core.status.transition import Transition

MAX_DESCRIPTION: Final = 140
PROVIDERS: Final = frozenset({Provider.GITHUB, Provider.GITLAB, Provider.GITEA})
_SCP: Final = re.compile(r"[A-Za-z0-9._-]+@(?P<host>[A-Za-z0-9.-]+):(?P<path>.+)", re.DOTALL)
_GRANTS: Final = {
    Provider.GITHUB: "Use a token with `Commit statuses: write` (classic: `repo:status`)",
    Provider.GITLAB: "Use a project access token with the scope `api` and the role Developer",
    Provider.GITEA: "Use a token with the permission `repository: write`",
}
_GITLAB_STATES: Final = {"success": "success", "pending": "pending"}
_SSH_HOSTS: Final = {"ssh.github.com": "github.com", "altssh.gitlab.com": "gitlab.com"}
"""Hosts that serve SSH on port 443 for another host."""


class State(enum.StrEnum):
    """The result for a commit."""

    PENDING = "pending"
    """It is tried again, or its objects are not healthy yet and the spec waits for that."""
    SUCCESS = "success"
    FAILURE = "failure"
    """Somebody must correct the commit."""
    ERROR = "error"
    """It has failed for a while, for reasons that may go away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitStatus:
    """One status of one commit, for the repository's own server only."""

    repository: RepoKey
    url: str
    """The URL of the repository; only its own credentials may be sent."""
    provider: Provider
    server: str
    """The base URL of the server: `https://git.acme.example`, with the port of an http URL."""
    path: str
    commit: str
    state: State
    description: str

    @property
    def namespace(self) -> str:
        """The namespace of the repository."""
        return self.repository.namespace

    @property
    def subject(self) -> str:
        """The latest status of a repository replaces the one that waits."""
        return f"{self.repository} commit status"

    @property
    def fingerprint(self) -> str:
        """The commit and its state; another description is a repetition."""
        return f"{self.commit} {self.state}"

    @property
    def alert_state(self) -> AlertState:
        """A status is not an alert."""
        return AlertState.EVENT

    @property
    def sent_once(self) -> bool:
        """True: the server keeps it."""
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """The POST that sets a status, without its authorization."""

    url: str
    body: bytes


def commit_status(transition: Transition) -> CommitStatus | None:
    """Return the status to report; None without a change, a commit or a known server."""
    spec = transition.repository.spec
    commit = _commit(transition)
    result = _state(transition)
    if result is None or not commit or not isinstance(spec, GitRepositorySpec):
        return None
    place = _locate(spec.url)
    provider = provider_of(spec)
    if place is None or provider is None:
        return None
    state, description = result
    return CommitStatus(
        repository=transition.repository.key,
        url=spec.url,
        provider=provider,
        server=place[0],
        path=place[1],
        commit=commit,
        state=state,
        description=plain_line(description, *transition.hidden, limit=MAX_DESCRIPTION),
    )


def _commit(transition: Transition) -> str:
    if transition.report is not None:
        return transition.report.commit.id if transition.report.commit else ""
    return transition.after.last_applied_commit or ""


def _state(transition: Transition) -> tuple[State, str] | None:
    report = transition.report
    if report is None:
        return _state_of_health(transition)
    if report.commit is None:
        return None
    if report.result is Result.SYNCED:
        has_changed = transition.is_reportable or transition.before.failures > 0
        if not has_changed:
            return None
        return _waits_for_health(transition) or (State.SUCCESS, report_line(report))
    if report.result is not Result.FAILED:
        return None
    codes = ((problem, problem.code) for problem in report.problems)
    problems = [problem for problem, code in codes if not (code.is_of_source or code.is_waiting)]
    if not problems:
        return None  # that Git fails, or that it waits for another, says nothing about the commit
    first = next((problem for problem in problems if not problem.code.transient), problems[0])
    where = " ".join(str(part) for part in (first.source, first.object) if part)
    more = f" (and {len(problems) - 1} more)" if problems[1:] else ""
    text = f"{first.code}{f' {where}' if where else ''}: {first.message}"
    text = f"{plain_line(text, *transition.hidden, limit=MAX_DESCRIPTION - len(more))}{more}"
    if not first.code.transient:
        return State.FAILURE, text
    has_lasted = seconds_of(transition.after, at=transition.at) >= HOLD_SECONDS
    return (State.ERROR if has_lasted else State.PENDING), text


def _waits_for_health(transition: Transition) -> tuple[State, str] | None:
    """Return the state of a commit that is applied, while the spec waits for objects that are not healthy."""
    if not transition.repository.waits_for_health:
        return None
    healthy = find(transition.after.conditions, HEALTHY)
    if healthy is None or healthy.status == "True":
        return None
    return (State.FAILURE if healthy.status == "False" else State.PENDING), healthy.message


def _state_of_health(transition: Transition) -> tuple[State, str] | None:
    """Return the state after a mere change of health; it matters only if the spec waits for it."""
    before, after = (find(status.conditions, HEALTHY) for status in (transition.before, transition.after))
    is_applied = not transition.after.failures and not transition.after.errors
    if not transition.repository.waits_for_health or after is None or not is_applied:
        return None
    if before is not None and before.status == after.status:
        return None
    return _waits_for_health(transition) or (State.SUCCESS, after.message)


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


def request_of(status: CommitStatus, *, context: str, target_url: str) -> StatusRequest:
    """Return the provider's request. `target_url`, if any, is the link of the status."""
    sha = quote(status.commit, safe="")
    if status.provider is Provider.GITLAB:
        state = _GITLAB_STATES.get(status.state, "failed")
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
    """Return the base URL of the API; a server below a path of its host has that path in front."""
    root = "/".join([status.server, *below])
    if status.provider is Provider.GITEA:
        return f"{root}/api/v1"
    is_public = urlsplit(status.server).hostname in ("github.com", "www.github.com")
    return "https://api.github.com" if is_public else f"{root}/api/v3"


def authorization(status: CommitStatus, credentials: Credentials) -> Secret | None:
    """Return the header Authorization from the repository's own credentials; None if they hold no token.

    Beside an SSH key, `password` is the passphrase of the key and is never sent.
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
    """Return what to do about a response that refuses a status."""
    if answer in (401, 403, 404):
        return f"{_GRANTS[provider]} in the Secret of spec.secretRef, or remove --commit-status."
    return "Check whether the server still has the commit."


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
