"""`nopea run`: from flags and `NOPEA_*` variables to the settings of the controller."""

from __future__ import annotations

import dataclasses
import io
import os
import sys
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from nopea.cli.commands.run import SECTIONS, command, settings_of
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.git.networks import Networks
from nopea.core.notify.address import ReceiverAddress
from nopea.core.secret import Secret
from nopea.settings import NotifySettings, Settings

DEFAULTS = Settings()


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        """Return True."""
        return True


def fields(settings: Settings) -> list[str]:
    """Return the names of all settings."""
    return [field.name for field in dataclasses.fields(settings)]


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("NOPEA_")]:
        monkeypatch.delenv(name)


def _told(*args: str) -> dict[str, Any]:
    """Parse a command line without running it."""
    return command.make_context("run", list(args)).params


def test_the_help_lists_the_options_in_sections() -> None:
    """Each option once, in the order of the command line; a section that begins nowhere is a mistake."""
    shown = command.get_help(command.make_context("run", []))

    assert [line[:-1] for line in shown.splitlines() if line[:1].isupper() and line.endswith(":")] == [
        *SECTIONS.values()
    ]
    assert set(SECTIONS) <= {param.name for param in command.params}
    for param in command.params:
        assert shown.count(f"  {param.opts[0]} ") == 1, param.opts


def test_the_defaults_are_those_of_the_settings() -> None:
    """Without flags and variables, each option has the default of Settings."""
    parameters = _told()

    assert parameters["port"] == DEFAULTS.port
    assert parameters["host"] == DEFAULTS.host
    assert parameters["git_children"] == DEFAULTS.git_children
    assert parameters["git_memory"] == DEFAULTS.git_memory_bytes
    assert parameters["git_disk"] == DEFAULTS.git_disk_bytes
    assert parameters["shutdown_seconds"] == DEFAULTS.shutdown_seconds
    assert parameters["allow_file_urls"] is False
    assert parameters["namespace"] is parameters["kubeconfig"] is parameters["context"] is None


GIVEN = [
    ("port", "8080", 8080),
    ("probe-port", "8081", 8081),
    ("users-port", "8082", 8082),
    ("dashboard-port", "8083", 8083),
    ("dashboard-hosts", "Nopea.acme.example, other", "Nopea.acme.example, other"),
    ("host", "127.0.0.1", "127.0.0.1"),
    ("namespace", "shop", "shop"),
    ("kubeconfig", "/tmp/kubeconfig", Path("/tmp/kubeconfig")),
    ("git-memory", "1Gi", 2**30),
    ("git-disk", "2Gi", 2**31),
    ("git-children", "4", 4),
    ("shutdown-seconds", "7.5", 7.5),
    ("webhook-secret-file", "/tmp/token", Path("/tmp/token")),
    ("log-level", "debug", "debug"),
    ("log-format", "console", "console"),
    ("cache-dir", "/tmp/cache", Path("/tmp/cache")),
    ("cdevents-sink", "https://events.acme.example/x", "https://events.acme.example/x"),
    ("cdevents-mode", "structured", "structured"),
    ("cdevents-version", "0.4.1", "0.4.1"),
    ("cdevents-source", "https://nopea.acme.example", "https://nopea.acme.example"),
    ("cdevents-drift", "custom", "custom"),
    ("environment", "prod", "prod"),
    ("default-service-account", "deployer", "deployer"),
    ("allowed-hosts", "git.acme.example, *.Corp.example", "git.acme.example, *.Corp.example"),
    ("min-interval", "1m", 60.0),
    ("max-timeout", "10m", 600.0),
    ("max-objects", "50", 50),
    ("git-networks", "public", "public"),
]


@pytest.mark.parametrize(("name", "text", "value"), GIVEN)
def test_a_flag_and_its_variable_set_the_same_option(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variable has the flag's name: --git-memory is NOPEA_GIT_MEMORY."""
    key = name.replace("-", "_")
    assert _told(f"--{name}", text)[key] == value

    monkeypatch.setenv(f"NOPEA_{key.upper()}", text)
    assert _told()[key] == value


def test_the_flag_wins() -> None:
    """A flag overrides its environment variable."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOPEA_PORT", "1")
        patch.setenv("NOPEA_NAMESPACE", "web")
        patch.setenv("NOPEA_ALLOW_FILE_URLS", "true")

        assert _told("--port", "2", "--namespace", "shop")["port"] == 2
        assert _told("--namespace", "shop")["namespace"] == "shop"
        assert _told()["allow_file_urls"] is True


@pytest.mark.parametrize(
    "args",
    [
        ["--port", "65536"],
        ["--port", "-1"],
        ["--git-children", "0"],
        ["--git-children", "17"],
        ["--shutdown-seconds", "0"],
        ["--log-level", "loud"],
        ["--git-memory", "much"],
        ["--unknown"],
        ["extra"],
    ],
)
def test_invalid_arguments_are_usage_errors(args: list[str]) -> None:
    """Exit code 2; the message names the option or the argument."""
    with pytest.raises(click.UsageError) as caught:
        _told(*args)

    assert caught.value.exit_code == 2
    assert args[0] in caught.value.format_message()


def test_the_variable_of_a_service_named_nopea_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets NOPEA_PORT=tcp://… for a Service named nopea; the error quotes the value."""
    monkeypatch.setenv("NOPEA_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(click.BadParameter, match="tcp://10"):
        _told()


def test_every_option_reaches_the_settings() -> None:
    """Every option sets a setting, and every setting has an option."""
    args = [word for name, text, _ in GIVEN for word in (f"--{name}", text)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOPEA_WEBHOOK_SECRET", "a token\n")
        others = (
            "--context", "kind", "--allow-file-urls", "--webhook-body-limit", "1Mi", "--commit-status",
            "--record-users", "--dashboard",
            "--apply-as-controller", "--cross-namespace-refs", "--allow-http-credentials",
            "--sops-vault-token-file", "/tmp/vault", "--sops-vault-role", "prod/nopea",
        )  # fmt: skip
        settings = settings_of(**_told(*args, *others))

    assert settings == Settings(
        kubeconfig=Path("/tmp/kubeconfig"),
        context="kind",
        namespace="shop",
        host="127.0.0.1",
        port=8080,
        probe_port=8081,
        users_port=8082,
        record_users=True,
        dashboard=True,
        dashboard_port=8083,
        dashboard_hosts=("nopea.acme.example", "other"),
        log_level="debug",
        log_format="console",
        cache_dir=Path("/tmp/cache"),
        git_children=4,
        git_memory_bytes=2**30,
        git_disk_bytes=2**31,
        tenancy=TenancyPolicy(
            apply_as_controller=True,
            default_service_account="deployer",
            cross_namespace_refs=True,
            allowed_hosts=("git.acme.example", "*.corp.example"),
            allow_http_credentials=True,
            allow_file_urls=True,
            git_networks=Networks.PUBLIC,
            min_interval=60.0,
            max_timeout=600.0,
            max_objects=50,
        ),
        cdevents_sink=(ReceiverAddress.parse("https://events.acme.example/x"),),
        cdevents_mode="structured",
        cdevents_version="0.4.1",
        cdevents_source="https://nopea.acme.example",
        cdevents_drift="custom",
        environment="prod",
        sops_vault_token_file=Path("/tmp/vault"),
        sops_vault_role="prod/nopea",
        webhook_secret=Secret("a token"),
        webhook_secret_file=Path("/tmp/token"),
        webhook_body_limit=2**20,
        notify=NotifySettings(commit_status=True),
        shutdown_seconds=7.5,
    )
    assert "a token" not in repr(settings)
    default = Settings()
    assert [name for name in fields(settings) if getattr(settings, name) == getattr(default, name)] == []


def test_the_default_log_format_depends_on_the_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """The default is text on a terminal and JSON elsewhere; --log-format overrides it."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert settings_of(**_told()).log_format == "json"

    monkeypatch.setattr(sys, "stderr", Screen())
    assert settings_of(**_told()).log_format == "console"
    assert settings_of(**_told("--log-format", "json")).log_format == "json"


def test_a_cache_folder_that_cannot_be_created_is_reported(tmp_path: Path) -> None:
    """The exit code is 3, and the output names the folder and the option."""
    taken = tmp_path / "file"
    taken.write_text("")
    result = CliRunner().invoke(command, ["--cache-dir", str(taken / "cache")])

    assert result.exit_code == 3
    assert str(taken) in result.output
    assert "--cache-dir" in result.output


def test_an_invalid_sink_url_is_reported_without_showing_it() -> None:
    """The message says which URL of the list is wrong; the URL is not shown, as it may contain a password."""
    urls = "https://events.acme.example,ftp://ada:hunter22@events.acme.example/topsecret"
    result = CliRunner().invoke(command, [], env={"NOPEA_CDEVENTS_SINK": urls})

    assert result.exit_code == 3
    assert result.output == (
        "nopea: --cdevents-sink: URL 2 of the list does not begin with http:// or https://. "
        "Write https://host/path.\n"
    )
