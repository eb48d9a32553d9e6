"""A host is refused for its addresses before anything is sent, in whatever way the URL spells it."""

from __future__ import annotations

import pytest

from nopea.core.git.networks import Networks
from nopea.git.failure import GitFailure
from nopea.git.protocol import ErrorKind
from nopea.git.reach import refuse_unreachable

LOOPBACK = [
    "http://127.0.0.1/a", "https://localhost:8443/a", "http://LOCALHOST/a", "http://2130706433/a",
    "http://0x7f.1/a", "http://017700000001/a", "http://127.1/a", "http://[::1]/a", "http://0/a",
    "http://[::ffff:127.0.0.1]/a", "ssh://git@127.0.0.1:2222/a", "git@localhost:a", "http://user@127.0.0.1/a",
    "http://169.254.169.254/latest",
]  # fmt: skip
UNREADABLE = ["http://x.example\\@127.0.0.1/a", "http:///a", "http://%6c%6fcalhost/a", "http://[::1/a"]


@pytest.mark.parametrize("networks", [Networks.PUBLIC, Networks.PRIVATE])
@pytest.mark.parametrize("url", [*LOOPBACK, *UNREADABLE])
def test_what_is_local_is_refused(url: str, networks: Networks) -> None:
    """The resolver decides what a spelling means, as for libgit2; an unreadable host is refused too."""
    with pytest.raises(GitFailure) as refused:
        refuse_unreachable(url, networks)

    assert refused.value.kind is ErrorKind.ADDRESS


def test_private_addresses_are_allowed_unless_only_public_ones_are() -> None:
    """Services of the cluster have private addresses."""
    refuse_unreachable("https://10.96.0.10/a", Networks.PRIVATE)
    with pytest.raises(GitFailure, match="not allowed"):
        refuse_unreachable("https://10.96.0.10/a", Networks.PUBLIC)


@pytest.mark.parametrize("url", LOOPBACK)
def test_any_allows_everything(url: str) -> None:
    """Nothing is resolved either."""
    refuse_unreachable(url, Networks.ANY)


def test_a_folder_has_no_address() -> None:
    """File URLs have a switch of their own."""
    refuse_unreachable("file:///srv/git/a", Networks.PUBLIC)


@pytest.mark.parametrize("url", ["https://nowhere.invalid/a", "https://" + "a" * 64 + ".invalid/a"])
def test_an_unknown_host_cannot_be_reached(url: str) -> None:
    """It is not connected to, since a second answer of its name server could be another one."""
    with pytest.raises(GitFailure) as refused:
        refuse_unreachable(url, Networks.PRIVATE)

    assert refused.value.kind is ErrorKind.UNREACHABLE
