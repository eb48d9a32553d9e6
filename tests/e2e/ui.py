"""Run `nopea ui` as a user does, and open it as a browser does: with the printed address and its cookie."""

from __future__ import annotations

import http.cookiejar
import os
import re
import signal
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.process import PROGRAM, HttpAnswer

SECONDS = 60.0


@dataclass
class Browser:
    """A session with cookies, at one dashboard."""

    base: str
    jar: http.cookiejar.CookieJar = field(default_factory=http.cookiejar.CookieJar)

    def get(self, path: str, **headers: str) -> HttpAnswer:
        """Get a page."""
        return self._open(urllib.request.Request(self.base + path, headers=headers))

    def post(self, path: str, form: Mapping[str, str], **headers: str) -> HttpAnswer:
        """Send a form as its page does; headers may say otherwise."""
        data = urllib.parse.urlencode(form).encode()
        sent = {"Origin": self.base, **headers}
        return self._open(urllib.request.Request(self.base + path, data=data, headers=sent))

    def csrf(self, path: str) -> str:
        """Return the token in the forms of a page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get(path).text)
        assert found, path
        return found[1]

    def act(self, path: str, action: str, object_: str = "") -> HttpAnswer:
        """Press a button of a repository's page."""
        return self.post(f"{path}/{action}", {"csrf": self.csrf(path), "object": object_})

    def _open(self, request: urllib.request.Request) -> HttpAnswer:
        opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        try:
            with opener.open(request, timeout=SECONDS) as answer:
                return HttpAnswer(answer.status, answer.read().decode())
        except urllib.error.HTTPError as error:
            with error:
                return HttpAnswer(error.code, error.read().decode())


@dataclass
class Ui:
    """A running `nopea ui`; `address` works once."""

    address: str

    @property
    def base(self) -> str:
        """The address without the token."""
        return self.address.partition("/?")[0]

    def browser(self) -> Browser:
        """Exchange the token."""
        opened = Browser(self.base)
        assert opened.get(self.address.removeprefix(self.base)).status == 200
        return opened


@contextmanager
def running_ui(kubeconfig: Path, *arguments: str) -> Iterator[Ui]:
    """Run `nopea ui`; Ctrl+C must end it at once, without a traceback."""
    process = subprocess.Popen(
        [sys.executable, "-W", "error", "-c", PROGRAM, "ui", "--no-browser", *arguments],
        env={**os.environ, "KUBECONFIG": str(kubeconfig), "PYTHONUNBUFFERED": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        line = process.stdout.readline().strip()
        assert line.startswith("http://127.0.0.1:"), process.communicate(timeout=SECONDS)
        yield Ui(line)
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=10)
        assert process.returncode == 0, told
        assert "Traceback" not in told
    finally:
        process.kill()
        process.communicate()
