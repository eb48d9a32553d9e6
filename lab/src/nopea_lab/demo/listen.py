"""The demo's receiver of CDEvents: writes down the type and the subject of each event that arrives.

Arguments: the loopback port and the file to write to, one line `TYPE SUBJECT` for each event.
"""

from __future__ import annotations

import signal
import sys
import threading
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path


class Listener(HTTPServer):
    """Takes one request at a time: a line is whole before the next begins."""

    def __init__(self, port: int, file: Path) -> None:
        super().__init__(("127.0.0.1", port), _CollectorHandler)
        self.file = file


class _CollectorHandler(BaseHTTPRequestHandler):
    timeout = 5.0

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert isinstance(self.server, Listener)  # noqa: S101 - nothing else makes this handler
        with self.server.file.open("a") as file:
            file.write(f"{self.headers['ce-type']} {self.headers['ce-subject']}\n")
        self.send_response(HTTPStatus.ACCEPTED)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self) -> None:
        self.send_response(HTTPStatus.OK)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the standard library's name
        """What matters is in the file."""


def main(arguments: list[str]) -> None:
    """Listen until SIGTERM or SIGINT."""
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    with Listener(int(arguments[0]), Path(arguments[1])) as listener:
        listening = threading.Thread(target=listener.serve_forever, name="listener")
        listening.start()
        told.wait()
        listener.shutdown()
        listening.join()


if __name__ == "__main__":
    main(sys.argv[1:])
