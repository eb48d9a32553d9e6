"""A child that somebody has taken over, started by its real parent: what it reaches, and what it inherits."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from tests.git import intruder
from tests.git.conftest import until

from nopea.git import landlock
from nopea.git.process import GitProcess, Trust
from nopea.git.protocol import Op, encode
from nopea.git.settings import GitSettings
from nopea.tasks import end, spawn

Ask = Callable[..., Awaitable[dict[str, Any]]]
# What older kernels than the first with all of Landlock (6.12) cannot refuse; seccomp covers most of it.
_SINCE = {"empty a secret": 3}


@pytest.fixture
def settings(tmp_path: Path) -> GitSettings:
    """The settings of a controller in a cluster, where file URLs are not allowed."""
    return GitSettings(cache_dir=tmp_path / "cache")


@asynccontextmanager
async def taken_over(
    settings: GitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Ask]:
    """Start a child that runs the intruder, and yield what asks it."""
    script = tmp_path / "python"
    script.write_text(
        f'#!/bin/sh\nexec {sys.executable} -I -c "'
        f"import sys; sys.path.append('{Path(__file__).parents[2]}'); "
        f"import runpy; runpy.run_module('{intruder.__name__}', run_name='__main__')"
        '" "$4" "$5"\n'
    )
    script.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(script))
    answers: list[dict[str, Any]] = []
    child = GitProcess("1", settings, Trust(), on_answer=answers.append)
    running = spawn(child.run(), name="child")
    await until(lambda: child.ready)

    async def ask(op: Op, **fields: str) -> dict[str, Any]:
        child.send(encode({"id": 1, "op": op, "seconds": 20, **fields}))
        await until(lambda: answers or running.done())
        found: dict[str, Any] = answers.pop()["ok"]
        return found

    try:
        yield ask
    finally:
        await end(running)


async def test_a_child_that_is_taken_over_reaches_nothing_else(
    settings: GitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No Secret, no other process, no program, and no other socket than a client's; its own work goes on."""
    abi = landlock.abi()
    if not abi:
        pytest.skip("this kernel has no Landlock")
    secret, mirror = tmp_path / "secrets" / "token", settings.cache_dir / "a.git"
    secret.parent.mkdir()
    secret.write_text("a service account's token")
    mirror.parent.mkdir()
    mirror.write_text("a mirror")

    async with taken_over(settings, tmp_path, monkeypatch) as ask:
        outcome = await ask(Op.HEAD, commit=str(secret), mirror=str(mirror))

    own = {name: result for name, result in outcome.items() if name.startswith("own: ")}
    assert set(own.values()) == {"done"}, own
    attacks = {name: outcome[name] for name in outcome if name not in own and abi >= _SINCE.get(name, 1)}
    assert {name: result for name, result in attacks.items() if result not in ("EACCES", "EPERM")} == {}
    assert secret.read_text() == "a service account's token"
    assert [*secret.parent.iterdir()] == [secret]


async def test_a_child_inherits_little(
    settings: GitSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No variable, no open file and no folder of the parent; what it makes is for its user only."""
    monkeypatch.setenv("NOPEA_WEBHOOK_SECRET", "hunter2")
    open_file = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(open_file, True)
    try:
        async with taken_over(settings, tmp_path, monkeypatch) as ask:
            facts = await ask(Op.FILES)
    finally:
        os.close(open_file)

    environment = set(facts.pop("environment")) - {"LC_CTYPE", "PWD", "_"}  # Python and the shell set these
    assert environment - {"SSL_CERT_FILE", "SSL_CERT_DIR"} == {"HOME", "LANG", "MALLOC_ARENA_MAX"}
    assert Path(facts.pop("folder")).parent.parent == settings.cache_dir
    # Standard input, output and error, and the pipes of requests and answers.
    assert facts == {"umask": 0o077, "nice": min(19, os.nice(0) + 5), "descriptors": [0, 1, 2, 3, 4]}
