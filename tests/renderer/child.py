"""The renderer program as its parent sees it: requests and answers on its pipes, and nothing else."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any

from nopea.git.protocol import Decoder, encode

# How long a healthy answer may take on a busy machine before the test fails as hanging.
PATIENCE = 60.0


def program() -> Path | None:
    """Return where the built renderer is: NOPEA_RENDERER, or beside the Python that runs the tests."""
    place = Path(os.environ.get("NOPEA_RENDERER") or Path(sys.executable).parent / "nopea-render")
    return place if place.exists() else None


@dataclass(frozen=True, slots=True)
class Rendered:
    """A good answer, with the objects as values."""

    objects: list[dict[str, Any]]
    sources: list[tuple[str, int]]
    read: list[str]
    looked: list[str]
    folders: list[str]
    notes: list[str]


@dataclass(slots=True)
class Renderer:
    """A running child; `with` ends it."""

    max_documents: int = 10_000
    max_output_bytes: int = 32 * 1024 * 1024
    version: str = ""
    _process: subprocess.Popen[bytes] = field(init=False)
    _decoder: Decoder = field(init=False, default_factory=Decoder)
    _answers: dict[int, dict[str, Any]] = field(init=False, default_factory=dict)
    _last: int = field(init=False, default=0)

    def __enter__(self) -> Renderer:
        place = program()
        assert place is not None
        self._process = subprocess.Popen(
            [place, str(os.getpid())], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.send_raw(
            {
                "id": 0,
                "op": "configure",
                "memory_bytes": 512 * 1024 * 1024,
                "max_documents": self.max_documents,
                "max_output_bytes": self.max_output_bytes,
            }
        )
        self.version = self.receive(0)["ok"]["version"]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()
            self._process.wait()
            for stream in (self._process.stdout, self._process.stderr):
                assert stream is not None
                stream.close()

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    def send_raw(self, message: dict[str, Any]) -> None:
        """Write one frame."""
        assert self._process.stdin is not None
        self._process.stdin.write(encode(message))
        self._process.stdin.flush()

    def send(self, files: Mapping[str, str | bytes], **request: Any) -> int:
        """Ask for a rendering of a whole repository and return the request's id, without waiting."""
        self._last += 1
        contents = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
        message = {
            "id": self._last, "op": "render", "seconds": 30.0, "kind": "kustomize", "path": "",
            "files": contents, "folders": [""],
        }  # fmt: skip
        self.send_raw({**message, **request})
        return self._last

    def receive(self, number: int, *, seconds: float = PATIENCE) -> dict[str, Any]:
        """Return the answer to one request; answers to others are kept."""
        assert self._process.stdout is not None
        end = time.monotonic() + seconds
        while number not in self._answers:
            ready, _, _ = select.select([self._process.stdout], [], [], max(0.0, end - time.monotonic()))
            assert ready, "no answer in time"
            data = os.read(self._process.stdout.fileno(), 1 << 20)
            assert data, f"the renderer ended: {self._stderr()[-2000:]}"
            for message in self._decoder.feed(data):
                self._answers[message["id"]] = message
        return self._answers.pop(number)

    def ask(self, files: Mapping[str, str | bytes], **request: Any) -> dict[str, Any]:
        """Return the answer to a rendering as it came."""
        return self.receive(self.send(files, **request))

    def render(self, files: Mapping[str, str | bytes], **request: Any) -> Rendered:
        """Return what a rendering that must succeed produced."""
        answer = self.ask(files, **request)
        assert "ok" in answer, answer
        documents = answer["ok"].pop("documents")
        return Rendered(
            objects=[json.loads(text) for _, _, text in documents],
            sources=[(source, index) for source, index, _ in documents],
            **answer["ok"],
        )

    def refuse(self, files: Mapping[str, str | bytes], **request: Any) -> dict[str, Any]:
        """Return the error of a rendering that must fail."""
        answer = self.ask(files, **request)
        assert "err" in answer, answer
        error: dict[str, Any] = answer["err"]
        return error

    def _stderr(self) -> str:
        assert self._process.stderr is not None
        return self._process.stderr.read().decode(errors="replace")
