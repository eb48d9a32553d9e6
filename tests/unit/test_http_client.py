"""The client that rooms share connects to allowed addresses only."""

from __future__ import annotations

import aiohttp
import pytest

from nopea.core.git.networks import Networks
from nopea.http_client import describe, is_forbidden_address, open_session


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::1]", "0.0.0.0"])
async def test_this_host_is_refused_however_it_is_written(host: str) -> None:
    """Names are looked at after they were resolved, when the connection is made."""
    async with open_session(Networks.PRIVATE, connections=1) as session:
        with pytest.raises(aiohttp.ClientConnectorError) as raised:
            await session.get(f"http://{host}:1/")

    assert is_forbidden_address(raised.value)
    assert describe(raised.value) == "cannot be reached: Permission denied"
