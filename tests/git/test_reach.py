"""Where a Git child connects to: refused hosts get no packet, and the error says nothing about them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.git import faulty
from tests.git.conftest import MAIN, PATIENCE, running
from tests.git.faulty import FaultyServer

from nopea.core.git.networks import Networks
from nopea.core.git.source import Credentials, Remote
from nopea.core.problem import Code, StalledError
from nopea.core.secret import Secret
from nopea.git.port import GitPort
from nopea.git.settings import GitSettings

SSH = Credentials(identity=Secret(b"a key"), known_hosts="localhost ssh-ed25519 AAAA")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]"])
async def test_a_server_on_this_host_gets_no_request(settings: GitSettings, host: str) -> None:
    """An open port, a closed port and SSH have the same error, and nothing arrives."""
    async with running(GitPort(replace(settings, networks=Networks.PRIVATE))) as port:
        with FaultyServer(faulty.always(faulty.answer("404 Not Found"))) as server:
            url = server.url(host=host)
            opened = await _refused(port, Remote(url))
            ssh = await _refused(port, Remote(f"ssh://git@{host}:{server.port}/shop.git", SSH))
            assert server.requests == []
        closed = await _refused(port, Remote(url))

    assert opened == closed
    assert opened.partition(": ")[2] == ssh.partition(": ")[2]


async def _refused(port: GitPort, remote: Remote) -> str:
    """Ask both operations that connect, and return the message that they have in common."""
    found = set()
    for ask in (port.sync, port.ls_remote):
        with pytest.raises(StalledError) as refused:
            await ask(remote, MAIN, timeout_seconds=PATIENCE)
        (problem,) = refused.value.problems
        assert problem.code is Code.GIT_ADDRESS_DENIED
        found.add(problem.message)
    (message,) = found
    return message
