"""The heartbeat: a Lease that the process renews while it works, as a quiet controller writes nothing else.

No decision depends on the Lease: it is information for people and commands.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson

from nopea import __version__, log_events
from nopea.core.api import names
from nopea.core.api.times import format_micro_time
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError
from nopea.kube.kinds import LEASES
from nopea.logs import Log

log = Log(__name__)

RENEW_SECONDS = 10.0
NOT_READY_SECONDS = 1.0
LEASE_SECONDS = 40
"""After this time without a renewal, the process counts as dead: three renewals may be late."""


class Heartbeat:
    """Renews one Lease; `holder` names the process, `why_not_ready` is empty while it works."""

    def __init__(
        self,
        client: KubeClient,
        *,
        namespace: str,
        holder: str,
        why_not_ready: Callable[[], str],
        read_only: bool = False,
    ) -> None:
        self._client = client
        self._annotations = {names.VERSION_ANNOTATION: __version__}
        if read_only:
            self._annotations[names.READ_ONLY_ANNOTATION] = "true"
        self._target = LEASES.at(name=names.LEASE, namespace=namespace)
        self._holder = holder
        self._why_not_ready = why_not_ready
        self._fails = False

    async def run(self) -> None:
        """Renew until cancelled. A failure is logged once; without the right to renew, syncs go on."""
        while True:
            if self._why_not_ready():
                await asyncio.sleep(NOT_READY_SECONDS)
                continue
            await self._write({"holderIdentity": self._holder, "leaseDurationSeconds": LEASE_SECONDS})
            await asyncio.sleep(RENEW_SECONDS)

    async def release(self) -> None:
        """Say that the process has ended in order: the Lease keeps its time and loses its holder."""
        await self._write({})

    async def _write(self, spec: dict[str, Any]) -> None:
        body = {
            "apiVersion": LEASES.api_version,
            "kind": LEASES.kind,
            "metadata": {
                "name": self._target.name,
                "namespace": self._target.namespace,
                "annotations": self._annotations,
            },
            "spec": {**spec, "renewTime": format_micro_time(datetime.now(UTC))},
        }
        try:
            await self._client.apply_own(self._target, orjson.dumps(body))
        except ApiError as error:
            if not self._fails:
                log.write(log_events.heartbeat_failed, lease=str(self._target.key), error=str(error))
            self._fails = True
        else:
            self._fails = False
