"""The lab's kubectl uses the lab's kubeconfig and reports errors. (A script stands in for kubectl.)"""

from __future__ import annotations

from pathlib import Path

import pytest

from nopea_lab.kubectl import Kubectl, KubectlError


def _kubectl(folder: Path, script: str) -> Kubectl:
    binary = folder / "kubectl"
    binary.write_text(f"#!/bin/sh\n{script}\n")
    binary.chmod(0o755)
    return Kubectl(binary=binary, kubeconfig=folder / "kubeconfig")


def test_it_gets_the_kubeconfig_and_a_cache_beside_it(tmp_path: Path) -> None:
    """Nothing is written to the user's home."""
    kubectl = _kubectl(tmp_path, 'printf "%s\\n" "$@"')

    assert kubectl("get", "pods").splitlines() == [
        f"--kubeconfig={tmp_path}/kubeconfig",
        f"--cache-dir={tmp_path}/kubectl-cache",
        "get",
        "pods",
    ]


def test_standard_input_is_what_was_given(tmp_path: Path) -> None:
    """Without any it is empty, not the terminal."""
    kubectl = _kubectl(tmp_path, "cat")

    assert kubectl("apply", "-f", "-", stdin="kind: List") == "kind: List"
    assert kubectl("apply", "-f", "-") == ""


def test_a_failure_has_the_command_the_exit_code_and_standard_error(tmp_path: Path) -> None:
    """The command is shown as a user would type it."""
    kubectl = _kubectl(tmp_path, "echo it is forbidden >&2; exit 3")

    with pytest.raises(KubectlError) as raised:
        kubectl("get", "secrets")

    assert str(raised.value) == "kubectl get secrets ended with 3: it is forbidden"
    assert raised.value.exit_code == 3
