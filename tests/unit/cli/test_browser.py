"""The browser that `nopea ui` opens: a program that notes what it is given takes its place."""

from __future__ import annotations

import stat
import urllib.parse
import webbrowser
from pathlib import Path

import pytest
from tests.e2e.waiting import eventually

from nopea.cli.browser import opened_browser

ADDRESS = "http://127.0.0.1:8080/?token=s3cret&x=1"


@pytest.fixture(autouse=True)
def unknown_browsers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have Python look for browsers again: it remembers what BROWSER was."""
    monkeypatch.setattr(webbrowser, "_tryorder", None)
    monkeypatch.setattr(webbrowser, "_browsers", {})


def _program(folder: Path, script: str) -> str:
    program = folder / "browser"
    program.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    program.chmod(0o700)
    return f"{program} %s"


def test_token_is_in_a_file_of_the_user_and_in_no_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Other users of the machine see the arguments; a browser that does not return holds nothing up."""
    seen, stop = tmp_path / "seen", tmp_path / "stop"
    script = f'echo "$@" > {seen}.new; mv {seen}.new {seen}; while [ ! -e {stop} ]; do sleep 0.05; done'
    monkeypatch.setenv("BROWSER", _program(tmp_path, script))
    monkeypatch.delenv("DISPLAY", raising=False)

    def is_given() -> None:
        assert seen.exists()

    try:
        with opened_browser(ADDRESS):
            eventually(is_given)
            given = seen.read_text(encoding="utf-8").strip()
            assert "s3cret" not in given
            page = Path(urllib.parse.unquote(urllib.parse.urlsplit(given).path))
            assert 'content="0; url=http://127.0.0.1:8080/?token=s3cret&amp;x=1"' in page.read_text("utf-8")
            assert stat.S_IMODE(page.stat().st_mode) == 0o600
            assert stat.S_IMODE(page.parent.stat().st_mode) == 0o700
        assert not page.parent.exists()
    finally:
        stop.touch()


def test_missing_browser_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The address is printed anyway."""
    monkeypatch.setenv("BROWSER", f"{tmp_path}/nothing %s")
    monkeypatch.setenv("PATH", str(tmp_path))
    told = list[str]()

    def is_told() -> None:
        told.append(capsys.readouterr().err)
        assert "open the address yourself" in "".join(told)

    with opened_browser(ADDRESS):
        eventually(is_told)
