"""Which modules a command imports: imports are most of a command's startup time."""

from __future__ import annotations

import json
import subprocess
import sys

from nopea.cli.main import SUBCOMMANDS

HEAVY = ("aiohttp", "pygit2", "msgpack", "nopea.app", "nopea.kube.client", "nopea.git.port")
PROGRAM = f"""
import contextlib, io, json, sys
from nopea.cli.main import main
said = {{}}
for args in json.loads(sys.argv[1]):
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        main(args, prog_name="nopea", standalone_mode=False)
    loaded = [name for name in {HEAVY!r} if name in sys.modules]
    said[" ".join(args)] = [out.getvalue(), loaded, "nopea.cli.commands.run" in sys.modules]
print(json.dumps(said))
"""


def test_help_loads_neither_http_nor_git() -> None:
    """`nopea --help` imports no command; the help of a command imports nothing of the controller."""
    commands = [["--version"], ["--help"], *([name, "--help"] for name in SUBCOMMANDS)]

    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, json.dumps(commands)], capture_output=True, text=True, check=True
    )

    said = json.loads(done.stdout)
    assert {args: loaded for args, (_, loaded, _) in said.items() if loaded} == {}
    assert not said["--help"][2]
    assert all(name in said["--help"][0] for name in SUBCOMMANDS)
    assert all(text.strip() for text, _, _ in said.values())
