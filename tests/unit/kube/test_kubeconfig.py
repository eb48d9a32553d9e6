"""Kubeconfig files: merged as in kubectl; errors name the file and the field."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from nopea.core.secret import Secret
from nopea.kube.config import ConfigError
from nopea.kube.kubeconfig import EXEC_VERSIONS, read_kubeconfig

SERVER = {"server": "https://api.acme.example:6443/"}
PEM = base64.b64encode(b"pem").decode()
PLUGIN = {"apiVersion": EXEC_VERSIONS[0], "command": "login"}


def _write(path: Path, *, cluster: Any = None, user: Any = None, **changes: Any) -> Path:
    """Write a kubeconfig with the context `shop`, this cluster and this user."""
    document = {
        "current-context": "shop",
        "contexts": [{"name": "shop", "context": {"cluster": "c", "user": "u", "namespace": "web"}}],
        "clusters": [{"name": "c", "cluster": SERVER if cluster is None else cluster}],
        "users": [{"name": "u", "user": {"token": "t"} if user is None else user}],
        **changes,
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Return the path of a kubeconfig."""
    return tmp_path / "config"


def test_the_current_context_is_used(file: Path) -> None:
    """Cluster, user and namespace are those of the context; a trailing slash is removed from the URL."""
    config = read_kubeconfig([_write(file)])

    assert (config.server, config.namespace) == ("https://api.acme.example:6443", "web")
    assert config.user.token == Secret("t")
    assert config.origin == f"context shop of {file}"


def test_a_named_context_wins(file: Path) -> None:
    """A given context is used instead of the current one; the default namespace is `default`."""
    contexts = [
        {"name": "shop", "context": {"cluster": "missing"}},
        {"name": "other", "context": {"cluster": "c"}},
    ]

    config = read_kubeconfig([_write(file, contexts=contexts)], context="other")

    assert (config.namespace, config.user.token) == ("default", None)


def test_the_first_file_that_defines_a_name_wins(tmp_path: Path) -> None:
    """Files are merged by entry, and missing files are skipped."""
    first = _write(tmp_path / "first", user={"token": "first"}, contexts=None, clusters=None)
    second = _write(tmp_path / "second", user={"token": "second"})

    config = read_kubeconfig([tmp_path / "missing", first, second])

    assert config.user.token == Secret("first")
    assert config.server == "https://api.acme.example:6443"


def test_paths_are_relative_to_their_file(file: Path, tmp_path: Path) -> None:
    """Paths of certificates, keys, tokens and plugins are relative to the kubeconfig."""
    for name in ("ca.pem", "tls.crt", "tls.key", "token"):
        (tmp_path / name).write_text(name)
    user = {
        "client-certificate": "tls.crt",
        "client-key": "tls.key",
        "token": "ignored",
        "tokenFile": "token",
        "exec": {**PLUGIN, "command": "./bin/login"},
    }

    config = read_kubeconfig([_write(file, cluster={**SERVER, "certificate-authority": "ca.pem"}, user=user)])

    assert config.ca == tmp_path / "ca.pem"
    assert (config.user.certificate, config.user.key) == (tmp_path / "tls.crt", tmp_path / "tls.key")
    assert config.user.token == tmp_path / "token"
    assert config.user.exec is not None
    assert Path(config.user.exec.command) == tmp_path / "bin" / "login"


def test_data_wins_over_a_file(file: Path) -> None:
    """As in kubectl, base64 data wins over a file."""
    cluster = {**SERVER, "certificate-authority": "missing", "certificate-authority-data": PEM}

    assert read_kubeconfig([_write(file, cluster=cluster)]).ca == Secret("pem")


def test_an_exec_plugin_is_read(file: Path) -> None:
    """Arguments, environment, hint and the cluster's extension are read."""
    extension = {"name": "client.authentication.k8s.io/exec", "extension": {"audience": "shop"}}
    plugin = {
        **PLUGIN,
        "args": ["--now"],
        "env": [{"name": "REGION", "value": "eu"}],
        "installHint": "Install login.\n",
        "provideClusterInfo": True,
    }

    config = read_kubeconfig(
        [_write(file, cluster={**SERVER, "extensions": [extension]}, user={"exec": plugin})]
    )

    read = config.user.exec
    assert read is not None
    assert (read.command, read.args, read.env) == ("login", ("--now",), (("REGION", Secret("eu")),))
    assert (read.install_hint, read.cluster_config) == ("Install login.", {"audience": "shop"})
    assert read.provide_cluster_info


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"current-context": ""}, "current-context is not set"),
        ({"current-context": "nowhere"}, r"contexts has no entry 'nowhere'. It has: shop\."),
        ({"clusters": []}, r"clusters has no entry 'c'. It has: none\."),
        ({"users": []}, "users has no entry 'u'"),
        ({"clusters": "rubbish"}, "Expected `array"),
        ({"cluster": {"server": "api.acme.example"}}, r"clusters\[c\]\.cluster\.server must be an http"),
        (
            {"cluster": {**SERVER, "insecure-skip-tls-verify": True, "certificate-authority-data": PEM}},
            "insecure-skip-tls-verify contradicts",
        ),
        ({"cluster": {**SERVER, "proxy-url": "socks5://proxy"}}, "SOCKS is not supported"),
        (
            {"cluster": {**SERVER, "certificate-authority-data": "%"}},
            "authority-data is not base64",
        ),
        ({"cluster": {**SERVER, "certificate-authority": "no.pem"}}, "there is no file .*no.pem"),
        ({"user": {"client-certificate-data": PEM}}, r"users\[u\]\.user\.client-key is missing"),
        ({"user": {"client-key-data": PEM}}, "client-certificate is missing"),
        ({"user": {"tokenFile": "no-token"}}, r"tokenFile: there is no file .*no-token\."),
        ({"user": {"auth-provider": {"name": "gcp"}}}, "auth-provider was removed"),
        ({"user": {"exec": {**PLUGIN, "apiVersion": "v1alpha1"}}}, "exec.apiVersion must be one of"),
        ({"user": {"exec": {**PLUGIN, "command": ""}}}, "exec.command must not be empty"),
        ({"user": {"exec": {**PLUGIN, "interactiveMode": "Always"}}}, "interactiveMode: Always"),
    ],
)
def test_an_error_names_the_file_and_the_field(file: Path, changes: dict[str, Any], says: str) -> None:
    """The message is a sentence with the file and the field."""
    with pytest.raises(ConfigError, match=says) as wrong:
        read_kubeconfig([_write(file, **changes)])

    assert str(file) in str(wrong.value)
    assert str(wrong.value).endswith(".")


def test_invalid_yaml_is_reported_with_its_line(file: Path) -> None:
    """A file that cannot be read is reported with the system's reason."""
    file.write_text("a: b\nc: [\n")
    with pytest.raises(ConfigError, match=r"config:3 is not YAML: "):
        read_kubeconfig([file])
    with pytest.raises(ConfigError, match="cannot be read: Is a directory"):
        read_kubeconfig([file.parent])


def test_no_file_exists(tmp_path: Path) -> None:
    """The error lists the paths where a kubeconfig was expected."""
    with pytest.raises(ConfigError, match=r"There is no kubeconfig at .*a, .*b\. Pass --kubeconfig"):
        read_kubeconfig([tmp_path / "a", tmp_path / "b"])
