"""A Git server on loopback for demos, tests and benchmarks: `git http-backend` behind a small HTTP server.

It serves every repository under one folder over smart HTTP or HTTPS, optionally with basic authentication or
a bearer token, and counts the requests it answers. It never listens beyond loopback, and refuses pushes
unless it was made to take them. As a program (arguments: the folder, the port) it takes pushes until SIGTERM.
"""

from __future__ import annotations

import base64
import collections
import contextlib
import hmac
import os
import shutil
import signal
import ssl
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BufferedIOBase
from pathlib import Path
from typing import IO, Any
from urllib.parse import unquote, urlsplit

_CHUNK = 65536
_MAX_BODY = 64 * 1024 * 1024
_BACKEND_SECONDS = 120


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who may fetch: anybody when empty, else a user with a password, or the bearer of a token."""

    username: str = ""
    password: str = ""
    token: str = ""

    def allows(self, header: str) -> bool:
        """Say whether an `Authorization` header is good enough."""
        expected = self._expected()
        return not expected or hmac.compare_digest(header.encode(), expected.encode())

    @property
    def challenge(self) -> str:
        """What a 401 asks for."""
        return f'{"Bearer" if self.token else "Basic"} realm="git"'

    def _expected(self) -> str:
        if self.token:
            return f"Bearer {self.token}"
        if self.username or self.password:
            return "Basic " + base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        return ""


class GitServer:
    """Serve the repositories under `root`; `url("shop.git")` names one. Use as a context manager.

    `certificate` is a (certificate, key) pair of PEM files and makes it HTTPS. With `takes_pushes` it lets
    pushes through to repositories whose `http.receivepack` is true. `requests` counts what was
    asked, keyed by `"<repository> <service> <verb>"`, for example `"shop.git git-upload-pack GET"`.
    """

    def __init__(
        self,
        root: Path,
        *,
        access: Access | None = None,
        certificate: tuple[Path, Path] | None = None,
        port: int = 0,
        takes_pushes: bool = False,
    ) -> None:
        self.root = root
        self.access = access or Access()
        self.takes_pushes = takes_pushes
        self.requests: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()
        self._backend = _find_backend()
        self._http = _Server(("127.0.0.1", port), _GitHandler, owner=self)
        self._scheme = "http"
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*certificate)
            self._http.socket = context.wrap_socket(
                self._http.socket, server_side=True, do_handshake_on_connect=False
            )
            self._scheme = "https"
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="git-server", daemon=True
        )

    @property
    def port(self) -> int:
        """The loopback port it listens on."""
        return int(self._http.server_address[1])

    def url(self, name: str, *, host: str = "127.0.0.1") -> str:
        """Return the URL of a repository under the root."""
        return f"{self._scheme}://{host}:{self.port}/{name}"

    def start(self) -> None:
        """Answer requests from now on, in threads of its own."""
        self._thread.start()

    def stop(self) -> None:
        """Stop answering and close the port; idempotent."""
        if self._thread.is_alive():
            self._http.shutdown()
            self._thread.join()
        self._http.server_close()

    def __enter__(self) -> GitServer:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def count(self, key: str) -> None:
        """Note one request."""
        with self._lock:
            self.requests[key] += 1

    def backend(self, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        """Start `git http-backend` for one request."""
        return subprocess.Popen(
            [self._backend],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": os.environ.get("PATH", ""), **self._environment(), **environment},
        )

    def _environment(self) -> dict[str, str]:
        return {
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_NOSYSTEM": "1",
            "HOME": str(self.root),
            # The folder may belong to another user than the one who serves it.
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
        }


def _find_backend() -> str:
    git = shutil.which("git")
    if git is None:
        raise FileNotFoundError("git is not on the PATH; install it (for example: apt-get install git)")
    folder = subprocess.run([git, "--exec-path"], check=True, capture_output=True, text=True)
    backend = Path(folder.stdout.strip()) / "git-http-backend"
    if not backend.exists():
        raise FileNotFoundError(f"{backend} is missing; install the full git package")
    return str(backend)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, address: tuple[str, int], handler: type[_GitHandler], *, owner: GitServer) -> None:
        self.owner = owner
        super().__init__(address, handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client that hangs up in the middle is everyday life for a server under test."""


class _GitHandler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Two small writes per answer would wait 40 ms for the client's delayed acknowledgement otherwise.
    disable_nagle_algorithm = True
    wbufsize = _CHUNK
    timeout = _BACKEND_SECONDS
    server: _Server

    def do_GET(self) -> None:
        self._serve()

    def do_POST(self) -> None:
        self._serve()

    def _serve(self) -> None:
        owner = self.server.owner
        parts = urlsplit(self.path)
        owner.count(_request_key(parts.path, parts.query, self.command))
        body = self._body()
        if not owner.access.allows(self.headers.get("Authorization", "")):
            self._refuse(HTTPStatus.UNAUTHORIZED)
        elif "git-receive-pack" in self.path and not owner.takes_pushes:
            self._refuse(HTTPStatus.FORBIDDEN)
        else:
            self._run_backend(unquote(parts.path), query=parts.query, body=body)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            return b"".join(_chunks(self.rfile))
        size = int(self.headers.get("Content-Length") or 0)
        return self.rfile.read(size) if 0 < size <= _MAX_BODY else b""

    def _refuse(self, status: HTTPStatus) -> None:
        self.send_response(status)
        if status == HTTPStatus.UNAUTHORIZED:
            self.send_header("WWW-Authenticate", self.server.owner.access.challenge)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _run_backend(self, path: str, *, query: str, body: bytes) -> None:
        process = self.server.owner.backend(
            {
                "PATH_INFO": path,
                "QUERY_STRING": query,
                "REQUEST_METHOD": self.command,
                "CONTENT_TYPE": self.headers.get("Content-Type", ""),
                "CONTENT_LENGTH": str(len(body)),
                "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
                "HTTP_GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
                "REMOTE_ADDR": "127.0.0.1",
            }
        )
        with process:
            assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 — both are pipes
            try:
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.write(body)
                with contextlib.suppress(BrokenPipeError):
                    process.stdin.close()
                self._answer(process.stdout)
            finally:
                process.kill()

    def _answer(self, output: IO[bytes]) -> None:
        """Translate CGI to HTTP: the header block gives the status, the rest goes out in chunks."""
        status, headers = 200, []
        for line in iter(output.readline, b"\r\n"):
            if not line:
                break
            name, _, value = line.decode("latin-1").strip().partition(": ")
            if name == "Status":
                status = int(value.split()[0])
            else:
                headers.append((name, value))
        self.send_response(status)
        for name, value in headers:
            self.send_header(name, value)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        while data := output.read(_CHUNK):
            self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
        self.wfile.write(b"0\r\n\r\n")

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 — named by http.server
        """Say nothing: the counters tell what was asked."""


def _request_key(path: str, query: str, verb: str) -> str:
    repository, _, rest = path.strip("/").partition("/info/refs")
    if not rest and repository.endswith("/git-upload-pack"):
        return f"{repository.removesuffix('/git-upload-pack')} git-upload-pack {verb}"
    return f"{repository} {query.removeprefix('service=') or 'other'} {verb}"


def _chunks(stream: BufferedIOBase) -> Iterator[bytes]:
    """Read a chunked request body, at most `_MAX_BODY` bytes of it."""
    total = 0
    while total <= _MAX_BODY:
        size = int(stream.readline().split(b";")[0] or b"0", 16)
        if size == 0:
            stream.readline()
            return
        total += size
        yield stream.read(size)
        stream.readline()


def main(arguments: list[str]) -> None:
    """Serve fetches and pushes until SIGTERM or SIGINT."""
    ended = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: ended.set())
    with GitServer(Path(arguments[0]), port=int(arguments[1]), takes_pushes=True):
        ended.wait()


if __name__ == "__main__":
    main(sys.argv[1:])
