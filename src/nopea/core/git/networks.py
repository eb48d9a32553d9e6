"""Which addresses may be connected to where a GitRepository names the host. Pure."""

from __future__ import annotations

import enum
import ipaddress
from typing import Final

_V4 = ipaddress.IPv4Address
_V6 = ipaddress.IPv6Address


class Networks(enum.StrEnum):
    """Where Git servers may be; each value includes the one before it."""

    PUBLIC = "public"
    PRIVATE = "private"
    """Also private addresses, which Services and Pods have."""
    ANY = "any"
    """Also this host and the cloud's metadata."""


METADATA: Final = frozenset(
    ipaddress.ip_address(address)
    for address in (
        "168.63.129.16",  # Azure
        "100.100.100.200",  # Alibaba Cloud
        "192.0.0.192",  # Oracle Cloud
        "fd00:ec2::254",  # AWS
        "fd20:ce::254",  # Google Cloud
    )
)
"""Where clouds serve credentials or settings of a node, besides link-local addresses."""

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_COMPATIBLE: Final = ipaddress.IPv6Network("::/96")
_THIS_NETWORK: Final = ipaddress.IPv4Network("0.0.0.0/8")


def may_connect(address: str, networks: Networks) -> bool:
    """Return whether the address may be connected to; False for what is not an address."""
    if networks is Networks.ANY:
        return True
    try:
        parsed = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    return all(_is_within(one, networks) for one in _meant(parsed))


def _meant(address: _V4 | _V6) -> tuple[_V4 | _V6, ...]:
    """Return the address and the IPv4 address that it stands for, if any."""
    if isinstance(address, _V4):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address, address.sixtofour)
    if address.teredo is not None:
        return (address, *address.teredo)
    if address in _NAT64:
        return (_V4(int(address) & 0xFFFF_FFFF),)
    if address in _COMPATIBLE and int(address) > 1:
        return (address, _V4(int(address)))
    return (address,)


def _is_within(address: _V4 | _V6, networks: Networks) -> bool:
    is_local = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address in METADATA
        or (isinstance(address, _V4) and (address in _THIS_NETWORK or address.is_reserved))
    )
    is_public = address.is_global and not (isinstance(address, _V6) and address.is_site_local)
    return not is_local and (is_public or networks is Networks.PRIVATE)
