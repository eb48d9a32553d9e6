"""What is asked of Git and what Git answers: values that the Git port and the sync share."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

from nopea.core.objects import RepoKey
from nopea.core.problem import Problem
from nopea.core.secret import Secret

_SHA256_LENGTH = 64
_HOST: Final = re.compile(r"[a-z0-9._:-]+")
_SSH_PORT: Final = 22
SHORT_COMMIT: Final = 7
"""How many digits of a commit are shown to users."""


def is_ssh(url: str) -> bool:
    """Return whether a URL is `ssh://…` or scp-like (`git@host:path`); an absolute path is neither."""
    return url.startswith("ssh://") or ("://" not in url and not url.startswith("/"))


def host_of(url: str) -> str:
    """Return the host of a URL in any form, in lower case and without its port.

    Empty for a local path, and for a host that libraries could read in another way.
    """
    if "://" in url:
        try:
            host = urlsplit(url).hostname or ""
        except ValueError:
            return ""
    else:
        host = url.partition(":")[0].rpartition("@")[2].lower() if is_ssh(url) else ""
    return host if _HOST.fullmatch(host) else ""


def ssh_server_of(url: str) -> tuple[str, int]:
    """Return the host of an SSH URL as it is spelled there, and its port; no host if they cannot be read."""
    try:
        parts = urlsplit(_ssh_authority(url)[0])
        host, port = parts.hostname or "", parts.port or _SSH_PORT
    except ValueError:
        return "", _SSH_PORT
    start = parts.netloc.lower().rfind(host)
    return (parts.netloc[start : start + len(host)], port) if _HOST.fullmatch(host) else ("", _SSH_PORT)


def without_user(url: str) -> str:
    """Return an SSH URL without the user that it names, if any."""
    authority, rest = _ssh_authority(url)
    name = authority.removeprefix("ssh://").rpartition("@")[2]
    if url.startswith("ssh://"):
        return f"ssh://{name}{rest}"
    return f"[{name}{rest}" if url.startswith("[") else name + rest


def _ssh_authority(url: str) -> tuple[str, str]:
    """Return `ssh://user@host:port` of a URL in any form, and what follows it."""
    if url.startswith("ssh://"):
        authority, slash, path = url.removeprefix("ssh://").partition("/")
        return f"ssh://{authority}", slash + path
    end = "]" if url.startswith("[") else ":"
    authority, separator, path = url.removeprefix("[").partition(end)
    return f"ssh://{authority}", separator + path


class RefKind(enum.StrEnum):
    """How a spec names the commit it wants."""

    BRANCH = "branch"
    TAG = "tag"
    SEMVER = "semver"
    NAME = "name"
    COMMIT = "commit"
    HEAD = "HEAD"


@dataclass(frozen=True, slots=True)
class Ref:
    """A branch, a tag, a semver range over tags, a full ref name or commit id, or HEAD (without a value).

    Prints as `branch main`.
    """

    kind: RefKind
    value: str

    def __str__(self) -> str:
        if self.kind is RefKind.NAME:
            return f"ref {self.value}"
        return "the default branch" if self.kind is RefKind.HEAD else f"{self.kind} {self.value}"


DEFAULT_BRANCH: Final = Ref(RefKind.HEAD, "")
"""What a repository without a ref follows: the branch that the server's HEAD points to."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What `spec.secretRef` gave; empty where the Secret had no such key. Nothing in it prints."""

    username: str = field(default="", repr=False)  # some hosts take the token as the user
    password: Secret = field(default=Secret(b""), repr=False)
    token: Secret = field(default=Secret(b""), repr=False)
    identity: Secret = field(default=Secret(b""), repr=False)
    identity_password: Secret = field(default=Secret(b""), repr=False)
    known_hosts: str = field(default="", repr=False)
    ca_crt: str = field(default="", repr=False)

    def digest(self) -> str:
        """Return a hex digest that tells credentials apart without showing them; empty for no credentials."""
        parts = (
            self.username.encode(), self.password.reveal(), self.token.reveal(), self.identity.reveal(),
            self.identity_password.reveal(), self.known_hosts.encode(), self.ca_crt.encode(),
        )  # fmt: skip
        if not any(parts):
            return ""
        digest = hashlib.sha256()
        for part in parts:
            digest.update(len(part).to_bytes(8, "big") + part)
        return digest.hexdigest()

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret in it, for masking foreign text."""
        return (self.password, self.token, self.identity, self.identity_password)


@dataclass(frozen=True, slots=True, kw_only=True)
class Proxy:
    """What `spec.proxySecretRef` gave: the URL of an HTTP proxy, and the login there. It does not print."""

    address: str
    username: str = field(default="", repr=False)
    password: Secret = field(default=Secret(b""), repr=False)

    def url(self) -> str:
        """Return the URL with the login in it; the caller must not log or store it."""
        scheme, _, rest = self.address.partition("://")
        login = f"{quote(self.username, safe='')}:{quote(self.password.reveal(), safe='')}@"
        return f"{scheme}://{login if self.username else ''}{rest}"


@dataclass(frozen=True, slots=True)
class Remote:
    """A Git URL with the credentials for it: equal remotes share one mirror and one fetch.

    `owner` is the GitRepository that asks. It is not compared; the Git port is fair by it. `proxy` replaces
    that of the process.
    """

    url: str
    credentials: Credentials = field(default=Credentials())
    owner: RepoKey = field(default=RepoKey("", ""), compare=False)
    proxy: Proxy | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """Return every secret in it, for masking foreign text."""
        of_proxy = () if self.proxy is None else (self.proxy.password,)
        return (*self.credentials.secrets(), *of_proxy)


@dataclass(frozen=True, slots=True, kw_only=True)
class Commit:
    """A commit's facts; `message` is the first line, at most 200 characters; `committed_at` is aware UTC.

    `ref` is the full name of the branch or tag that the commit was found by: for the default branch its
    branch, for a range the chosen tag. It is empty if the commit was asked for by its id or the server does
    not say which branch HEAD points to. Two refs can lead to the same commit, so it is not compared.
    """

    id: str
    author: str
    message: str
    committed_at: datetime
    ref: str = field(default="", compare=False)


def revision_of(ref: Ref, commit: Commit) -> str:
    """Return a commit as users know it: `main@sha1:c0ffee0`, or `sha1:c0ffee0` without a known name.

    The name is that of the branch or tag that the commit was found by: of the default branch its branch, of a
    range the chosen tag.
    """
    algorithm = "sha256" if len(commit.id) == _SHA256_LENGTH else "sha1"
    found_by = commit.ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or ref.value
    name = f"{found_by}@" if found_by and ref.kind is not RefKind.COMMIT else ""
    return f"{name}{algorithm}:{commit.id[:SHORT_COMMIT]}"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file at a commit: its path from the repository's root, the id of its blob, its size in bytes."""

    path: str
    blob: str
    size: int


class SkipReason(enum.StrEnum):
    """Why something at a place where manifests could be cannot be read."""

    SUBMODULE = "submodule"
    FOLDER = "folder"
    """A folder with the name of a manifest; the files in it are listed."""
    NOT_THERE = "not there"
    """A link to something that is not in the repository."""
    TO_SUBMODULE = "to submodule"
    OUTSIDE = "outside"
    """A link that leaves the repository, also if it comes back."""
    LOOP = "loop"
    """A link to a folder that it is in, or a chain of more links than Linux follows."""


@dataclass(frozen=True, slots=True)
class Skipped:
    """What cannot be read at a path from the repository's root; `target` is what a link says."""

    path: str
    reason: SkipReason
    target: str = ""


@dataclass(frozen=True, slots=True)
class FileListing:
    """The manifest, ignore and build files of a folder, and what cannot be read in it.

    Links are followed: a file is listed at each path that leads to it. With `has_links`, a change of a file
    outside the folder may change the listing.
    """

    files: tuple[FileEntry, ...]
    skipped: tuple[Skipped, ...]
    has_links: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class PathListing:
    """What is at the paths that somebody asked for: each is a file, a folder or missing.

    `files` has the files and all that is below the folders, whatever their names; `skipped` what cannot be
    read there.
    """

    files: tuple[FileEntry, ...]
    folders: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    skipped: tuple[Skipped, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDocument:
    """One Kubernetes object found in a file.

    `index` counts the file's documents from 1 (an item of a `List` has its list's index and a position:
    `2[0]`), `line` is where it starts, `body` is the object as JSON without insignificant space.
    """

    index: str
    line: int
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedFile:
    """What one file holds: its objects and everything that is wrong with it (problems carry no path yet).

    `problems[i].source` is `:14` (line) or `#2` (document); the reader puts the path before it, because one
    blob may stand at several paths.
    """

    documents: tuple[ParsedDocument, ...]
    problems: tuple[Problem, ...]
