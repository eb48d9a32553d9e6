"""Find the API server and its credentials in a kubeconfig or in a Pod. Never opens a connection."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from nopea.kube.config import ClusterConfig, ConfigError, User
from nopea.kube.kubeconfig import read_kubeconfig

POD_FILES = Path("/var/run/secrets/kubernetes.io/serviceaccount")


def load_config(
    path: Path | None = None, *, context: str = "", environ: Mapping[str, str] = os.environ
) -> ClusterConfig:
    """Find the cluster: `path`, else `KUBECONFIG`, else the Pod's service account, else `~/.kube/config`.

    `context` names a context of the kubeconfig; empty takes its current one. Raises ConfigError.
    """
    if path is not None:
        return read_kubeconfig([path], context=context)
    listed = [Path(part).expanduser() for part in environ.get("KUBECONFIG", "").split(os.pathsep) if part]
    if listed:
        return read_kubeconfig(listed, context=context)
    if not context and is_in_cluster(environ):
        return read_in_cluster(environ)
    home = Path(environ.get("HOME", "~")).expanduser() / ".kube" / "config"
    return read_kubeconfig([home], context=context)


def is_in_cluster(environ: Mapping[str, str] = os.environ, *, files: Path = POD_FILES) -> bool:
    """Return whether this process runs in a Pod with a service account."""
    return bool(environ.get("KUBERNETES_SERVICE_HOST")) and (files / "token").is_file()


def read_in_cluster(environ: Mapping[str, str] = os.environ, *, files: Path = POD_FILES) -> ClusterConfig:
    """Take the address from the environment and the credentials from the service account's files."""
    host, port = environ.get("KUBERNETES_SERVICE_HOST", ""), environ.get("KUBERNETES_SERVICE_PORT", "443")
    if not host:
        raise ConfigError(
            "KUBERNETES_SERVICE_HOST is not set: this process does not run in a Pod. Name a kubeconfig."
        )
    for name in ("token", "ca.crt"):
        if not (files / name).is_file():
            raise ConfigError(
                f"{files / name} is missing. Set automountServiceAccountToken: true in the Pod's spec."
            )
    namespace = files / "namespace"
    return ClusterConfig(
        server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
        user=User(token=files / "token"),
        ca=files / "ca.crt",
        namespace=namespace.read_text().strip() if namespace.is_file() else "default",
        origin=f"the Pod's service account ({files})",
    )
