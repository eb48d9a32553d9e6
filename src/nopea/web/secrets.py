"""The secrets of webhooks: a repository's own, read from the cluster, and the process-wide one.

What is missing is a problem that says so; a repository's own secret never falls back to the process-wide one.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import math
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from nopea.core.objects import Target
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import SECRETS
from nopea.kube.live import LiveObject
from nopea.kube.problems import to_problem
from nopea.web.answers import Declined

KEY = "token"
KEEP_SECONDS = 30.0
AGAIN_SECONDS = 1.0
READ_SECONDS = 5.0
MOST = 1_024
LONGEST_FILE = 64 * 1024


class Reader(Protocol):
    """What is asked of the API server; KubeClient implements it."""

    async def get(self, target: Target) -> LiveObject:
        """Read one object, or raise ApiError."""
        ...


class _Entry:
    """What a Secret was when it was read last. The lock makes many who ask one who reads."""

    def __init__(self) -> None:
        self.value: Secret | Problem | None = None
        self.read_at = 0.0
        self.failure = ""
        """Why the last attempt gave nothing at all; it leaves `value` as it was."""
        self.tried_at = -math.inf
        self.lock = asyncio.Lock()


class HookSecrets:
    """The Secrets that specs name, kept for 30 s, so that a flood of deliveries is no flood of requests.

    Any one Secret is read at most once a second, whatever comes and also while the API server is away: who
    waits behind somebody who waited in vain does not wait again.
    """

    def __init__(self, client: Reader, *, clock: Callable[[], float], most: int = MOST) -> None:
        self._client = client
        self._clock = clock
        self._most = most
        self._entries: OrderedDict[tuple[str, str], _Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    async def read(self, namespace: str, name: str) -> Secret:
        """Return the token. Raises Declined: 403 where there is none, 503 where nobody can say."""
        entry = self._entry(namespace, name)
        async with entry.lock:
            kept_seconds = KEEP_SECONDS if isinstance(entry.value, Secret) else AGAIN_SECONDS
            if entry.value is None or self._clock() - entry.read_at >= kept_seconds:
                if entry.failure and self._was_just_tried(entry):
                    raise _not_now(entry.failure)
                await self._renew(entry, namespace, name)
            return _token(entry)

    async def read_again(self, namespace: str, name: str) -> Secret | None:
        """Read it anew because a signature did not fit: None where it was read a moment ago or cannot be."""
        entry = self._entry(namespace, name)
        async with entry.lock:
            if self._was_just_tried(entry):
                return None
            try:
                await self._renew(entry, namespace, name)
                return _token(entry)
            except Declined:
                return None  # the signature stays refused: it did not fit the last secret that is known

    def _entry(self, namespace: str, name: str) -> _Entry:
        entry = self._entries.setdefault((namespace, name), _Entry())
        self._entries.move_to_end((namespace, name))
        if len(self._entries) > self._most:
            self._entries.popitem(last=False)
        return entry

    def _was_just_tried(self, entry: _Entry) -> bool:
        return self._clock() - entry.tried_at < AGAIN_SECONDS

    async def _renew(self, entry: _Entry, namespace: str, name: str) -> None:
        try:
            entry.value = await self._ask(namespace, name)
            entry.read_at, entry.failure = self._clock(), ""
        except Declined as declined:
            entry.failure = declined.problem.message
            raise
        finally:
            entry.tried_at = self._clock()

    async def _ask(self, namespace: str, name: str) -> Secret | Problem:
        where = f"Secret {namespace}/{name}"
        try:
            async with asyncio.timeout(READ_SECONDS):
                live = await self._client.get(SECRETS.at(name=name, namespace=namespace))
            return _token_of(live.json(), where=where)
        except NotFoundError:
            return _missing(f"{where} does not exist", "Create it, or correct spec.webhook.secretRef.name.")
        except TimeoutError as error:
            raise _not_now(f"the API server did not answer for {where}") from error
        except ApiError as error:
            problem = to_problem(error, object=where, source="")
            if error.retryable:
                raise _not_now(f"{where} cannot be read: {problem.message}") from error
            return _missing(f"{where} cannot be read: {problem.message}", problem.hint)


class SharedSecret:
    """The process-wide secret: a file, read again when it changes, or a value from the environment."""

    def __init__(self, value: Secret, file: Path | None) -> None:
        self._value = value
        self._file = file
        self._version: tuple[int, ...] = ()

    def read(self) -> Secret:
        """Return it. Raises Declined (403) where none is configured or the file holds none."""
        if self._file is not None:
            self._look(self._file)
        if not self._value:
            raise Declined(
                _missing(
                    "no secret is configured for this address",
                    "Give the repository spec.webhook.secretRef, or the process NOPEA_WEBHOOK_SECRET_FILE.",
                )
            )
        return self._value

    def _look(self, file: Path) -> None:
        """Follow the file: mounted Secrets are replaced under the same name."""
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
            raise Declined(
                _missing(
                    f"the file of the process-wide secret cannot be read: {error.strerror}",
                    "Create the Secret that is mounted there, or correct --webhook-secret-file.",
                )
            ) from error


def _token(entry: _Entry) -> Secret:
    match entry.value:
        case Secret() as token:
            return token
        case Problem() as problem:
            raise Declined(problem)
        case None:
            raise AssertionError("unreachable: it was read, or the reason was raised")


def _token_of(raw: dict[str, Any], *, where: str) -> Secret | Problem:
    """Values are stripped: a trailing newline in a file is the commonest mistake there is."""
    try:
        value = base64.b64decode((raw.get("data") or {}).get(KEY) or "", validate=True).strip()
    except (binascii.Error, ValueError, TypeError):
        value = b""
    if not value:
        return _missing(f"{where} has no key {KEY}", f"Put the webhook's secret there, under the key {KEY}.")
    return Secret(value)


def _missing(message: str, hint: str) -> Problem:
    return Problem(code=Code.WEBHOOK_NO_SECRET, message=message, hint=hint)


def _not_now(message: str) -> Declined:
    return Declined.because(
        Code.WEBHOOK_TRY_AGAIN,
        message,
        "Send the delivery again later; polling finds the commit meanwhile.",
        retry_after_seconds=10,
    )
