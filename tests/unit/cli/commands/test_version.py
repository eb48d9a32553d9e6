"""`nopea version`."""

from __future__ import annotations

import json

from click.testing import CliRunner

from nopea import __version__
from nopea.cli.main import main


def test_the_version_is_printed() -> None:
    """Also as JSON, with that of Python."""
    assert CliRunner().invoke(main, ["version"]).stdout == f"nopea {__version__}\n"
    told = json.loads(CliRunner().invoke(main, ["version", "-o", "json"]).stdout)
    assert (told["version"], set(told)) == (__version__, {"version", "python", "platform"})
