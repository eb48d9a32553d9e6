"""From flags and `NOPEA_*` to what the controller is told."""

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

from nopea.cli.commands.run import MemorySize, command, settings_of
from nopea.core.notify.address import ReceiverAddress
from nopea.core.secret import Secret
from nopea.settings import NotifySettings, Settings

DEFAULTS = Settings()


class Screen(io.StringIO):
    """A terminal, as far as a stream can tell."""

    def isatty(self) -> bool:
        """Say that it is one."""
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


@pytest.mark.parametrize(
    ("text", "size"),
    [("512Mi", 512 * 2**20), ("1Gi", 2**30), ("64Ki", 64 * 2**10), ("1048576", 2**20), ("0", 0)],
)
def test_sizes_are_written_as_in_kubernetes(text: str, size: int) -> None:
    """Binary units or plain bytes; the default passes as it is."""
    assert MemorySize().convert(text, None, None) == size
    assert MemorySize().convert(size, None, None) == size


@pytest.mark.parametrize(
    "text", ["", "Mi", "512M", "512mi", "512 Mi", "-1", "1.5Gi", "1e9", "٥Mi", "five", "9" * 5000, "9" * 30]
)
def test_anything_else_is_refused_with_the_form_that_is_expected(text: str) -> None:
    """In words, not with a traceback."""
    with pytest.raises(click.BadParameter, match="is not a size"):
        MemorySize().convert(text, None, None)


def test_nothing_given_is_the_defaults_of_the_settings() -> None:
    """One place says what they are."""
    told = _told()

    assert told["port"] == DEFAULTS.port
    assert told["host"] == DEFAULTS.host
    assert told["git_children"] == DEFAULTS.git_children
    assert told["git_memory"] == DEFAULTS.git_memory_bytes
    assert told["shutdown_seconds"] == DEFAULTS.shutdown_seconds
    assert told["allow_file_urls"] is False
    assert told["namespace"] is told["kubeconfig"] is told["context"] is None


GIVEN = [
    ("port", "8080", 8080),
    ("host", "127.0.0.1", "127.0.0.1"),
    ("namespace", "shop", "shop"),
    ("kubeconfig", "/tmp/kubeconfig", Path("/tmp/kubeconfig")),
    ("git-memory", "1Gi", 2**30),
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
]


@pytest.mark.parametrize(("name", "text", "value"), GIVEN)
def test_a_flag_and_its_variable_say_the_same(
    name: str, text: str, value: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """--git-memory is NOPEA_GIT_MEMORY."""
    key = name.replace("-", "_")
    assert _told(f"--{name}", text)[key] == value

    monkeypatch.setenv(f"NOPEA_{key.upper()}", text)
    assert _told()[key] == value


def test_the_flag_wins() -> None:
    """A person at the keyboard knows better than the environment."""
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
def test_what_makes_no_sense_is_wrong_usage(args: list[str]) -> None:
    """Exit code 2, before anything is started; the message names the option or the word."""
    with pytest.raises(click.UsageError) as caught:
        _told(*args)

    assert caught.value.exit_code == 2
    assert args[0] in caught.value.format_message()


def test_a_service_of_our_name_does_not_get_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets NOPEA_PORT=tcp://… for a Service named nopea: it is refused by name, not misread."""
    monkeypatch.setenv("NOPEA_PORT", "tcp://10.0.0.1:80")

    with pytest.raises(click.BadParameter, match="tcp://10"):
        _told()


def test_every_option_reaches_the_settings() -> None:
    """An option that nothing reads would be a lie; a setting without an option cannot be set."""
    args = [word for name, text, _ in GIVEN for word in (f"--{name}", text)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NOPEA_WEBHOOK_SECRET", "a token\n")
        others = ("--context", "kind", "--allow-file-urls", "--webhook-body-limit", "1Mi", "--commit-status")
        settings = settings_of(**_told(*args, *others))

    assert settings == Settings(
        kubeconfig=Path("/tmp/kubeconfig"),
        context="kind",
        namespace="shop",
        host="127.0.0.1",
        port=8080,
        log_level="debug",
        log_format="console",
        cache_dir=Path("/tmp/cache"),
        git_children=4,
        git_memory_bytes=2**30,
        allow_file_urls=True,
        cdevents_sink=(ReceiverAddress.parse("https://events.acme.example/x"),),
        cdevents_mode="structured",
        cdevents_version="0.4.1",
        cdevents_source="https://nopea.acme.example",
        cdevents_drift="custom",
        environment="prod",
        webhook_secret=Secret("a token"),
        webhook_secret_file=Path("/tmp/token"),
        webhook_body_limit=2**20,
        notify=NotifySettings(commit_status=True),
        shutdown_seconds=7.5,
    )
    assert "a token" not in repr(settings)
    default = Settings()
    assert [name for name in fields(settings) if getattr(settings, name) == getattr(default, name)] == []


def test_logs_are_for_programs_unless_a_person_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text on a terminal, JSON elsewhere, and what was asked for in any case."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    assert settings_of(**_told()).log_format == "json"

    monkeypatch.setattr(sys, "stderr", Screen())
    assert settings_of(**_told()).log_format == "console"
    assert settings_of(**_told("--log-format", "json")).log_format == "json"


def test_a_cache_folder_that_cannot_be_made_is_said_in_a_line(tmp_path: Path) -> None:
    """A wrong folder is a wrong configuration, with its name and the option: no traceback."""
    taken = tmp_path / "file"
    taken.write_text("")
    told = CliRunner().invoke(command, ["--cache-dir", str(taken / "cache")])

    assert told.exit_code == 3
    assert str(taken) in told.output
    assert "--cache-dir" in told.output


def test_a_receiver_whose_url_makes_no_sense_is_said_in_a_line() -> None:
    """A wrong configuration: which URL and what to write, without showing it, for it may hold a password."""
    urls = "https://events.acme.example,ftp://ada:hunter22@events.acme.example/topsecret"
    told = CliRunner().invoke(command, [], env={"NOPEA_CDEVENTS_SINK": urls})

    assert told.exit_code == 3
    assert told.output == (
        "nopea: --cdevents-sink: URL 2 of the list does not begin with http:// or https://. "
        "Write https://host/path.\n"
    )
