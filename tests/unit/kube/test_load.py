"""Which configuration is used: the option, KUBECONFIG, the Pod, or the home folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea.kube.config import ConfigError
from nopea.kube.load import is_in_cluster, load_config, read_in_cluster

POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1", "KUBERNETES_SERVICE_PORT": "6443"}


def _kubeconfig(path: Path, server: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"current-context: a\n"
        f"contexts: [{{name: a, context: {{cluster: a}}}}]\n"
        f"clusters: [{{name: a, cluster: {{server: '{server}'}}}}]\n"
    )
    return path


@pytest.fixture
def account(tmp_path: Path) -> Path:
    """Return a folder with the files of a service account."""
    folder = tmp_path / "account"
    folder.mkdir()
    (folder / "token").write_text("t")
    (folder / "ca.crt").write_text("c")
    (folder / "namespace").write_text("shop\n")
    return folder


def test_the_option_wins(tmp_path: Path) -> None:
    """A given path is read whatever the environment contains."""
    mine = _kubeconfig(tmp_path / "mine", "https://mine")
    other = _kubeconfig(tmp_path / "other", "https://other")

    assert load_config(mine, environ={"KUBECONFIG": str(other), **POD}).server == "https://mine"


def test_the_variable_comes_before_the_pod_and_the_home(tmp_path: Path) -> None:
    """KUBECONFIG may list several files; missing ones are skipped."""
    listed = _kubeconfig(tmp_path / "listed", "https://listed")
    _kubeconfig(tmp_path / ".kube" / "config", "https://home")
    environ = {"KUBECONFIG": f"{tmp_path / 'missing'}:{listed}", "HOME": str(tmp_path), **POD}

    assert load_config(environ=environ).server == "https://listed"


def test_the_home_is_last(tmp_path: Path) -> None:
    """Outside a Pod and without the variable, ~/.kube/config is read."""
    _kubeconfig(tmp_path / ".kube" / "config", "https://home")

    assert load_config(environ={"HOME": str(tmp_path)}).server == "https://home"


def test_no_kubeconfig_says_what_to_do(tmp_path: Path) -> None:
    """The error contains the expected file, the option and the variable."""
    with pytest.raises(ConfigError, match=r"\.kube/config.*--kubeconfig.*KUBECONFIG"):
        load_config(environ={"HOME": str(tmp_path)})


def test_a_pod_is_recognized_by_its_variable_and_its_token(account: Path, tmp_path: Path) -> None:
    """A Pod without a mounted token cannot use the API server."""
    assert is_in_cluster(POD, files=account)
    assert not is_in_cluster({}, files=account)
    assert not is_in_cluster(POD, files=tmp_path)


def test_a_pods_configuration(account: Path) -> None:
    """The address comes from the environment; the files are read later, because they are rotated."""
    config = read_in_cluster(POD, files=account)

    assert config.server == "https://10.0.0.1:6443"
    assert (config.user.token, config.ca) == (account / "token", account / "ca.crt")
    assert config.namespace == "shop"


def test_an_ipv6_address_is_bracketed(account: Path) -> None:
    """In a URL, an IPv6 address needs brackets."""
    environ = {"KUBERNETES_SERVICE_HOST": "fd00::1"}

    assert read_in_cluster(environ, files=account).server == "https://[fd00::1]:443"


@pytest.mark.parametrize("name", ["token", "ca.crt"])
def test_a_pod_without_its_files_says_which_field_mounts_them(account: Path, name: str) -> None:
    """The error mentions automountServiceAccountToken."""
    (account / name).unlink()

    with pytest.raises(ConfigError, match=f"{name}.*automountServiceAccountToken"):
        read_in_cluster(POD, files=account)


def test_outside_a_pod_there_is_no_in_cluster_configuration(account: Path) -> None:
    """Without the variable the process is not in a Pod."""
    with pytest.raises(ConfigError, match="KUBERNETES_SERVICE_HOST"):
        read_in_cluster({}, files=account)
