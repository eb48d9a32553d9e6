"""From a Kubernetes Secret to the login at a registry or chart repository. Pure; nothing in it prints."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from nopea.core.downloads.items import OCI, is_remote_chart
from nopea.core.git.credentials import parse_credentials
from nopea.core.git.source import Credentials, host_of
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

DOCKER_CONFIG = "kubernetes.io/dockerconfigjson"
_KEY = ".dockerconfigjson"
_DOCKER_HUB = frozenset(("index.docker.io", "registry-1.docker.io"))


@dataclass(frozen=True, slots=True)
class Logins:
    """Credentials by host and port (`registry.acme.example:5000`), and PEM certificates of authorities."""

    by_host: Mapping[str, Credentials] = field(default_factory=dict, repr=False)
    ca_crt: str = field(default="", repr=False)

    def at(self, url: str) -> Credentials:
        """Return the credentials for the host of a URL; empty ones for any other host."""
        return self.by_host.get(authority_of(url), _NOBODY)

    def digest(self, url: str) -> str:
        """Return what tells apart who asks the host of a URL, and whom it trusts; empty for anybody."""
        trusted = hashlib.sha256(self.ca_crt.encode()).hexdigest() if self.ca_crt else ""
        return self.at(url).digest() + trusted


_NOBODY = Credentials()
NO_LOGINS = Logins()


def authority_of(url: str) -> str:
    """Return the host of a URL and its port if it has one, as Docker's configuration names registries."""
    host = url.partition("://")[2] if "://" in url else url
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2].lower()
    return "docker.io" if host in _DOCKER_HUB else host.removesuffix(":443")


def parse_logins(secret: Mapping[str, Any], *, name: str, chart: str) -> Logins | Problem:
    """Read the Secret in spec.helm.secretRef.

    Of the type dockerconfigjson, it names the hosts itself. Otherwise its username and password (or token)
    are for the host of spec.helm.chart only.
    """
    if secret.get("type") == DOCKER_CONFIG:
        return _docker_logins(secret, name=name)
    if not is_remote_chart(chart):
        return Problem(
            code=Code.GIT_SECRET_INVALID,
            message=f"Secret {name}: neither it nor spec.helm.chart says for which host its login is.",
            hint="Create it with `kubectl create secret docker-registry`, which has the host.",
        )
    url = chart.replace(OCI, "https://", 1)
    credentials = parse_credentials(secret, name=name, url=url)
    if isinstance(credentials, Problem):
        return credentials
    return Logins({authority_of(url): credentials} if host_of(url) else {}, credentials.ca_crt)


def _docker_logins(secret: Mapping[str, Any], *, name: str) -> Logins | Problem:
    try:
        text = base64.b64decode((secret.get("data") or {}).get(_KEY) or "", validate=True)
        auths = orjson.loads(text)["auths"]
        logins = {authority_of(host): _docker_login(entry) for host, entry in auths.items()}
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        return Problem(
            code=Code.GIT_SECRET_INVALID,
            message=f"Secret {name}: the value of {_KEY} is not a configuration of Docker.",
            hint="Create it with `kubectl create secret docker-registry`.",
        )
    return Logins(logins)


def _docker_login(entry: Mapping[str, Any]) -> Credentials:
    username, password = entry.get("username", ""), entry.get("password", "")
    if encoded := entry.get("auth"):
        username, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    if not isinstance(username, str) or not isinstance(password, str):
        raise TypeError("a login is text")
    return Credentials(username=username, password=Secret(password.encode()))
