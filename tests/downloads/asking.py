"""For whom tests fetch something, and what comes of it."""

from __future__ import annotations

from typing import Any

import pytest
from tests.downloads.serving import Login, Tls

from nopea.core.downloads.items import RemoteItem
from nopea.core.downloads.logins import Logins, authority_of
from nopea.core.git.source import Credentials
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, SyncError
from nopea.core.secret import Secret
from nopea.downloads.port import Downloads, On

SHOP = RepoKey("shop", "shop")


def on(tls: Tls, url: str = "", *, login: Login | None = None, seconds: float = 20, **fields: Any) -> On:
    """Return for whom something is fetched; the login is for the host of the URL."""
    by_host = {}
    if login is not None:
        credentials = Credentials(username=login.username, password=Secret(login.password))
        by_host[authority_of(url)] = credentials
    return On(owner=SHOP, timeout_seconds=seconds, logins=Logins(by_host, tls.ca_crt), **fields)


async def refused(downloads: Downloads, item: RemoteItem, asker: On) -> Problem:
    """Return the one problem of an item."""
    with pytest.raises(SyncError) as raised:
        await downloads.content(await downloads.resolve(item, asker), asker)
    (problem,) = raised.value.problems
    return problem
