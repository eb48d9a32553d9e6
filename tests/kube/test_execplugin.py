"""Exec plugins: real programs that print credentials, hang, fail or print invalid output."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from nopea.core.secret import Secret
from nopea.kube.auth import UserSource
from nopea.kube.config import ClusterConfig, ConfigError, ExecPlugin, User
from nopea.kube.execplugin import ExecSource, source_of

V1 = "client.authentication.k8s.io/v1"


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """The path to which a test writes its plugin."""
    return tmp_path / "login"


def _config(program: Path, script: str, **plugin: Any) -> ClusterConfig:
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o700)
    user = User(exec=ExecPlugin(api_version=V1, command=str(program), **plugin))
    return ClusterConfig(server="https://a", ca=Secret(b"pem"), user=user, origin="the test")


def _beside(program: Path, name: str) -> str:
    return program.with_suffix(f".{name}").read_text()


def _credential(**status: Any) -> str:
    return json.dumps({"apiVersion": V1, "kind": "ExecCredential", "status": status})


def _prints(**status: Any) -> str:
    return f"cat <<'EOF'\n{_credential(**status)}\nEOF"


async def test_a_token_is_a_bearer_header(program: Path) -> None:
    """A token without an expiration is valid until the server refuses it."""
    identity = await ExecSource(_config(program, _prints(token="abc"))).fetch()

    assert identity.authorization.reveal() == b"Bearer abc"
    assert identity.good_until == float("inf")


async def test_a_client_certificate(program: Path) -> None:
    """A plugin can return a client certificate with its key."""
    script = _prints(clientCertificateData="cert", clientKeyData="key")

    identity = await ExecSource(_config(program, script)).fetch()

    assert (identity.certificate.reveal(), identity.key.reveal()) == (b"cert", b"key")


@pytest.mark.parametrize(("minutes", "least", "most"), [(10, 580, 595), (-10, 0, 1.1)])
async def test_credentials_are_used_until_shortly_before_they_expire(
    program: Path, minutes: int, least: float, most: float
) -> None:
    """Credentials are used until ten seconds before they expire; expired ones for one second."""
    expires = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    script = _prints(token="abc", expirationTimestamp=expires)

    identity = await ExecSource(_config(program, script)).fetch()

    assert least <= identity.good_until - time.monotonic() <= most


async def test_the_plugin_gets_its_arguments_and_variables(program: Path) -> None:
    """The plugin gets its arguments and variables, and the cluster if the kubeconfig says so."""
    script = f'echo "$KUBERNETES_EXEC_INFO" > {program}.info; echo $1-$REGION > {program}.seen\n'
    config = _config(
        program,
        script + _prints(token="abc"),
        args=("now",),
        env=(("REGION", Secret("eu")),),
        provide_cluster_info=True,
        cluster_config={"audience": "shop"},
    )

    await ExecSource(config).fetch()

    assert _beside(program, "seen") == "now-eu\n"
    info = json.loads(_beside(program, "info"))
    assert info["spec"]["cluster"] == {
        "server": "https://a",
        "certificate-authority-data": "cGVt",
        "config": {"audience": "shop"},
    }
    assert info["spec"]["interactive"] is False


@pytest.mark.parametrize(
    ("script", "says"),
    [
        ("echo rubbish", "did not print an ExecCredential"),
        ("echo first; echo no session >&2; exit 4", "exited with code 4: no session"),
        ("exit 1", "exited with code 1: it printed no error"),
        ("""echo '{"apiVersion":"v9","kind":"ExecCredential"}'""", "printed ExecCredential v9, not"),
        (_prints(), "neither a token nor a client certificate"),
        (_prints(clientCertificateData="c"), "without the other"),
        (_prints(token="a", expirationTimestamp="2026-01-02T03:04:05"), "without a time zone"),
        ("head -c 2000000 /dev/zero", "printed more than"),
    ],
)
async def test_an_error_names_its_cause(program: Path, script: str, says: str) -> None:
    """The error names the configuration, the program and the cause."""
    with pytest.raises(ConfigError, match=says) as wrong:
        await ExecSource(_config(program, script)).fetch()

    assert str(wrong.value).startswith(f"the test: exec plugin {program} ")


async def test_a_missing_program_shows_its_install_hint(program: Path) -> None:
    """If the program is missing, the error includes the kubeconfig's install hint."""
    config = _config(program.with_name("other"), "")
    plugin = ExecPlugin(api_version=V1, command=str(program), install_hint="Install login from acme.example.")
    config = replace(config, user=User(exec=plugin))

    with pytest.raises(ConfigError, match=r"cannot be started: .*\. Install login from acme\.example\.$"):
        await ExecSource(config).fetch()


async def test_a_plugin_that_hangs_is_ended_with_its_children(program: Path) -> None:
    """After its time limit, the plugin's whole process group is killed."""
    source = ExecSource(_config(program, "sleep 60 & sleep 60"), run_seconds=0.3)
    began = time.monotonic()

    with pytest.raises(ConfigError, match="did not end within"):
        await source.fetch()

    assert time.monotonic() - began < 10


async def test_a_secret_in_its_environment_is_masked_in_its_errors(program: Path) -> None:
    """The plugin's last error line is shown without the values that the kubeconfig passes to it."""
    config = _config(program, "echo bad key $KEY >&2; exit 1", env=(("KEY", Secret("hunter2")),))

    with pytest.raises(ConfigError) as wrong:
        await ExecSource(config).fetch()

    assert "hunter2" not in str(wrong.value)


def test_where_identities_come_from(program: Path) -> None:
    """A user with a plugin runs it; any other user is read from the kubeconfig."""
    assert isinstance(source_of(_config(program, "")), ExecSource)
    assert isinstance(source_of(ClusterConfig(server="https://a")), UserSource)
