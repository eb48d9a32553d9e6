"""The key of the hashes in inventories: random, one of each installation, in a Secret beside the heartbeat.

Who may read a status may not read Secrets, and could otherwise check guesses of what a Secret holds. A key
that is lost costs no more than a look at each object: `core/plan/inventory.py` tells hashes of another key.
"""

from __future__ import annotations

import asyncio
import base64
import secrets

import orjson

from nopea import log_events
from nopea.core.api import names
from nopea.core.duration import backoff_seconds
from nopea.core.secret import Secret
from nopea.kube.client import KubeClient
from nopea.kube.errors import AlreadyExistsError, ApiError, ForbiddenError, NotFoundError
from nopea.kube.kinds import SECRETS
from nopea.logs import Log

log = Log(__name__)

KEY_BYTES = 32
MOST_PAUSE_SECONDS = 30.0
RIGHTS_SECONDS = 15.0
"""How long the start waits for the right to the Secret: a Pod may be there before its RoleBinding."""
_FIELD = "key"


class InventoryKey:
    """The key; until `load` has returned, and where no Secret can be had, one of this process alone."""

    def __init__(self, client: KubeClient, *, namespace: str, creates: bool = True) -> None:
        """Without `creates`, a Secret that does not exist is not missed: nothing is recorded with the key."""
        self._client = client
        self._creates = creates
        self._target = SECRETS.at(name=names.INVENTORY_KEY, namespace=namespace)
        self._value = _new_key()
        self._is_final = False
        self._lock = asyncio.Lock()

    @property
    def name(self) -> str:
        """The Secret, as messages name it."""
        return str(self._target.key)

    def current(self) -> Secret:
        """Return the key."""
        return self._value

    async def run(self) -> None:
        """Return when `load` has succeeded."""
        loop, failures = asyncio.get_running_loop(), 0
        until = loop.time() + RIGHTS_SECONDS
        while True:
            try:
                return await self.load(awaits_rights=loop.time() < until)
            except ApiError:
                failures += 1
                await asyncio.sleep(backoff_seconds(failures, first=1.0, most=MOST_PAUSE_SECONDS))

    async def load(self, *, awaits_rights: bool = False) -> None:
        """Read the Secret, or create it. Idempotent; raises ApiError if that may go well later.

        Without the right to the Secret, or if it holds no key, that is logged, and the key is this process's.
        With `awaits_rights`, a missing right is one of the errors that may go away.
        """
        async with self._lock:
            if self._is_final:
                return
            try:
                self._value = await self._read() or (await self._create() if self._creates else self._value)
            except (ApiError, ValueError) as error:
                if isinstance(error, ApiError) and error.retryable:
                    raise
                if isinstance(error, ForbiddenError) and awaits_rights:
                    raise
                log.write(log_events.inventory_key_not_kept, secret=self.name, error=str(error))
            self._is_final = True

    async def _read(self) -> Secret | None:
        try:
            raw = (await self._client.get(self._target)).json()
        except NotFoundError:
            return None
        return _key_of(raw.get("data"))

    async def _create(self) -> Secret:
        key = _new_key()
        body = {
            "apiVersion": SECRETS.api_version,
            "kind": SECRETS.kind,
            "metadata": {"name": self._target.name},
            "data": {_FIELD: base64.b64encode(key.reveal()).decode()},
        }
        try:
            await self._client.create(SECRETS, orjson.dumps(body), namespace=self._target.namespace)
        except AlreadyExistsError:  # another process was faster
            return await self._read() or await self._create()
        return key


def _new_key() -> Secret:
    return Secret(secrets.token_bytes(KEY_BYTES))


def _key_of(data: object) -> Secret:
    """Return the key in a Secret's data; raises ValueError if there is none that can be used."""
    text = data.get(_FIELD) if isinstance(data, dict) else None
    key = base64.b64decode(text, validate=True) if isinstance(text, str) else b""
    if len(key) != KEY_BYTES:
        raise ValueError(f"data.{_FIELD} must hold {KEY_BYTES} bytes. Delete the Secret and restart Nopea.")
    return Secret(key)
