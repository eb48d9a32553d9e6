"""Where the API server is and who asks, as values. Pure; `load.py` finds them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from nopea.core.secret import Secret


class ConfigError(Exception):
    """The configuration cannot be used; the message names the file, the field and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExecPlugin:
    """A program that prints credentials (KEP-541, `client.authentication.k8s.io`)."""

    api_version: str
    command: str
    args: tuple[str, ...] = ()
    env: tuple[tuple[str, Secret], ...] = ()
    install_hint: str = ""
    provide_cluster_info: bool = False
    cluster_config: object = None


@dataclass(frozen=True, slots=True, kw_only=True)
class User:
    """Credentials. A `Path` is read again, because files rotate; a `Secret` is a PEM or a token."""

    token: Secret | Path | None = None
    certificate: Secret | Path | None = None
    key: Secret | Path | None = None
    username: str = ""
    password: Secret = field(default=Secret(b""))
    exec: ExecPlugin | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterConfig:
    """One API server and one user of it.

    `server` is a URL without a trailing slash; `ca` is PEM or a file of it, or None for the system's
    authorities; `namespace` is the context's default; `origin` names the configuration in errors.
    """

    server: str
    user: User = field(default=User())
    ca: Secret | Path | None = None
    insecure: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    namespace: str = "default"
    origin: str = ""
