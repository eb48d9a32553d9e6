"""The port with real children: answers, limits, children that die, the sandbox."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from pathlib import Path
from typing import Any

import orjson
import pytest
from tests.git.conftest import until
from tests.render.conftest import running

from nopea.core.manifests.rendering import RenderAnswer, RenderRequest
from nopea.core.manifests.tool import Tool
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, StalledError, SyncError
from nopea.git.settings import MIB
from nopea.render.port import RenderPort
from nopea.render.process import RenderSettings

OWNER = RepoKey("shop", "api")
WEB = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: b}\n"
OVERLAY = {
    "prod/kustomization.yaml": "namePrefix: prod-\nresources: [../base]\n",
    "base/kustomization.yaml": "resources: [web.yaml]\n",
    "base/web.yaml": WEB,
}


async def _render(
    port: RenderPort, files: dict[str, str], *, seconds: float = 60, **fields: Any
) -> RenderAnswer:
    request = RenderRequest(
        tool=Tool.KUSTOMIZE,
        files={path: text.encode() for path, text in files.items()},
        folders=("",),
        **fields,
    )
    return await port.render(request, OWNER, timeout_seconds=seconds)


async def test_no_process_is_started_before_the_first_rendering(port: RenderPort) -> None:
    """Most clusters need none, and it has a hundred megabytes."""
    await asyncio.sleep(0.5)
    assert port.pids() == []

    await _render(port, OVERLAY, path="prod")

    assert len(port.pids()) == 1


async def test_an_overlay_is_rendered(port: RenderPort) -> None:
    """Each object has the file that a person edits; the answer says what was read."""
    answer = await _render(port, OVERLAY, path="prod")

    (found,) = answer.objects
    assert (found.source, found.index) == ("base/web.yaml", 0)
    assert orjson.loads(found.body)["metadata"]["name"] == "prod-web"
    assert set(answer.read) == set(OVERLAY)


async def test_what_is_not_given_is_asked_for(port: RenderPort) -> None:
    """The answer names the folder of the base."""
    request = RenderRequest(
        tool=Tool.KUSTOMIZE,
        path="prod",
        files={"prod/kustomization.yaml": OVERLAY["prod/kustomization.yaml"].encode()},
        folders=("prod",),
    )

    assert (await port.render(request, OWNER, timeout_seconds=60)).need == ("base",)


async def test_options_reach_the_renderer(port: RenderPort) -> None:
    """What `spec.kustomize` says comes on top of the kustomization."""
    answer = await _render(port, OVERLAY, path="prod", options={"kustomize": {"nameSuffix": "-v2"}})

    assert orjson.loads(answer.objects[0].body)["metadata"]["name"] == "prod-web-v2"


async def test_a_problem_has_a_code_and_a_file(port: RenderPort) -> None:
    """The other requests go on."""
    broken = {"prod/kustomization.yaml": "resources: [gone.yaml]\n"}

    bad, good = await asyncio.gather(
        _render(port, broken, path="prod"), _render(port, OVERLAY, path="prod"), return_exceptions=True
    )

    assert isinstance(bad, StalledError)
    assert bad.problems[0].code is Code.RENDER_FILE_MISSING
    assert bad.problems[0].source.startswith("prod/kustomization.yaml")
    assert isinstance(good, RenderAnswer)


async def test_a_child_that_is_killed_costs_nothing(port: RenderPort) -> None:
    """Another one answers."""
    await _render(port, OVERLAY, path="prod")
    (pid,) = port.pids()
    os.kill(pid, signal.SIGKILL)

    assert (await _render(port, OVERLAY, path="prod")).objects
    await until(lambda: [each for each in port.pids() if each != pid])


async def test_a_request_ends_by_its_deadline(port: RenderPort) -> None:
    """A child that hangs is replaced; a neighbour is repeated."""
    await _render(port, OVERLAY, path="prod")
    (pid,) = port.pids()
    os.kill(pid, signal.SIGSTOP)

    late, other = await asyncio.gather(
        _render(port, OVERLAY, path="prod", seconds=0.5),
        _render(port, OVERLAY, path="prod", seconds=30),
        return_exceptions=True,
    )

    assert isinstance(late, SyncError)
    assert late.problems[0].code is Code.RENDERING_TIMEOUT
    assert isinstance(other, RenderAnswer)


async def test_a_rendering_that_needs_too_much_memory_costs_its_own_request(tmp_path: Path) -> None:
    """It is tried again alone, and refused; then the others are rendered as before."""
    many = "".join(f"- name: c{number}\n  literals: [a={'x' * 4000}]\n" for number in range(6000))
    files = {"prod/kustomization.yaml": f"configMapGenerator:\n{many}"}
    limit = 160 * MIB
    async with running(tmp_path, memory_bytes=limit, total_memory_bytes=limit) as port:
        with pytest.raises(SyncError) as error:
            await _render(port, files, path="prod")

        assert error.value.problems[0].code is Code.RENDERING_TOO_BIG
        assert (await _render(port, OVERLAY, path="prod")).objects


async def test_the_child_runs_in_its_sandbox(port: RenderPort) -> None:
    """It has the parent's filter on system calls, no variables, and its pipes."""
    await _render(port, OVERLAY, path="prod")
    (pid,) = port.pids()

    status, variables = _seen_by_kernel(pid)
    assert (status["Name"].strip(), status["Seccomp"].strip()) == ("nopea-render", "2")
    assert status["NoNewPrivs"].strip() == "1"
    assert variables == {"HOME", "LANG"}


ENDLESS = {
    "bad/Chart.yaml": "apiVersion: v2\nname: bad\nversion: 1.0.0\n",
    "bad/templates/a.yaml": "{{ range until 100000 }}{{ range until 100000 }}{{ end }}{{ end }}",
}


async def _endless(port: RenderPort, owner: RepoKey, *, seconds: float) -> SyncError:
    files = {path: text.encode() for path, text in ENDLESS.items()}
    request = RenderRequest(tool=Tool.HELM, path="bad", files=files, folders=("bad",), options={"helm": {}})
    with pytest.raises(SyncError) as error:
        await port.render(request, owner, timeout_seconds=seconds)
    return error.value


async def test_an_endless_template_costs_its_own_namespace_only(port: RenderPort) -> None:
    """However many of them a namespace has, another one's renderings do not wait for them."""
    took = []
    async with asyncio.TaskGroup() as group:
        bad = [group.create_task(_endless(port, RepoKey("bad", str(each)), seconds=8)) for each in range(4)]
        await asyncio.sleep(1)
        for _ in range(5):
            started = time.monotonic()
            assert (await _render(port, OVERLAY, path="prod")).objects
            took.append(time.monotonic() - started)

    assert sorted(took)[2] < 1, took
    assert {each.result().problems[0].code for each in bad} == {Code.RENDERING_TIMEOUT}


async def test_a_spec_cannot_ask_for_an_hour(tmp_path: Path) -> None:
    """The port has a limit of its own."""
    async with running(tmp_path, max_seconds=1) as port:
        started = time.monotonic()
        error = await _endless(port, OWNER, seconds=3600)

    assert error.problems[0].code is Code.RENDERING_TIMEOUT
    assert time.monotonic() - started < 20


def _seen_by_kernel(pid: int) -> tuple[dict[str, str], set[str]]:
    """Return the status of a process, and the names of its variables."""
    folder = Path(f"/proc/{pid}")
    lines = (folder / "status").read_text(encoding="ascii").splitlines()
    status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    variables = (folder / "environ").read_text(encoding="utf-8").split("\0")
    return status, {each.partition("=")[0] for each in variables if each}


async def test_without_a_program_nothing_is_rendered(tmp_path: Path) -> None:
    """The problem says how to get it, and no process is started."""
    port = RenderPort(RenderSettings(cache_dir=tmp_path, program=None))

    with pytest.raises(StalledError) as error:
        await _render(port, OVERLAY, path="prod")

    assert (error.value.problems[0].code, port.pids()) == (Code.RENDERER_MISSING, [])
