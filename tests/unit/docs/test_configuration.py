"""docs/configuration.md matches the command line, exit codes, HTTP server and log."""

from __future__ import annotations

import ast
import re
import signal
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from nopea import app, log_events
from nopea.cli.commands.run import SECRET_VARIABLE, command
from nopea.cli.memory_size import MemorySize
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.trigger import Trigger
from nopea.logs import Event
from nopea.settings import Settings

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src" / "nopea"
TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
CHAPTERS = dict(chapter.split("\n", 1) for chapter in re.split(r"\n##? ", f"\n{TEXT}")[1:])
OPTIONS = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
SAMPLES = {"port": "4007", "probe_port": "4008", "dashboard": "1",
           "dashboard_port": "4009", "log_level": "debug", "log_format": "json",
           "git_children": "3", "git_memory": "1Gi", "git_disk": "1Gi", "allow_file_urls": "1",
           "apply_as_controller": "1", "read_only": "1", "record_users": "1", "users_port": "4009",
           "cross_namespace_refs": "1", "allow_http_credentials": "1", "min_interval": "7s",
           "max_timeout": "7s", "git_networks": "public", "max_objects": "7",
           "shutdown_seconds": "7", "sops_vault_token_file": "/tmp/token",
           "cdevents_mode": "structured", "cdevents_version": "0.4.1", "cdevents_drift": "custom",
           "webhook_secret_file": "/tmp/token", "webhook_body_limit": "1Mi", "notify_per_minute": "7",
           "commit_status": "1", "pull_request_plans": "1",
           "notify_severity": "error", "notify_after": "7s"}  # fmt: skip
EVENTS = [value for value in vars(log_events).values() if isinstance(value, Event)]


def rows(chapter: str) -> list[list[str]]:
    """Return the cells of the table in a chapter, without its head."""
    lines = [line for line in CHAPTERS[chapter].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    """Return the texts in backquotes."""
    return re.findall(r"`([^`]*)`", cell)


def settings_rows() -> dict[str, list[str]]:
    """Return the rows of the table of options, by flag."""
    return {quoted(row[0])[0]: row for row in rows("Configuration of `nopea run`")}


def test_every_option_is_documented() -> None:
    """The table contains exactly the command's flags, in its order."""
    assert list(settings_rows()) == [option.opts[0] for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_variable_sets_the_option(option: click.Option, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable in the table sets the option in its row."""
    (variable,) = quoted(settings_rows()[option.opts[0]][1])
    sample = SAMPLES.get(str(option.name), "sample")
    monkeypatch.setenv(variable, sample)
    context = command.make_context("run", [], resilient_parsing=False)

    assert context.params[str(option.name)] == option.type.convert(sample, option, context)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty variable leaves the default."""
    monkeypatch.setenv("NOPEA_NAMESPACE", "")
    assert command.make_context("run", []).params["namespace"] is None


def test_defaults_are_those_of_the_settings() -> None:
    """The defaults in the table are those of Settings."""
    documented = {option.name: quoted(settings_rows()[option.opts[0]][2]) for option in OPTIONS}
    defaults = Settings()

    for name in ("host", "port", "probe_port", "log_level", "git_children", "shutdown_seconds",
                 "cdevents_mode", "cdevents_version", "cdevents_drift"):  # fmt: skip
        value = getattr(defaults, name)
        assert documented[name] == [f"{value:g}" if isinstance(value, float) else str(value)]
    assert MemorySize().convert(documented["git_memory"][0], None, None) == defaults.git_memory_bytes
    assert MemorySize().convert(documented["git_disk"][0], None, None) == defaults.git_disk_bytes
    assert (
        MemorySize().convert(documented["webhook_body_limit"][0], None, None) == defaults.webhook_body_limit
    )
    assert documented["webhook_secret_file"] == [SECRET_VARIABLE]
    assert documented["cache_dir"][0] == str(defaults.cache_dir)
    assert settings_rows()["--allow-file-urls"][2] == "off"
    assert defaults.tenancy.allow_file_urls is False


def test_the_help_shows_the_same_defaults() -> None:
    """The defaults in the table are also in the help of the command."""
    with click.Context(command, info_name="run", terminal_width=1000, **command.context_settings) as context:
        help_text = command.get_help(context)
    lines = {line.split()[0]: line for line in help_text.splitlines() if line.startswith("  --")}

    for flag, row in settings_rows().items():
        for default in quoted(row[2]):
            assert default in lines[flag]


def test_every_setting_has_an_option() -> None:
    """Every setting has an option, except the secret, which is only a variable."""
    sizes = {name: f"{name}_bytes" for name in ("git_memory", "git_disk")}
    names = {sizes.get(str(option.name), str(option.name)) for option in OPTIONS}
    notify = {"notify_url", "notify_secret_file", "slack_url_file", "notify_per_minute", "cluster_name",
              "commit_status", "commit_status_url", "pull_request_plans", "teams_url_file",
              "discord_url_file", "alertmanager_url", "notify_events", "notify_severity",
              "notify_after"}  # fmt: skip
    assert notify <= names
    names = names - notify | {"notify"}  # one setting, `NotifySettings`
    tenancy = {field.name for field in fields(TenancyPolicy)} - {"is_command"}
    assert tenancy <= names
    names = names - tenancy | {"tenancy"}
    by_variable_alone = {"webhook_secret"}  # a flag would be visible in the process list
    assert names | by_variable_alone == {field.name for field in fields(Settings)}
    assert f"`{SECRET_VARIABLE}` has no flag" in TEXT


def test_exit_codes_are_documented() -> None:
    """The table contains every exit code, and the help the same ones."""
    documented = [row[0] for row in rows("Exit codes")]
    wrong_usage = click.UsageError.exit_code

    assert documented[:4] == [
        str(code) for code in (app.EXIT_OK, app.EXIT_SERVICE_ENDED, wrong_usage, app.EXIT_CONFIGURATION)
    ]
    assert documented[4] == f"{128 + signal.SIGINT}, {128 + signal.SIGTERM}"
    assert len(documented) == 5
    assert all(re.search(rf"\b{code} ", command.help or "") for code in documented[:4])


def routes() -> Iterator[str]:
    """Yield every route of the HTTP server: `router.add_get("/…")` and `web.get("/…")` in the sources."""
    for path in sorted((SOURCES / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=attribute), args=[ast.Constant(value=str(route)), *_]):
                    method = attribute.removeprefix("add_").upper()
                    if route.startswith("/") and method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                        yield f"{method} {route}"


def test_endpoints_are_documented() -> None:
    """The table contains exactly the routes of the server."""
    assert sorted(quoted(row[0])[0] for row in rows("HTTP")) == sorted(routes())


def test_the_example_log_lines_have_existing_messages() -> None:
    """Each line of the example starts with a message of the catalogue."""
    messages = "|".join(sorted((event.message for event in EVENTS), key=len, reverse=True))
    shown = CHAPTERS["Log"].rpartition("```text\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 5
    assert [line for line in shown if not re.match(rf"[\d:.]{{12}} \w+ +(?:{messages})( |$)", line)] == []


def test_every_trigger_is_documented() -> None:
    """Every trigger that can be in a log line is listed."""
    woken_by = {trigger.value for trigger in Trigger if trigger is not Trigger.SHUTDOWN}
    sentence = CHAPTERS["Log"].partition("The triggers are")[2].partition("\n\n")[0]
    assert woken_by <= set(quoted(sentence))
