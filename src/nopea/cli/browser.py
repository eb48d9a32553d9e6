"""Open the user's browser at an address that nobody else may see.

Every user of a machine can read the arguments of all programs. So the browser gets the name of a file that
only this user can read; the page in it leads to the address. It is removed when the context ends.
"""

from __future__ import annotations

import tempfile
import threading
import webbrowser
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from nopea.dashboard.pages.render import leading_page

_NOT_OPENED = "No browser could be opened: open the address yourself."


@contextmanager
def opened_browser(address: str) -> Iterator[None]:
    """Open a browser and do not wait for it; what fails is said on stderr."""
    with tempfile.TemporaryDirectory(prefix="nopea-ui-", ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "open.html"
        file.touch(mode=0o600)
        file.write_text(leading_page(address), encoding="utf-8")
        # a browser in the terminal runs until the user leaves it; a daemon does not hold up the end
        threading.Thread(target=_open, args=(file.as_uri(),), name="browser", daemon=True).start()
        yield


def _open(address: str) -> None:
    try:
        is_open = webbrowser.open(address)
    except (webbrowser.Error, OSError):
        is_open = False
    if not is_open:
        click.echo(_NOT_OPENED, err=True)
