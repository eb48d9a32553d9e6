"""Talk to a Git server with libgit2 (child side): list its refs, fetch one of them.

Never writes a URL or a credential to disk, and never sends a credential to another host than the URL's.
"""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pygit2
from pygit2.enums import CredentialType
from pygit2.ffi import C

from nopea.core.git.networks import Networks
from nopea.core.git.source import is_ssh, without_user
from nopea.git.certificate import Shown, look, observe
from nopea.git.failure import GitFailure, network, status_of
from nopea.git.protocol import ErrorKind
from nopea.git.reach import refuse_unreachable
from nopea.git.ref import HEAD, RemoteRefs
from nopea.git.throttle import BUSY, retry_after

_MAX_HEADS = 500_000
_REDIRECTS = "http.followRedirects"
_HTTPS_PORT = 443
_LOOK_SECONDS = 10.0
_USER = "git"


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
    proxy: str
    has_own_proxy: bool

    @classmethod
    def parse(cls, raw: Mapping[str, Any]) -> RemoteAddress:
        """Read the request's part about the remote."""
        return cls(
            url=raw["url"], username=raw["username"], password=raw["password"], token=raw["token"],
            identity=raw["identity"], identity_password=raw["identity_password"], proxy=raw["proxy"],
            has_own_proxy=raw["has_own_proxy"],
        )  # fmt: skip

    def __repr__(self) -> str:
        return "Address(***)"

    @property
    def shown_to_libgit2(self) -> str:
        """The URL without a user that is not to log in: libgit2 would accept no other one."""
        return without_user(self.url) if self.ssh and self.username else self.url

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

    def __init__(self, address: RemoteAddress, *, ends_at: float, max_bytes: int, ca_file: str = "") -> None:
        super().__init__()
        self.shown = Shown()
        self._address = address
        self._ca_file = ca_file
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
        name = address.username or username_from_url or _USER
        if allowed_types == CredentialType.USERNAME:
            return pygit2.Username(name)
        self._asked += 1
        if self._asked > 1:
            raise GitFailure(ErrorKind.AUTHENTICATION, "the server does not accept the credentials")
        if allowed_types & CredentialType.SSH_KEY and address.identity:
            return pygit2.KeypairFromMemory(
                name, None, address.identity.decode(), address.identity_password.decode() or None
            )
        if not address.ssh and (address.password or address.token):  # they were sent with the request
            raise GitFailure(ErrorKind.AUTHENTICATION, "the server does not accept the credentials")
        raise GitFailure(ErrorKind.AUTHENTICATION, "the server asks for credentials")

    def certificate_check(self, certificate: None, valid: bool, host: bytes) -> bool:
        """Trust what the library could verify; of certificates, also what `look` finds good.

        Pygit2's default lets any SSH host pass.
        """
        del certificate
        if valid:
            return True
        if self._address.ssh:
            key = self.shown.host_key
            shown = f"it shows {key}" if key else "it shows a key of another type"
            raise GitFailure(ErrorKind.HOST_KEY, shown, key=[key.type, key.base64] if key else None)
        trusted, reason = self.look()
        if not trusted or trusted != self.shown.certificate:
            raise GitFailure(ErrorKind.CERTIFICATE, reason or f"it is not valid for {host.decode()}")
        return True

    def look(self) -> tuple[bytes, str]:
        """Return the server's certificate if it can be trusted, else why not, as far as that can be said."""
        parts = urlsplit(self._address.url)
        if parts.scheme != "https" or self._address.proxy:  # the server may not be reached but by the proxy
            return b"", ""
        port = parts.port or _HTTPS_PORT
        return look(parts.hostname or "", port, ca_file=self._ca_file, timeout_seconds=self._look_seconds)

    def retry_after(self) -> float | None:
        """Return how many seconds a busy server asks to wait."""
        if self._address.ssh or self._address.proxy:
            return None
        headers = dict(header.split(": ", 1) for header in self.custom_headers() or ())
        return retry_after(
            self._address.url,
            {"User-Agent": "git/2.0 (nopea)", **headers},
            ca_file=self._ca_file,
            timeout_seconds=self._look_seconds,
        )

    @property
    def _look_seconds(self) -> float:
        return max(0.1, min(_LOOK_SECONDS, self._ends_at - time.monotonic()))

    def custom_headers(self) -> list[str] | None:
        """Send a bearer token or a password at once.

        A server that offers NTLM or Negotiate too would not be asked for basic authentication by libgit2.
        """
        address = self._address
        if address.token:
            return [f"Authorization: Bearer {address.token.decode()}"]
        if address.password and not address.ssh:
            login = b"%b:%b" % ((address.username or _USER).encode(), address.password)
            return [f"Authorization: Basic {base64.b64encode(login).decode()}"]
        return None

    def transfer_progress(self, stats: Any) -> None:
        """Stop a pack that is too late, too big, or (at first sight) too long a history."""
        if time.monotonic() > self._ends_at:
            raise GitFailure(ErrorKind.TIMEOUT, f"{stats.received_bytes} bytes had arrived")
        if stats.received_bytes > self._max_bytes:
            raise GitFailure(ErrorKind.TOO_BIG, f"more than {self._max_bytes} bytes in one fetch")
        if 0 < self.max_objects < stats.total_objects:
            raise TooManyObjectsError


observe(Session, lambda session, shown: setattr(session, "shown", shown))


@dataclass(frozen=True, slots=True)
class Conversation:
    """A remote with its session; the repository it belongs to receives what is fetched."""

    remote: Any
    session: Session
    address: RemoteAddress
    networks: Networks
    mirror: str

    def refs(self) -> RemoteRefs:
        """Connect and return all refs that the server lists."""
        self._refuse_unreachable()
        with self._talking():
            listed = self.remote.list_heads(callbacks=self.session, proxy=self.address.proxy or None)
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
        with self._talking(mirror=self.mirror):
            self.remote.fetch(refspecs, callbacks=self.session, proxy=self.address.proxy or None, depth=depth)

    @contextmanager
    def _talking(self, *, mirror: str = "") -> Iterator[None]:
        """Translate errors. Where the URL has an address, libgit2 calls a wrong certificate an early EOF."""
        try:
            with network(ssh=self.address.ssh, mirror=mirror):
                yield
        except GitFailure as failure:
            if "early EOF" in failure.message and (reason := self.session.look()[1]):
                raise GitFailure(ErrorKind.CERTIFICATE, reason) from failure
            if status_of(failure.message) in BUSY:
                seconds = self.session.retry_after()
                raise GitFailure(failure.kind, failure.message, retry_after=seconds) from failure
            raise

    def _refuse_unreachable(self) -> None:
        if self.address.has_own_proxy:  # a GitRepository names it, as it names the server
            try:
                refuse_unreachable(self.address.proxy, self.networks)
            except GitFailure as failure:
                raise GitFailure(failure.kind, failure.message, of="proxy") from failure
        refuse_unreachable(self.address.url, self.networks, proxied=bool(self.address.proxy))


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What one request may use to talk: its address, its end on the monotonic clock, its limits."""

    address: RemoteAddress
    ends_at: float
    max_bytes: int
    networks: Networks = Networks.ANY
    ca_file: str = ""

    def talk(self, repository: pygit2.Repository) -> Conversation:
        """Begin a conversation on behalf of a repository; nothing is sent yet."""
        session = Session(self.address, ends_at=self.ends_at, max_bytes=self.max_bytes, ca_file=self.ca_file)
        _forbid_redirects(repository)
        with network(ssh=self.address.ssh):
            remote = repository.remotes.create_anonymous(self.address.shown_to_libgit2)
        return Conversation(remote, session, self.address, self.networks, repository.path)


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
