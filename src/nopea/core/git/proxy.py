"""Which proxy the environment wants for a URL, as curl and Go read it. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

_VARIABLES = ("https_proxy", "no_proxy")
_PORT = 443


def proxy_for(url: str, environment: Mapping[str, str]) -> str:
    """Return the URL of the proxy for an https URL, or an empty text.

    libgit2 uses no proxy for other URLs. Variables are in lower case or in upper case. `no_proxy` lists hosts
    that are reached without: `*`, `acme.example` (and everything below it), `.acme.example`, addresses and
    networks (`10.0.0.0/8`), each also with a port.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or _PORT
    except ValueError:
        return ""
    if parts.scheme != "https" or not host:
        return ""
    proxy = _read(environment, "https_proxy")
    if not proxy or any(
        _is_exempt(host, port, each.strip()) for each in _read(environment, "no_proxy").lower().split(",")
    ):
        return ""
    return proxy if "://" in proxy else f"http://{proxy}"


def proxy_variables(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the part of an environment that is about proxies."""
    return {name: value for name in _VARIABLES if (value := _read(environment, name))}


def _read(environment: Mapping[str, str], name: str) -> str:
    return (environment.get(name) or environment.get(name.upper()) or "").strip()


def _is_exempt(host: str, port: int, entry: str) -> bool:
    name, separator, number = entry.rpartition(":")
    if separator and number.isdigit() and (name.count(":") == 0 or name.endswith("]")):
        if int(number) != port:
            return False
        entry = name
    entry = entry.strip("[]").rstrip(".")
    if not entry:
        return False
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        pass
    name = entry.removeprefix("*")
    return not name or (host.endswith(name) if name.startswith(".") else f".{host}".endswith(f".{name}"))
