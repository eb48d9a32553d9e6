"""Get credentials from the program that a kubeconfig names (KEP-541): run it and read its output.

The program's output is never logged.
"""

from __future__ import annotations

import asyncio
import base64
import os
import signal
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import orjson

from nopea.core.secret import Secret, mask_text
from nopea.kube.auth import Identity, Source, UserSource
from nopea.kube.config import ClusterConfig, ConfigError

RUN_SECONDS = 30.0
OUTPUT_LIMIT = 1024 * 1024

_EARLY_SECONDS = 10.0  # a token must not expire on its way to the server
_SHORTEST_SECONDS = 1.0  # a plugin whose tokens have always expired must not run for each request


class _Status(msgspec.Struct, rename="camel"):
    token: str = ""
    client_certificate_data: str = ""
    client_key_data: str = ""
    expiration_timestamp: datetime | None = None


class _ExecCredential(msgspec.Struct, rename="camel"):
    api_version: str
    kind: str
    status: _Status | None = None


def source_of(config: ClusterConfig) -> Source:
    """Return the source of this configuration's identities."""
    return ExecSource(config) if config.user.exec is not None else UserSource(config.user)


class ExecSource:
    """Runs the plugin for each identity; the caller keeps the identity until it expires."""

    def __init__(self, config: ClusterConfig, *, run_seconds: float = RUN_SECONDS) -> None:
        if config.user.exec is None:
            raise ConfigError(f"{config.origin}: the user has no exec plugin")
        self._config = config
        self._plugin = config.user.exec
        self._run_seconds = run_seconds

    async def fetch(self) -> Identity:
        """Run the plugin and read its output.

        Raises ConfigError with the last line of the plugin's errors, or the install hint of a missing one.
        """
        output = await self._run()
        try:
            answer = msgspec.json.decode(output, type=_ExecCredential)
        except msgspec.MsgspecError as error:
            raise self._error(f"did not print an ExecCredential: {error}.") from error
        if answer.kind != "ExecCredential" or answer.api_version != self._plugin.api_version:
            raise self._error(f"printed {answer.kind} {answer.api_version}, not {self._plugin.api_version}.")
        return self._identity_of(answer.status or _Status())

    def _identity_of(self, status: _Status) -> Identity:
        if bool(status.client_certificate_data) != bool(status.client_key_data):
            raise self._error("returned a client certificate or a key without the other.")
        if not status.token and not status.client_certificate_data:
            raise self._error("returned neither a token nor a client certificate.")
        good_until = float("inf")
        if status.expiration_timestamp is not None:
            expires_at = status.expiration_timestamp
            if expires_at.tzinfo is None:
                raise self._error("returned an expirationTimestamp without a time zone.")
            left = (expires_at - datetime.now(UTC)).total_seconds() - _EARLY_SECONDS
            good_until = time.monotonic() + max(left, _SHORTEST_SECONDS)
        return Identity(
            authorization=Secret(f"Bearer {status.token}" if status.token else ""),
            certificate=Secret(status.client_certificate_data),
            key=Secret(status.client_key_data),
            good_until=good_until,
        )

    async def _run(self) -> bytes:
        plugin = self._plugin
        try:
            process = await asyncio.create_subprocess_exec(
                plugin.command,
                *plugin.args,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=self._environment(),
                start_new_session=True,  # so that its own children end with it
            )
        except OSError as error:
            hint = f" {plugin.install_hint}" if plugin.install_hint else ""
            raise self._error(f"cannot be started: {error.strerror}.{hint}") from error
        try:
            async with asyncio.timeout(self._run_seconds):
                output, words = await asyncio.gather(_all_of(process.stdout), _all_of(process.stderr))
                code = await process.wait()
        except TimeoutError as error:
            raise self._error(f"did not end within {self._run_seconds:.0f} s.") from error
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        if code != 0:
            raise self._error(f"exited with code {code}: {self._last_line(words)}")
        if len(output) > OUTPUT_LIMIT:
            raise self._error(f"printed more than {OUTPUT_LIMIT} bytes.")
        return output

    def _environment(self) -> dict[str, str]:
        spec: dict[str, Any] = {"interactive": False}
        if self._plugin.provide_cluster_info:
            spec["cluster"] = self._cluster_info()
        info = {"apiVersion": self._plugin.api_version, "kind": "ExecCredential", "spec": spec}
        variables = {name: value.reveal().decode() for name, value in self._plugin.env}
        return {**os.environ, **variables, "KUBERNETES_EXEC_INFO": orjson.dumps(info).decode()}

    def _cluster_info(self) -> dict[str, Any]:
        config = self._config
        ca = config.ca
        pem = ca.read_bytes() if isinstance(ca, Path) else ca.reveal() if ca is not None else b""
        cluster: dict[str, Any] = {
            "server": config.server,
            "tls-server-name": config.tls_server_name,
            "insecure-skip-tls-verify": config.insecure,
            "certificate-authority-data": base64.b64encode(pem).decode(),
            "proxy-url": config.proxy_url,
            "config": self._plugin.cluster_config,
        }
        return {name: value for name, value in cluster.items() if value}

    def _last_line(self, words: bytes) -> str:
        lines = words.decode(errors="replace").split("\n")
        last = next((line.strip() for line in reversed(lines) if line.strip()), "it printed no error.")
        return mask_text(last[:300], *(value for _, value in self._plugin.env))

    def _error(self, what: str) -> ConfigError:
        return ConfigError(f"{self._config.origin}: exec plugin {self._plugin.command} {what}")


async def _all_of(stream: asyncio.StreamReader | None) -> bytes:
    """Read to the end, but keep at most one byte more than the limit, so that the caller notices."""
    output = bytearray()
    while stream is not None and (part := await stream.read(65_536)):
        output += part[: OUTPUT_LIMIT + 1 - len(output)]
    return bytes(output)
