"""Write kubeconfig files that hold everything they need, so that they can be moved and copied.

Never writes one that others can read: it holds a key or a token.
"""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

from nopea_lab.files import write_private


def write_for_certificate(path: Path, *, server: str, authority: Path, certificate: Path, key: Path) -> None:
    """Write a kubeconfig that logs in with a client certificate."""
    user = {"client-certificate-data": _base64(certificate), "client-key-data": _base64(key)}
    _write(path, server=server, authority=authority, user=user)


def write_for_token(path: Path, *, server: str, authority: Path, token: str) -> None:
    """Write a kubeconfig that logs in with a bearer token, such as a service account's."""
    _write(path, server=server, authority=authority, user={"token": token})


def _base64(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _write(path: Path, *, server: str, authority: Path, user: dict[str, str]) -> None:
    cluster = {"server": server, "certificate-authority-data": _base64(authority)}
    config: dict[str, Any] = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "nopea-lab", "cluster": cluster}],
        "users": [{"name": "nopea-lab", "user": user}],
        "contexts": [{"name": "nopea-lab", "context": {"cluster": "nopea-lab", "user": "nopea-lab"}}],
        "current-context": "nopea-lab",
    }
    write_private(path, json.dumps(config, indent=2) + "\n")  # JSON is YAML, and needs no library
