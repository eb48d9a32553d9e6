"""A server of releases on loopback, for tests: files from memory, every request recorded."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from nopea_lab.download import Releases


class ReleaseServer(ThreadingHTTPServer):
    """Serves `files` by path and remembers in `asked` what was asked for."""

    daemon_threads = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []

    @property
    def releases(self) -> Releases:
        """Return the addresses to download from."""
        base = f"http://127.0.0.1:{self.server_port}"
        return Releases(kubernetes=f"{base}/kubernetes", etcd=f"{base}/etcd")


class _Handler(BaseHTTPRequestHandler):
    server: ReleaseServer

    def do_GET(self) -> None:
        """Answer with the file, or 404."""
        self.server.asked.append(self.path)
        body = self.server.files.get(self.path)
        self.send_response(404 if body is None else 200)
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        self.wfile.write(body or b"")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by http.server
        """Say nothing."""


@contextmanager
def release_server() -> Iterator[ReleaseServer]:
    """Yield a running server; its thread ends with the block."""
    with ReleaseServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
