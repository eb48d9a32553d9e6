"""The secrets of webhooks: those of repositories, read from the cluster, and the process-wide one.

A repository with a Secret of its own never falls back to the process-wide secret.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from cachetools import LRUCache

from nopea.core.objects import Target
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.secret import no_secret, token_of
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import SECRETS
from nopea.kube.live import LiveObject
from nopea.kube.problems import to_problem

KEEP_SECONDS = 30.0
AGAIN_SECONDS = 1.0
READ_SECONDS = 5.0
MOST_OF_NAMESPACE = 256
MOST_NAMESPACES = 256
LONGEST_FILE = 64 * 1024


class Reader(Protocol):
    """Reads an object from the API server; KubeClient implements it."""

    async def get(self, target: Target) -> LiveObject:
        """Read one object, or raise ApiError."""
        ...


class _Entry:
    """A Secret as last read. The lock makes concurrent callers share one request."""

    def __init__(self) -> None:
        self.value: Secret | Problem | None = None
        self.read_at = 0.0
        self.failure = ""
        """Why the last attempt failed; `value` is unchanged then."""
        self.tried_at = -math.inf
        self.lock = asyncio.Lock()


class HookSecrets:
    """The Secrets in specs, cached for 30 s, so that a flood of deliveries is not a flood of requests.

    Those of one namespace push out none of another, and its requests do not make others wait. A Secret is
    read at most once a second, also while the API server is unreachable: callers that waited for
    a failed request do not start another.
    """

    def __init__(
        self,
        client_of: Callable[[str], Reader],
        *,
        clock: Callable[[], float],
        most: int = MOST_OF_NAMESPACE,
        most_namespaces: int = MOST_NAMESPACES,
    ) -> None:
        """`client_of` returns the reader for a namespace; `most` is the number of Secrets kept of each."""
        self._client_of = client_of
        self._clock = clock
        self._most = most
        self._namespaces: LRUCache[str, LRUCache[str, _Entry]] = LRUCache(most_namespaces)

    def __len__(self) -> int:
        return sum(map(len, self._namespaces.values()))

    async def read(self, namespace: str, name: str) -> Secret:
        """Return the token. Raises RefusedError: there is none, or it cannot be read now."""
        entry = self._entry(namespace, name)
        async with entry.lock:
            kept_seconds = KEEP_SECONDS if isinstance(entry.value, Secret) else AGAIN_SECONDS
            if entry.value is None or self._clock() - entry.read_at >= kept_seconds:
                if entry.failure and self._was_just_tried(entry):
                    raise _not_now(entry.failure)
                await self._renew(entry, namespace, name)
            return _token(entry)

    async def read_again(self, namespace: str, name: str) -> Secret | None:
        """Read it again after a wrong signature; None if it was just read or cannot be read."""
        entry = self._entry(namespace, name)
        async with entry.lock:
            if self._was_just_tried(entry):
                return None
            try:
                await self._renew(entry, namespace, name)
                return _token(entry)
            except RefusedError:
                return None  # the refusal stands: the signature does not match the last known secret

    def _entry(self, namespace: str, name: str) -> _Entry:
        entries = self._namespaces.get(namespace)
        if entries is None:
            entries = self._namespaces[namespace] = LRUCache(self._most)
        return entries.setdefault(name, _Entry())

    def _was_just_tried(self, entry: _Entry) -> bool:
        return self._clock() - entry.tried_at < AGAIN_SECONDS

    async def _renew(self, entry: _Entry, namespace: str, name: str) -> None:
        try:
            entry.value = await self._ask(namespace, name)
            entry.read_at, entry.failure = self._clock(), ""
        except RefusedError as error:
            entry.failure = error.problem.message
            raise
        finally:
            entry.tried_at = self._clock()

    async def _ask(self, namespace: str, name: str) -> Secret | Problem:
        where = f"Secret {namespace}/{name}"
        try:
            async with asyncio.timeout(READ_SECONDS):
                live = await self._client_of(namespace).get(SECRETS.at(name=name, namespace=namespace))
            return token_of(live.json(), where=where)
        except NotFoundError:
            return no_secret(f"{where} does not exist.", "Create it, or correct spec.webhook.secretRef.name.")
        except TimeoutError as error:
            raise _not_now(f"The API server did not respond to the request for {where}.") from error
        except ApiError as error:
            problem = to_problem(error, object=where, source="")
            if error.retryable:
                raise _not_now(f"{where} cannot be read: {problem.message}") from error
            return no_secret(f"{where} cannot be read: {problem.message}", problem.hint)


class SharedSecret:
    """The process-wide secret: a file, which is read again when it changes, or a value."""

    def __init__(self, value: Secret, file: Path | None) -> None:
        self._value = value
        self._file = file
        self._version: tuple[int, ...] = ()

    def read(self) -> Secret:
        """Return it. Raises RefusedError if none is configured or the file is empty."""
        if self._file is not None:
            self._reload(self._file)
        if not self._value:
            raise RefusedError(
                no_secret(
                    "No secret is configured for this address.",
                    "Set spec.webhook.secretRef in the GitRepository, or --webhook-secret-file.",
                )
            )
        return self._value

    def _reload(self, file: Path) -> None:
        """Read the file if it has changed: mounted Secrets are replaced under the same name."""
        try:
            now = file.stat()
            version = (now.st_ino, now.st_mtime_ns, now.st_size)
            if version == self._version:
                return
            with file.open("rb") as opened:
                self._value = Secret(opened.read(LONGEST_FILE).strip())
            self._version = version
        except OSError as error:
            self._value, self._version = Secret(b""), ()
            raise RefusedError(
                no_secret(
                    f"The file of the process-wide secret cannot be read: {error.strerror}.",
                    "Create the Secret that is mounted there, or correct --webhook-secret-file.",
                )
            ) from error


def _token(entry: _Entry) -> Secret:
    match entry.value:
        case Secret() as token:
            return token
        case Problem() as problem:
            raise RefusedError(problem)
        case None:
            raise AssertionError("unreachable: it was read, or RefusedError was raised")


def _not_now(message: str) -> RefusedError:
    return RefusedError.because(
        Code.WEBHOOK_TRY_AGAIN,
        message,
        "Send the delivery again later. Polling finds the commit meanwhile.",
    )
