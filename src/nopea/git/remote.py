"""Talk to a Git server with libgit2 (child side): list its refs, fetch one of them.

Never writes a URL or a credential to disk, and never sends a credential to another host than the URL's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2
from pygit2.enums import CredentialType
from pygit2.ffi import C

from nopea.core.git.networks import Networks
from nopea.core.git.source import is_ssh
from nopea.git.failure import GitFailure, network
from nopea.git.protocol import ErrorKind
from nopea.git.reach import refuse_unreachable
from nopea.git.ref import HEAD, RemoteRefs

_MAX_HEADS = 500_000
_REDIRECTS = "http.followRedirects"


class TooManyObjectsError(Exception):
    """The server is about to send more objects than a fetch of whole history may have."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteAddress:
    """Where to and as whom: what one request says about its remote. It does not print."""

    url: str
    username: str
    password: bytes
    token: bytes
    identity: bytes
    identity_password: bytes
    proxy: bool

    @classmethod
    def parse(cls, raw: Mapping[str, Any], *, proxy: bool) -> RemoteAddress:
        """Read the request's part about the remote."""
        return cls(
            url=raw["url"], username=raw["username"], password=raw["password"], token=raw["token"],
            identity=raw["identity"], identity_password=raw["identity_password"], proxy=proxy,
        )  # fmt: skip

    def __repr__(self) -> str:
        return "Address(***)"

    @property
    def ssh(self) -> bool:
        """True for `ssh://` and scp-like URLs."""
        return is_ssh(self.url)

    @property
    def local(self) -> bool:
        """True for a folder on this machine, which libgit2 cannot fetch from at a depth."""
        return self.url.startswith("file://")


class Session(pygit2.RemoteCallbacks):
    """One conversation: answers libgit2's questions and stops it at the deadline and at the size limit."""

    def __init__(self, address: RemoteAddress, *, ends_at: float, max_bytes: int) -> None:
        super().__init__()
        self._address = address
        self._ends_at = ends_at
        self._max_bytes = max_bytes
        self._asked = 0
        self.max_objects = 0

    def __setattr__(self, name: str, value: Any) -> None:
        # pygit2 offers no argument for these two, but hands the options to the callbacks before it fetches.
        if name == "fetch_options" and value is not None:
            value.download_tags = C.GIT_REMOTE_DOWNLOAD_TAGS_NONE
            value.update_fetchhead = 0
        super().__setattr__(name, value)

    def credentials(self, url: str, username_from_url: str | None, allowed_types: CredentialType) -> Any:
        """Answer once; being asked again means that the server did not like the answer."""
        del url
        address = self._address
        name = address.username or username_from_url or "git"
        if allowed_types == CredentialType.USERNAME:
            return pygit2.Username(name)
        self._asked += 1
        if self._asked > 1:
            raise GitFailure(
                ErrorKind.AUTHENTICATION, "the server does not accept the credentials", given=True
            )
        if allowed_types & CredentialType.SSH_KEY and address.identity:
            return pygit2.KeypairFromMemory(
                name, None, address.identity.decode(), address.identity_password.decode() or None
            )
        if allowed_types & CredentialType.USERPASS_PLAINTEXT and address.password:
            return pygit2.UserPass(name, address.password.decode())
        raise GitFailure(
            ErrorKind.AUTHENTICATION, "the server asks for credentials", given=bool(address.token)
        )

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:
        """Trust what the library could verify, and nothing else (pygit2's default lets any SSH host pass)."""
        del certificate, host
        return valid

    def custom_headers(self) -> list[str] | None:
        """Send a bearer token, if there is one."""
        token = self._address.token
        return [f"Authorization: Bearer {token.decode()}"] if token else None

    def transfer_progress(self, stats: Any) -> None:
        """Stop a pack that is too late, too big, or (at first sight) too long a history."""
        if time.monotonic() > self._ends_at:
            raise GitFailure(ErrorKind.TIMEOUT, f"{stats.received_bytes} bytes had arrived")
        if stats.received_bytes > self._max_bytes:
            raise GitFailure(ErrorKind.TOO_BIG, f"more than {self._max_bytes} bytes in one fetch")
        if 0 < self.max_objects < stats.total_objects:
            raise TooManyObjectsError


@dataclass(frozen=True, slots=True)
class Conversation:
    """A remote with its session; the repository it belongs to receives what is fetched."""

    remote: Any
    session: Session
    address: RemoteAddress
    networks: Networks

    def refs(self) -> RemoteRefs:
        """Connect and return all refs that the server lists."""
        self._refuse_unreachable()
        with network(ssh=self.address.ssh):
            listed = self.remote.list_heads(callbacks=self.session, proxy=self._proxy)
        if len(listed) > _MAX_HEADS:
            raise GitFailure(ErrorKind.TOO_BIG, f"the server lists {len(listed)} refs")
        return RemoteRefs(
            ids={head.name: str(head.oid) for head in listed if head.name},
            default=next((head.symref_target or "" for head in listed if head.name == HEAD), ""),
        )

    def fetch(self, refspecs: list[str], *, depth: int = 0, max_objects: int = 0) -> None:
        """Fetch into the repository; raises TooManyObjectsError over `max_objects` (0: no limit)."""
        self.session.max_objects = max_objects
        self._refuse_unreachable()
        with network(ssh=self.address.ssh):
            self.remote.fetch(refspecs, callbacks=self.session, proxy=self._proxy, depth=depth)

    def _refuse_unreachable(self) -> None:
        """Look at the host's addresses; a proxy resolves the name itself."""
        if not self.address.proxy:
            refuse_unreachable(self.address.url, self.networks)

    @property
    def _proxy(self) -> bool | None:
        return True if self.address.proxy else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one request may use to talk: its address, its end on the monotonic clock, its limits."""

    address: RemoteAddress
    ends_at: float
    max_bytes: int
    networks: Networks = Networks.ANY

    def talk(self, repository: pygit2.Repository) -> Conversation:
        """Begin a conversation on behalf of a repository; nothing is sent yet."""
        session = Session(self.address, ends_at=self.ends_at, max_bytes=self.max_bytes)
        _forbid_redirects(repository)
        with network(ssh=self.address.ssh):
            remote = repository.remotes.create_anonymous(self.address.url)
        return Conversation(remote, session, self.address, self.networks)


def create_repository(path: Path) -> None:
    """Make a bare repository whose remotes follow no redirect to another host."""
    repository = pygit2.init_repository(str(path), bare=True)
    _forbid_redirects(repository)
    repository.free()


def _forbid_redirects(repository: pygit2.Repository) -> None:
    """Keep libgit2 on the host, of which we know that it may be reached and may see the credentials.

    libgit2 would follow a first redirect to any host, with the Authorization header. A mirror may
    be older than this rule.
    """
    config = repository.config
    if _REDIRECTS not in config or config[_REDIRECTS] != "false":
        config[_REDIRECTS] = "false"
