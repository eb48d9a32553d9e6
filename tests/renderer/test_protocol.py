"""The renderer as a child process: frames, limits, neighbours and its end."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from tests.renderer.child import PATIENCE, Renderer, program

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\ndata: {a: b}\n"
SMALL: dict[str, str | bytes] = {"kustomization.yaml": "resources: [a.yaml]\n", "a.yaml": CONFIG}
# Nine lists, each of nine times the one before.
LAUGHS = "".join(
    f"{name}: &{name} [{','.join([f'*{before}' if before else 'x'] * 9)}]\n"
    for before, name in zip(["", *"abcdefghi"], "abcdefghij", strict=True)
)


def start() -> subprocess.Popen[bytes]:
    """Return the bare process."""
    place = program()
    if place is None:
        pytest.skip("nopea-render is not built; run `make renderer`")
    return subprocess.Popen(
        [place, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def end(process: subprocess.Popen[bytes], sent: bytes) -> tuple[int, bytes]:
    """Send bytes, close, and return the exit status and what was written to standard error."""
    _, errors = process.communicate(sent, timeout=PATIENCE)
    return process.returncode, errors


def test_it_ends_when_its_parent_is_gone() -> None:
    """A closed standard input is the parent's end."""
    assert end(start(), b"") == (0, b"")


@pytest.mark.parametrize(
    "sent",
    [
        b"\xff\xff\xff\xff",
        b"\x00\x00\x00\x05\xc1\xc1\xc1\xc1\xc1",
        b"\x00\x00\x00\x09\x81\xa2id\xa3one",
        b"\x00\x00\x10\x00half",
    ],
)
def test_a_stream_that_is_not_the_protocol_ends_it(sent: bytes) -> None:
    """The parent starts another; nothing is guessed."""
    status, errors = end(start(), sent)

    assert status == 1
    assert b"goroutine" not in errors


def test_answers_come_in_any_order(renderer: Renderer) -> None:
    """A small request is answered while a big one is built."""
    names = [f"c{number}.yaml" for number in range(1500)]
    big = {name: CONFIG.replace("name: a", f"name: {name}") for name in names}
    slow = renderer.send({**big, "kustomization.yaml": f"resources: [{', '.join(names)}]\n"})

    assert "ok" in renderer.ask(SMALL)

    assert len(renderer.receive(slow)["ok"]["documents"]) == 1500


def test_the_version_is_the_one_that_the_program_prints(renderer: Renderer) -> None:
    """The parent keys cached output by it."""
    place = program()
    assert place is not None

    printed = subprocess.run([place, "--version"], capture_output=True, check=True, timeout=PATIENCE).stdout

    assert printed.decode().strip() == renderer.version


@pytest.mark.parametrize(
    ("documents", "size", "kind"), [(1, 10_000, "too_many_documents"), (10, 100, "too_big")]
)
def test_more_than_is_allowed_is_an_error(documents: int, size: int, kind: str) -> None:
    """The limits are the parent's."""
    if program() is None:
        pytest.skip("nopea-render is not built; run `make renderer`")
    two = {**SMALL, "a.yaml": CONFIG + "---\n" + CONFIG.replace("name: a", "name: b")}

    with Renderer(max_documents=documents, max_output_bytes=size) as renderer:
        assert renderer.refuse(two)["kind"] == kind


def test_bases_that_double_at_every_step_are_refused_before_they_are_built(renderer: Renderer) -> None:
    """Thirty folders would make a thousand million objects."""
    files: dict[str, str | bytes] = {"f0/kustomization.yaml": "resources: [a.yaml]\n", "f0/a.yaml": CONFIG}
    for step in range(1, 30):
        for side in "ab":
            files[f"{side}{step}/kustomization.yaml"] = f"resources: [../f{step - 1}]\nnamePrefix: {side}-\n"
        files[f"f{step}/kustomization.yaml"] = f"resources: [../a{step}, ../b{step}]\n"

    error = renderer.refuse(files, path="f29")

    assert error["kind"] == "too_many_documents"


def test_a_deadline_that_has_passed_is_an_error(renderer: Renderer) -> None:
    """Work that asks in between ends by itself; the parent ends the rest."""
    error = renderer.refuse(SMALL, seconds=0.000001)

    assert error["kind"] == "timeout"


@pytest.mark.parametrize(
    "bomb",
    [
        LAUGHS,
        "a: " + "[" * 5000 + "]" * 5000 + "\n",
        "".join(" " * depth + "a:\n" for depth in range(500)),
        "a: &a {b: *a}\n",
        "a: &a\n  <<: *a\n",
        "x: &x {y: *x}\n---\na: 1\n",
    ],
    ids=["laughs", "brackets", "indents", "alias", "merge", "second document"],
)  # fmt: skip
@pytest.mark.parametrize("place", ["resource", "patch", "inline patch", "kustomization", "component", "crd"])
def test_yaml_that_expands_without_end_costs_its_own_request(
    renderer: Renderer, bomb: str, place: str
) -> None:
    """Kustomize overflows its stack or its memory on each of these."""
    hostile = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n" + bomb
    inline = "\n".join("    " + line for line in hostile.splitlines())
    kustomizations = {
        "resource": "resources: [bomb.yaml]\n",
        "patch": "resources: [a.yaml]\npatches: [{path: bomb.yaml}]\n",
        "inline patch": f"resources: [a.yaml]\npatches:\n- patch: |\n{inline}\n",
        "kustomization": "resources: [a.yaml]\n" + bomb,
        "component": "resources: [a.yaml]\ntransformers: [bomb.yaml]\n",
        "crd": "resources: [a.yaml]\ncrds: [bomb.yaml]\n",
    }
    files = {**SMALL, "kustomization.yaml": kustomizations[place], "bomb.yaml": hostile}

    error = renderer.refuse(files)

    assert error["kind"] in {"invalid_resource", "invalid_kustomization"}, error
    assert renderer.render(SMALL).objects


def test_nothing_is_left_on_the_disk(renderer: Renderer, tmp_path: Path) -> None:
    """The child has no file open but its pipes and the null device."""
    renderer.render(SMALL)

    opened = {str(link.readlink()) for link in Path(f"/proc/{renderer.pid}/fd").iterdir()}

    # Go itself reads the limits of its control group.
    on_disk = {
        name for name in opened if name.startswith("/") and not name.startswith(("/dev/null", "/sys/"))
    }
    assert on_disk == set()
    assert list(tmp_path.iterdir()) == []
