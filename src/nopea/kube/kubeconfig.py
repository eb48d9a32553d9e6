"""Read kubeconfig files: merge them as kubectl does, select one context. Never opens a connection."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import msgspec
import yaml

from nopea.core.secret import Secret
from nopea.kube.config import ClusterConfig, ConfigError, ExecPlugin, User

EXEC_VERSIONS = ("client.authentication.k8s.io/v1", "client.authentication.k8s.io/v1beta1")
_FILE_LIMIT = 10 * 1024 * 1024


class _Extension(msgspec.Struct, frozen=True, rename="kebab"):
    name: str = ""
    extension: Any = None


class _Cluster(msgspec.Struct, frozen=True, rename="kebab"):
    server: str = ""
    certificate_authority: str = ""
    certificate_authority_data: str = ""
    insecure_skip_tls_verify: bool = False
    tls_server_name: str = ""
    proxy_url: str = ""
    extensions: list[_Extension] | None = None


class _EnvVar(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    value: str


class _Exec(msgspec.Struct, frozen=True, rename="camel"):
    api_version: str
    command: str
    args: list[str] | None = None
    env: list[_EnvVar] | None = None
    install_hint: str = ""
    interactive_mode: str = "IfAvailable"
    provide_cluster_info: bool = False


class _User(msgspec.Struct, frozen=True, rename="kebab"):
    token: str = ""
    token_file: str = msgspec.field(default="", name="tokenFile")
    client_certificate: str = ""
    client_certificate_data: str = ""
    client_key: str = ""
    client_key_data: str = ""
    username: str = ""
    password: str = ""
    exec: _Exec | None = None
    auth_provider: Any = None


class _Context(msgspec.Struct, frozen=True, rename="kebab"):
    cluster: str = ""
    user: str = ""
    namespace: str = ""


class _NamedCluster(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    cluster: _Cluster


class _NamedUser(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    user: _User | None = None


class _NamedContext(msgspec.Struct, frozen=True, rename="kebab"):
    name: str
    context: _Context


class _File(msgspec.Struct, frozen=True, rename="kebab"):
    current_context: str = ""
    clusters: list[_NamedCluster] | None = None
    users: list[_NamedUser] | None = None
    contexts: list[_NamedContext] | None = None


T = TypeVar("T", _NamedCluster, _NamedUser, _NamedContext)


def read_kubeconfig(paths: Sequence[Path], *, context: str = "") -> ClusterConfig:
    """Merge the files (the first that defines a name wins) and return the named or the current context.

    Missing files are skipped as long as one exists. Relative paths are relative to the file that holds them.
    Raises ConfigError that names the file and the field.
    """
    files = [(path, _parse(path)) for path in paths if path.exists()]
    listed = ", ".join(str(path) for path in paths)
    if not files:
        raise ConfigError(f"There is no kubeconfig at {listed}. Pass --kubeconfig, or set KUBECONFIG.")
    wanted = context or next((file.current_context for _, file in files if file.current_context), "")
    if not wanted:
        raise ConfigError(f"{listed}: current-context is not set. Name a context with --context.")
    path, named = _find("contexts", wanted, ((p, f.contexts) for p, f in files), listed)
    chosen = named.context
    cluster_path, cluster = _find("clusters", chosen.cluster, ((p, f.clusters) for p, f in files), listed)
    user = User()
    if chosen.user:
        user_path, named_user = _find("users", chosen.user, ((p, f.users) for p, f in files), listed)
        user = _user_of(user_path, named_user, cluster.cluster)
    return _config_of(
        cluster_path, cluster, user, namespace=chosen.namespace, origin=f"context {wanted} of {path}"
    )


def _parse(path: Path) -> _File:
    try:
        if path.stat().st_size > _FILE_LIMIT:
            raise ConfigError(f"{path} is not a kubeconfig: it is larger than {_FILE_LIMIT} bytes.")
        # the user's own file, as trusted as the programs that it may name
        raw = yaml.load(path.read_bytes(), Loader=yaml.CSafeLoader) or {}
        return msgspec.convert(raw, _File)
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}.") from error
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise ConfigError(
            f"{path}{line} is not YAML: {getattr(error, 'problem', '') or 'unreadable'}."
        ) from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {error}.") from error


def _find(what: str, name: str, files: Iterable[tuple[Path, list[T] | None]], listed: str) -> tuple[Path, T]:
    names: list[str] = []
    for path, items in files:
        for item in items or ():
            if item.name == name:
                return path, item
            names.append(item.name)
    known = ", ".join(sorted(set(names))[:20]) or "none"
    raise ConfigError(f"{listed}: {what} has no entry {name!r}. It has: {known}.")


def _config_of(path: Path, named: _NamedCluster, user: User, *, namespace: str, origin: str) -> ClusterConfig:
    cluster, where = named.cluster, f"{path}: clusters[{named.name}].cluster"
    parts = urlsplit(cluster.server)
    if parts.scheme not in ("http", "https") or not parts.netloc:
        raise ConfigError(f"{where}.server must be an http or https URL.")
    if cluster.insecure_skip_tls_verify and (
        cluster.certificate_authority or cluster.certificate_authority_data
    ):
        raise ConfigError(
            f"{where}: insecure-skip-tls-verify contradicts certificate-authority. Remove one of them."
        )
    if cluster.proxy_url and urlsplit(cluster.proxy_url).scheme not in ("http", "https"):
        raise ConfigError(f"{where}.proxy-url must be an http or https URL. SOCKS is not supported.")
    authority = _Pem(path, f"{where}.certificate-authority")
    return ClusterConfig(
        server=cluster.server.rstrip("/"),
        user=user,
        ca=authority.read(cluster.certificate_authority_data, cluster.certificate_authority),
        insecure=cluster.insecure_skip_tls_verify,
        tls_server_name=cluster.tls_server_name,
        proxy_url=cluster.proxy_url,
        namespace=namespace or "default",
        origin=origin,
    )


class _Pem:
    """A field that comes as `field-data` (base64) or as a file's path; data wins, as in kubectl."""

    def __init__(self, path: Path, field: str) -> None:
        self._path, self._field = path, field

    def read(self, data: str, file: str) -> Secret | Path | None:
        if data:
            try:
                return Secret(base64.b64decode(data, validate=True))
            except binascii.Error as error:
                raise ConfigError(f"{self._field}-data is not base64.") from error
        if not file:
            return None
        file_path = self._path.parent / Path(file).expanduser()
        if not file_path.is_file():
            raise ConfigError(f"{self._field}: there is no file {file_path}.")
        return file_path


def _user_of(path: Path, named: _NamedUser, cluster: _Cluster) -> User:
    user, where = named.user or _User(), f"{path}: users[{named.name}].user"
    if user.auth_provider is not None:
        raise ConfigError(
            f"{where}.auth-provider was removed in Kubernetes 1.26. Use the provider's exec plugin."
        )
    certificate = _Pem(path, f"{where}.client-certificate").read(
        user.client_certificate_data, user.client_certificate
    )
    key = _Pem(path, f"{where}.client-key").read(user.client_key_data, user.client_key)
    if (certificate is None) != (key is None):
        missing = "client-key" if key is None else "client-certificate"
        raise ConfigError(f"{where}.{missing} is missing: a client certificate and its key belong together.")
    return User(
        token=_token_of(path, where, user),
        certificate=certificate,
        key=key,
        username=user.username,
        password=Secret(user.password),
        exec=_exec_of(path, where, user.exec, cluster) if user.exec else None,
    )


def _token_of(path: Path, where: str, user: _User) -> Secret | Path | None:
    if user.token_file:  # kubectl reads the file over the token beside it
        token_file = path.parent / Path(user.token_file).expanduser()
        if not token_file.is_file():
            raise ConfigError(f"{where}.tokenFile: there is no file {token_file}.")
        return token_file
    return Secret(user.token) if user.token else None


def _exec_of(path: Path, where: str, plugin: _Exec, cluster: _Cluster) -> ExecPlugin:
    if plugin.api_version not in EXEC_VERSIONS:
        raise ConfigError(f"{where}.exec.apiVersion must be one of {', '.join(EXEC_VERSIONS)}.")
    if plugin.interactive_mode == "Always":
        raise ConfigError(
            f"{where}.exec.interactiveMode: Always is not supported, because nobody can answer the plugin."
        )
    command = plugin.command
    if not command:
        raise ConfigError(f"{where}.exec.command must not be empty.")
    if "/" in command:
        command = str(path.parent / Path(command).expanduser())
    extensions = {item.name: item.extension for item in cluster.extensions or ()}
    return ExecPlugin(
        api_version=plugin.api_version,
        command=command,
        args=tuple(plugin.args or ()),
        env=tuple((variable.name, Secret(variable.value)) for variable in plugin.env or ()),
        install_hint=plugin.install_hint.strip(),
        provide_cluster_info=plugin.provide_cluster_info,
        cluster_config=extensions.get("client.authentication.k8s.io/exec"),
    )
