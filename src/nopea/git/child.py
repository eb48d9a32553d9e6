"""`python -m nopea.git.child PARENT THREADS`: answers frames on its pipes, each request in a thread.

It ends when the pipe closes, and keeps no state between requests but the mirrors on disk. What goes wrong in
one request is its answer; what kills the process (a crash, the parent's deadline) is the parent's business.
"""

from __future__ import annotations

import faulthandler
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pygit2

from nopea.core.git.networks import Networks
from nopea.core.git.source import Ref, RefKind
from nopea.core.secret import Secret, mask_text
from nopea.git import merging, mirror, tree
from nopea.git.confine import be_killed_first, die_with, enter_sandbox, limit_memory, take_pipes
from nopea.git.failure import GitFailure
from nopea.git.protocol import Decoder, ErrorKind, FrameTooBigError, Op, encode
from nopea.git.remote import Line, RemoteAddress, create_repository

# libgit2 maps packs in windows; the defaults (1 GiB each) make one big pack cost that much address space.
_WINDOW_BYTES = 32 * 1024 * 1024
_MAPPED_BYTES = 256 * 1024 * 1024
_CACHE_BYTES = 8 * 1024 * 1024
_STACK_BYTES = 1024 * 1024
_READ = 1024 * 1024
# How much bigger than what arrived a file may be: a pack gets the objects that it is based on.
_BESIDE_PACK_BYTES = 256 * 1024 * 1024
_SCRATCH = "scratch"


@dataclass(frozen=True, slots=True)
class Setup:
    """What the parent configured once."""

    home: Path
    ca_file: str
    max_fetch_bytes: int
    max_file_bytes: int
    networks: Networks
    limits: mirror.MirrorLimits

    @classmethod
    def apply(cls, raw: dict[str, Any]) -> Setup:
        """Set libgit2's process-wide options and this process's limits, and enter the sandbox."""
        home = Path(raw["home"])
        options = pygit2.settings
        options.homedir = str(home)
        for level in (
            pygit2.enums.ConfigLevel.SYSTEM,
            pygit2.enums.ConfigLevel.XDG,
            pygit2.enums.ConfigLevel.GLOBAL,
        ):
            options.search_path[level] = str(home)
        options.server_connect_timeout = raw["connect_timeout_ms"]
        options.server_timeout = raw["server_timeout_ms"]
        options.owner_validation = False  # the cache folder may be a volume that another user owns
        options.mwindow_size = _WINDOW_BYTES
        options.mwindow_mapped_limit = _MAPPED_BYTES
        options.cache_max_size(_CACHE_BYTES)
        if raw["ca_file"]:
            options.set_ssl_cert_locations(raw["ca_file"], None)
        create_repository(home / _SCRATCH)
        limit_memory(raw["memory_bytes"])
        most = raw["max_fetch_bytes"] + _BESIDE_PACK_BYTES
        for missing in enter_sandbox(Path(raw["cache"]), max_file_bytes=most, all_files=raw["file_urls"]):
            sys.stderr.write(f"{missing}\n")
        limits = mirror.MirrorLimits(
            max_packs=raw["max_packs"], max_objects=raw["max_objects"], max_bytes=raw["max_mirror_bytes"]
        )
        return cls(
            home,
            raw["ca_file"],
            raw["max_fetch_bytes"],
            raw["max_file_bytes"],
            Networks(raw["networks"]),
            limits,
        )


class Child:
    """Answers requests; `answers` is the pipe to the parent."""

    def __init__(self, answers: int, *, threads: int) -> None:
        self._answers = answers
        self._writing = threading.Lock()
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="git")
        self._setup: Setup | None = None
        self._operations: dict[str, Callable[[Setup, dict[str, Any]], Any]] = {
            Op.LS_REMOTE: _ls_remote,
            Op.SYNC: _sync,
            Op.FILES: _files,
            Op.PATHS: _paths,
            Op.READ: _read,
            Op.MANIFESTS: _manifests,
            Op.HEAD: _head,
            Op.MERGE: _merge,
        }

    def take(self, request: dict[str, Any]) -> None:
        """Begin a request; its answer is written when it is there."""
        if request["op"] == Op.CONFIGURE:
            self._setup = Setup.apply(request)
            self._send({"id": request["id"], "ok": {}})
        else:
            self._threads.submit(self._answer, request)

    def _answer(self, request: dict[str, Any]) -> None:
        answer: dict[str, Any] = {"id": request["id"]}
        try:
            assert self._setup is not None  # noqa: S101 — the parent configures first
            answer["ok"] = self._operations[request["op"]](self._setup, request)
        except GitFailure as failure:
            message = mask_text(failure.message, *_secrets(request))
            answer["err"] = {"kind": failure.kind, "message": message, **failure.facts}
        except MemoryError:
            answer["err"] = {"kind": ErrorKind.MEMORY, "message": "out of memory"}
        except Exception as error:  # noqa: BLE001 — a thread's last resort: a bug must not leave a request unanswered
            message = mask_text(f"{type(error).__name__}: {error}", *_secrets(request))
            answer["err"] = {"kind": ErrorKind.BUG, "message": message}
        self._send(answer)

    def _send(self, answer: dict[str, Any]) -> None:
        try:
            frame = encode(answer)
        except FrameTooBigError as error:
            frame = encode({"id": answer["id"], "err": {"kind": ErrorKind.TOO_BIG, "message": str(error)}})
        except Exception as error:  # noqa: BLE001 — as above: without an answer, the parent loses a slot until the deadline
            message = f"the answer cannot be sent: {type(error).__name__}"
            frame = encode({"id": answer["id"], "err": {"kind": ErrorKind.BUG, "message": message}})
        with self._writing:
            view = memoryview(frame)
            while view:
                view = view[os.write(self._answers, view) :]


def _secrets(request: dict[str, Any]) -> list[Secret]:
    address = request.get("address") or {}
    keys = ("password", "token", "identity", "identity_password")
    proxy_login = address.get("proxy", "").rpartition("@")[0].rpartition(":")[2]
    return [Secret(value) for value in (*(address.get(key) for key in keys), proxy_login) if value]


def _line(setup: Setup, request: dict[str, Any]) -> Line:
    return Line(
        address=RemoteAddress.parse(request["address"]),
        ends_at=time.monotonic() + request["seconds"],
        max_bytes=setup.max_fetch_bytes,
        networks=setup.networks,
        ca_file=setup.ca_file,
    )


def _ref(request: dict[str, Any]) -> Ref:
    return Ref(RefKind(request["ref"][0]), request["ref"][1])


def _ls_remote(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    line = _line(setup, request)
    with _opened(setup.home / _SCRATCH) as repository:
        return {"id": mirror.resolve(line.talk(repository), _ref(request))}


def _sync(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    path, again, history = Path(request["mirror"]), request["again"], request["history"]
    return mirror.sync(path, _ref(request), _line(setup, request), setup.limits, again=again, history=history)


@contextmanager
def _opened(path: str | Path) -> Iterator[pygit2.Repository]:
    with mirror.opened(Path(path)) as repository:
        if repository is None:
            raise GitFailure(ErrorKind.MIRROR, "the mirror cannot be opened")
        yield repository


def _files(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    del setup
    with _opened(request["mirror"]) as repository:
        return tree.files(repository, request["commit"], request["subpath"])


def _paths(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    del setup
    with _opened(request["mirror"]) as repository:
        return tree.paths(repository, request["commit"], request["paths"])


def _read(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    with _opened(request["mirror"]) as repository:
        return tree.read(repository, tree.ids(request["blobs"]), max_bytes=setup.max_file_bytes)


def _manifests(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    from nopea.core.manifests.file import parse_file  # late: most children of a trust group never parse

    blobs, limit = tree.ids(request["blobs"]), setup.max_file_bytes
    with _opened(request["mirror"]) as repository:
        return tree.manifests(repository, blobs, parse_file, max_bytes=limit)


def _head(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    del setup
    with _opened(request["mirror"]) as repository:
        return mirror.facts(repository, request["commit"], fetched=False)


def _merge(setup: Setup, request: dict[str, Any]) -> dict[str, Any]:
    del setup
    with _opened(request["mirror"]) as repository:
        return merging.merge(repository, request["onto"], request["head"])


def main() -> None:
    """Serve until the parent closes the pipe or ends."""
    faulthandler.enable()
    be_killed_first()
    die_with(int(sys.argv[1]))
    threading.stack_size(_STACK_BYTES)
    requests, answers = take_pipes()
    child, decoder = Child(answers, threads=int(sys.argv[2])), Decoder()
    while data := os.read(requests, _READ):
        for request in decoder.feed(data):
            child.take(request)
    os._exit(0)  # threads may hang in libgit2; nobody is left to hear them


if __name__ == "__main__":
    main()
