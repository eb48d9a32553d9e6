"""Which addresses belong to which networks, in every form in which an address can be written."""

from __future__ import annotations

import pytest

from nopea.core.git.networks import Networks, may_connect

LOCAL = [
    "127.0.0.1", "127.255.255.254", "::1", "0.0.0.0", "0.1.2.3", "::", "169.254.169.254", "169.254.0.1",
    "fe80::1", "fe80::1%eth0", "224.0.0.1", "ff02::1", "255.255.255.255", "240.0.0.1",
    "168.63.129.16", "100.100.100.200", "192.0.0.192", "fd00:ec2::254", "fd20:ce::254",
    "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "2002:7f00:1::", "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
]  # fmt: skip
PRIVATE = [
    "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.1.1", "100.64.0.1", "198.18.0.1", "192.0.2.1",
    "fc00::1", "fd12:3456::1", "fec0::1", "2001:db8::1", "::ffff:10.0.0.1", "2002:a00:1::", "64:ff9b::a00:1",
]  # fmt: skip
PUBLIC = ["140.82.121.4", "8.8.8.8", "2606:50c0:8000::153", "::ffff:140.82.121.4", "64:ff9b::8c52:7904"]
NO_ADDRESS = ["", "localhost", "git.example", "1.2.3", "0x7f.1"]


@pytest.mark.parametrize("networks", Networks)
@pytest.mark.parametrize(
    ("addresses", "least"),
    [
        (LOCAL, Networks.ANY),
        (PRIVATE, Networks.PRIVATE),
        (PUBLIC, Networks.PUBLIC),
        (NO_ADDRESS, Networks.ANY),
    ],
    ids=["local", "private", "public", "no address"],
)
def test_an_address_needs_its_networks(addresses: list[str], least: Networks, networks: Networks) -> None:
    """Each value allows what the ones before it allow; an IPv4 address inside of an IPv6 address counts."""
    order = list(Networks)
    expected = order.index(networks) >= order.index(least)

    assert {address: may_connect(address, networks) for address in addresses} == dict.fromkeys(
        addresses, expected
    )
