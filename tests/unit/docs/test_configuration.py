"""docs/configuration.md and the command line, the exit codes, the HTTP server and the log say the same."""

from __future__ import annotations

import ast
import logging
import re
import signal
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import click
import pytest

from nopea import app, log_events
from nopea.cli.commands.run import SECRET_VARIABLE, MemorySize, command
from nopea.core.trigger import Trigger
from nopea.logs import Event
from nopea.settings import Settings

ROOT = Path(__file__).parents[3]
SOURCES = ROOT / "src" / "nopea"
TEXT = (ROOT / "docs" / "configuration.md").read_text(encoding="utf-8")
CHAPTERS = dict(chapter.split("\n", 1) for chapter in re.split(r"\n##? ", f"\n{TEXT}")[1:])
OPTIONS = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
SAMPLES = {"port": "4001", "log_level": "debug", "log_format": "json", "git_children": "3",
           "git_memory": "1Gi", "allow_file_urls": "1", "shutdown_seconds": "7",
           "cdevents_mode": "structured", "cdevents_version": "0.4.1", "cdevents_drift": "custom",
           "webhook_secret_file": "/tmp/token", "webhook_body_limit": "1Mi", "notify_per_minute": "7",
           "commit_status": "1"}  # fmt: skip
EVENTS = [value for value in vars(log_events).values() if isinstance(value, Event)]


def rows(chapter: str) -> list[list[str]]:
    """Return the cells of a chapter's table, without its head."""
    lines = [line for line in CHAPTERS[chapter].splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def quoted(cell: str) -> list[str]:
    """Return what stands in backquotes."""
    return re.findall(r"`([^`]*)`", cell)


def settings_rows() -> dict[str, list[str]]:
    """Return the rows of the table of options by flag."""
    return {quoted(row[0])[0]: row for row in rows("Configuration of `nopea run`")}


def test_every_option_is_told_and_no_other() -> None:
    """The table has exactly the command's flags, in its order."""
    assert list(settings_rows()) == [option.opts[0] for option in OPTIONS]


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
def test_the_variable_sets_the_option(option: click.Option, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each variable in the table reaches the option beside it."""
    (variable,) = quoted(settings_rows()[option.opts[0]][1])
    sample = SAMPLES.get(str(option.name), "sample")
    monkeypatch.setenv(variable, sample)
    context = command.make_context("run", [], resilient_parsing=False)

    assert context.params[str(option.name)] == option.type.convert(sample, option, context)


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """A manifest may leave a variable empty."""
    monkeypatch.setenv("NOPEA_NAMESPACE", "")
    assert command.make_context("run", []).params["namespace"] is None


def test_defaults_are_those_of_the_settings() -> None:
    """The table's defaults are what `nopea run` takes without flags and what Settings has."""
    told = {option.name: quoted(settings_rows()[option.opts[0]][2]) for option in OPTIONS}
    defaults = Settings()

    for name in ("host", "port", "log_level", "git_children", "shutdown_seconds", "cdevents_mode",
                 "cdevents_version", "cdevents_drift"):  # fmt: skip
        value = getattr(defaults, name)
        assert told[name] == [f"{value:g}" if isinstance(value, float) else str(value)]
    assert MemorySize().convert(told["git_memory"][0], None, None) == defaults.git_memory_bytes
    assert MemorySize().convert(told["webhook_body_limit"][0], None, None) == defaults.webhook_body_limit
    assert told["webhook_secret_file"] == [SECRET_VARIABLE]
    assert told["cache_dir"][0] == str(defaults.cache_dir)
    assert settings_rows()["--allow-file-urls"][2] == "off"
    assert defaults.allow_file_urls is False


def test_help_tells_the_same_defaults() -> None:
    """Who asks the command reads what the table says."""
    with click.Context(command, info_name="run", terminal_width=1000, **command.context_settings) as context:
        help_text = command.get_help(context)
    lines = {line.split()[0]: line for line in help_text.splitlines() if line.startswith("  --")}

    for flag, row in settings_rows().items():
        for default in quoted(row[2]):
            assert default in lines[flag]


def test_every_setting_has_an_option() -> None:
    """What the process can be told, its command line can say."""
    names = {str(option.name).replace("git_memory", "git_memory_bytes") for option in OPTIONS}
    notify = {"notify_url", "notify_secret_file", "slack_url_file", "notify_per_minute", "cluster_name",
              "commit_status", "commit_status_url"}  # fmt: skip
    assert notify <= names
    names = names - notify | {"notify"}  # one value, `NotifySettings`
    by_variable_alone = {"webhook_secret"}  # a flag would show it to everybody on the machine
    assert names | by_variable_alone == {field.name for field in fields(Settings)}
    assert f"`{SECRET_VARIABLE}` has no flag" in TEXT


def test_exit_codes_are_told() -> None:
    """The table has every way to end, and the help tells the same codes."""
    told = [row[0] for row in rows("Exit codes")]
    wrong_usage = click.UsageError.exit_code

    assert told[:4] == [
        str(code) for code in (app.EXIT_OK, app.EXIT_SERVICE_ENDED, wrong_usage, app.EXIT_CONFIGURATION)
    ]
    assert told[4] == f"{128 + signal.SIGINT}, {128 + signal.SIGTERM}"
    assert len(told) == 5
    assert all(re.search(rf"\b{code} ", command.help or "") for code in told[:4])


def routes() -> Iterator[str]:
    """Find every route of the HTTP server: `router.add_get("/…")` and `web.get("/…")` in the sources."""
    for path in sorted((SOURCES / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Call(func=ast.Attribute(attr=attribute), args=[ast.Constant(value=str(route)), *_]):
                    method = attribute.removeprefix("add_").upper()
                    if route.startswith("/") and method in ("GET", "POST", "PUT", "PATCH", "DELETE"):
                        yield f"{method} {route}"


def test_endpoints_are_told() -> None:
    """The table has the server's routes, no more and no fewer."""
    assert sorted(quoted(row[0])[0] for row in rows("HTTP")) == sorted(routes())


def log_row(event: Event[...]) -> list[str]:
    """Return the row of an event, as the table has it."""
    level = logging.getLevelName(event.level).lower()
    return [level, f"`{event.message}`", ", ".join(f"`{fact}`" for fact in event.facts), event.meaning]


def test_the_table_of_the_log_is_the_catalogue() -> None:
    """Each event with level, message, facts and meaning, in the same order; a meaning may have links."""
    table = [[re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", cell) for cell in row] for row in rows("Log")]
    assert table == [log_row(event) for event in EVENTS]


def test_the_example_lines_are_of_messages_that_exist() -> None:
    """What the reader sees is what the log has."""
    messages = "|".join(sorted((event.message for event in EVENTS), key=len, reverse=True))
    shown = CHAPTERS["Log"].rpartition("```text\n")[2].partition("```")[0].splitlines()
    assert len(shown) > 5
    assert [line for line in shown if not re.match(rf"[\d:.]{{12}} \w+ +(?:{messages})( |$)", line)] == []


def test_every_trigger_is_told() -> None:
    """A pass can say what woke it in no word that the reader has not seen."""
    woken_by = {trigger.value for trigger in Trigger if trigger is not Trigger.SHUTDOWN}
    sentence = CHAPTERS["Log"].partition("The triggers are")[2].partition("\n\n")[0]
    assert woken_by <= set(quoted(sentence))
