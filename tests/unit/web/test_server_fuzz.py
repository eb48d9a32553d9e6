"""Random requests at every endpoint: no 5xx, no crash and no growing memory.

The test takes five seconds; `NOPEA_FUZZ_SECONDS=60` runs it for a minute, and `-s` shows the figures.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import resource
from collections import Counter
from contextlib import suppress
from pathlib import Path

import pytest
from tests.fakes.deliveries import push
from tests.fakes.samples import repository
from tests.unit.core.webhooks.sent import NOW, SECRET, TOKEN, WEB_URL
from tests.unit.web.edge import Edge, receiving, until
from tests.unit.web.rubbish import Rubbish

from nopea.core.problem import Problem
from nopea.web.delivery_log import DeliveryLog

SECONDS = float(os.environ.get("NOPEA_FUZZ_SECONDS", "5"))
AT_ONCE = 16
SILENCE_SECONDS = 0.3
"""The time without data after which a response counts as complete."""
GROWTH_BYTES = 24 * 1024**2
"""The allowed growth after the first fifth of the time; a leak of 1 KB a request exceeds it."""

pytestmark = pytest.mark.timeout(SECONDS + 120)


def _resident() -> int:
    gc.collect()
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def _hook(name: str) -> dict[str, object]:
    return {"secretRef": {"name": name}}


def _repositories() -> list[object]:
    where = {"url": WEB_URL, "path": "web"}
    return [
        repository("own", webhook=_hook("hook"), **where),
        repository("token", webhook=_hook("token"), **where),
        repository("gitlab", webhook={**_hook("token"), "provider": "gitlab"}, **where),
        repository("missing", webhook=_hook("missing"), **where),
        repository("shared", **where),
        repository("tags", **{**where, "ref": {"semver": ">=1.0.0"}}),
        repository("twice", **where),
        repository("twice", namespace="team", **where),
        repository("asleep", suspend=True, **where),
        repository("broken", url=5),
    ]


EXPECTED = {"200", "202", "400", "401", "404", "405", "413", "415"}
"""Statuses that the random requests must have caused, however slow the machine is.

The 404 is for a path that is not an address of Nopea.
"""
EXPECTED_REFUSALS = {
    (400, "NOPEA-W004"),
    (401, "NOPEA-W001"),
    (401, "NOPEA-W002"),
    (401, "NOPEA-W005"),
    (401, "NOPEA-W006"),
    (401, "NOPEA-W007"),
    (413, "NOPEA-W008"),
    (415, "NOPEA-W004"),
}
"""Statuses and codes that the log must have received."""


async def _send(edge: Edge, raw: bytes, answers: Counter[str]) -> None:
    """Write the bytes to a new connection; count the responses until the server closes or is silent."""
    try:
        async with asyncio.timeout(20):
            reader, writer = await asyncio.open_connection("127.0.0.1", edge.port)
    except ConnectionError:
        answers["not connected"] += 1
        return
    try:
        writer.write(raw)
        with suppress(ConnectionError):
            await writer.drain()
        got = b""
        with suppress(ConnectionError, TimeoutError):
            while chunk := await asyncio.wait_for(reader.read(65536), SILENCE_SECONDS):
                got += chunk
        statuses = [line[9:12].decode() for line in got.split(b"\r\n") if line.startswith(b"HTTP/1.")]
        answers.update(statuses or ["closed"])
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()


def _count_refusals(monkeypatch: pytest.MonkeyPatch) -> Counter[tuple[int, str]]:
    """Return a counter of all refusals that the log receives, also of those that it suppresses."""
    refusals: Counter[tuple[int, str]] = Counter()
    write = DeliveryLog.refused

    def refused(log: DeliveryLog, path: str, problem: Problem, *, status: int, namespace: str) -> None:
        refusals[int(status), problem.code.value] += 1
        write(log, path, problem, status=status, namespace=namespace)

    monkeypatch.setattr(DeliveryLog, "refused", refused)
    return refusals


async def test_random_requests_are_rejected_without_effect(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every response is below 500; afterwards a genuine push is accepted as before."""
    caplog.set_level(logging.CRITICAL, "nopea.web.delivery_log")  # else captured records use memory
    answers: Counter[str] = Counter()
    refusals = _count_refusals(monkeypatch)

    def is_complete() -> bool:
        return answers.keys() >= EXPECTED and refusals.keys() >= EXPECTED_REFUSALS

    async with receiving(*_repositories(), shared=SECRET, limit=80_000, read_seconds=0.5) as edge:  # type: ignore[arg-type]
        edge.now = NOW
        edge.cluster.data |= {"shop/hook": {"token": SECRET}, "shop/token": {"token": TOKEN}}
        loop = asyncio.get_running_loop()
        began = loop.time()

        async def work(seed: int, until_time: float) -> None:
            rubbish = Rubbish(seed)
            while loop.time() < until_time or (not is_complete() and loop.time() < until_time + 60):
                await _send(edge, rubbish.next(), answers)
                edge.clock.seconds += 0.01
                edge.woken.clear()
                edge.measured.clear()

        await asyncio.gather(*(work(seed, began + SECONDS / 5) for seed in range(AT_ONCE)))
        before = _resident()
        await asyncio.gather(*(work(100 + seed, began + SECONDS) for seed in range(AT_ONCE)))
        after = _resident()

        await until(lambda: edge.bodies.held_now == 0)
        assert (
            await edge.send("/webhook/shop/shared", push(secret=SECRET, url=WEB_URL, paths=["web/a"]))
        ).status == 202

    print(f"\n{answers.total()} answers in {SECONDS:g} s: {dict(sorted(answers.items()))}")  # noqa: T201
    print(f"refusals: {dict(sorted(refusals.items()))}")  # noqa: T201
    print(f"resident: {before / 1024**2:.1f} MiB after a fifth, {after / 1024**2:.1f} MiB at the end")  # noqa: T201
    assert [status for status in answers if status.startswith("5")] == []
    assert answers.keys() >= EXPECTED
    assert answers.keys().isdisjoint({"403", "409"})
    assert refusals.keys() >= EXPECTED_REFUSALS
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == []
    assert after - before < GROWTH_BYTES
