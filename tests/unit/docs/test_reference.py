"""The pages that are made from the code: docs/generate.py."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from typing import Any

import click
import pytest
from docs.generate import PAGES, Schema, constraints_of, page, type_of

from nopea import log_events
from nopea.cli.main import GROUPS, SUBCOMMANDS, main
from nopea.core.api.crds import git_repository_crd, inventory_crd
from nopea.logs import Event
from nopea.metrics import catalogue

API, COMMANDS = page("api.md"), page("commands.md")


def described(crd: dict[str, Any], prefix: str = "") -> Iterator[tuple[str, Schema]]:
    """Yield each field of the spec and the status with its path."""
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]
    for part in ("spec", "status"):
        if part in root:
            yield from _below(root[part], f"{prefix}{part}")


def _below(schema: Schema, path: str) -> Iterator[tuple[str, Schema]]:
    for name, field in schema.get("items", schema).get("properties", {}).items():
        yield f"{path}.{name}", field
        yield from _below(field, f"{path}.{name}")


FIELDS = dict([*described(git_repository_crd()), *described(inventory_crd(), "inventory.")])


def commands() -> Iterator[tuple[click.Command, click.Context]]:
    """Yield each command and subcommand with its context."""
    waiting: list[tuple[click.Group, click.Context, str]] = [
        (main, click.Context(main, info_name="nopea"), name) for name in SUBCOMMANDS
    ]
    while waiting:
        group, parent, name = waiting.pop()
        command = group.get_command(parent, name)
        assert command is not None
        context = click.Context(command, info_name=name, parent=parent)
        yield command, context
        if isinstance(command, click.Group):
            waiting += [(command, context, inner) for inner in command.list_commands(context)]


def anchors(text: str) -> list[str]:
    """Return the anchors of a page, without those of other headings."""
    return re.findall(r"\{ #([^ ]+)", text)


def test_every_field_has_one_place_and_a_description() -> None:
    """Its anchor is its path, in the order of the CRDs; what is an object has a section."""
    parts = ("spec", "status", "inventory.spec")
    assert sorted(anchors(API)) == sorted([*FIELDS, *parts])
    assert [path for path, field in FIELDS.items() if not field.get("description", "").strip()] == []
    for path, field in FIELDS.items():
        if "properties" in field.get("items", field):
            assert re.search(rf"^### \S+ {{ #{re.escape(path)} }}$", API, re.MULTILINE), path


def test_every_option_has_one_place_and_a_description() -> None:
    """Its anchor is the command with its longest spelling."""
    options = {
        f"{context.command_path.replace(' ', '-')}{max(option.opts, key=len)}": option.help
        for command, context in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.hidden
    }

    assert sorted(anchors(COMMANDS)) == sorted(options)
    assert [name for name, text in options.items() if not (text or "").strip()] == []


def test_every_command_has_a_section_with_its_usage_and_exit_codes() -> None:
    """In the groups of `nopea --help`; its text says what its arguments are."""
    assert sorted(name for names in GROUPS.values() for name in names) == sorted(SUBCOMMANDS)
    for command, context in commands():
        section = COMMANDS.partition(f"### {context.command_path}\n")[2].partition("\n### ")[0]
        assert command.help
        assert context.get_usage().removeprefix("Usage: ") in section
        for argument in (one for one in command.params if isinstance(one, click.Argument)):
            words = re.findall(r"[A-Z]{2,}", argument.make_metavar(context))
            assert all(re.search(rf"\b{word}", command.help) for word in words), (context.command_path, words)
        if "Exit codes" in command.help:
            assert "\n\nExit codes: 0 " in section


def test_variables_are_named_where_there_are_some() -> None:
    """Only `nopea run` reads an environment variable for each option."""
    section = COMMANDS.partition("### nopea run\n")[2].partition("\n### ")[0]
    assert (
        "Port of webhooks. &#91;default: 4000; 0&#60;=x&#60;=65535&#93;<br>Variable: `NOPEA_PORT`." in section
    )
    assert "Variable:" not in COMMANDS.replace(section, "")


def test_every_metric_and_log_message_is_there() -> None:
    """With its labels or facts."""
    for metric in catalogue.ALL:
        (row,) = re.findall(rf"^\| `{metric.name}`{{ .*$", page("metrics.md"), re.MULTILINE)
        assert f" | {metric.type.value} | " in row
        assert all(f"`{label}`" in row for label in metric.labels)
        assert metric.help
    events = [value for value in vars(log_events).values() if isinstance(value, Event)]
    for event in events:
        (row,) = re.findall(rf"^\| `{event.message}`{{ .*$", page("log.md"), re.MULTILINE)
        assert f" | {logging.getLevelName(event.level).lower()} | " in row
        assert all(f"`{fact}`" in row for fact in event.facts)
        assert event.meaning


@pytest.mark.parametrize(
    ("schema", "type_", "constraints"),
    [
        ({"type": "string", "minLength": 1, "maxLength": 9}, "string", ["1 to 9 characters."]),
        ({"type": "string", "format": "date-time"}, "date-time", []),
        ({"type": "string", "enum": ["a", "b"]}, "string", ["One of `a`, `b`."]),
        (
            {"type": "array", "maxItems": 3, "items": {"type": "string", "pattern": "^a|b$"}},
            "[]string",
            ["At most 3 items.", "Each: matches `^a|b$`."],
        ),
        ({"type": "array", "items": {"type": "object", "properties": {}}}, "[]Object", []),
        (
            {"type": "object", "maxProperties": 2, "additionalProperties": {"type": "string"}},
            "map[string]string",
            ["At most 2 keys."],
        ),
        ({"x-kubernetes-int-or-string": True}, "IntOrString", []),
        (
            {"type": "string", "x-kubernetes-validations": [{"rule": "…", "message": "must be short"}]},
            "string",
            ["Must be short."],
        ),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_schema_in_words(schema: Schema, type_: str, constraints: list[str]) -> None:
    """The types are those of `kubectl explain`."""
    assert type_of(schema) == type_
    assert list(constraints_of(schema)) == constraints


@pytest.mark.parametrize("name", PAGES)
def test_a_table_has_as_many_cells_in_each_row(name: str) -> None:
    """A bar in a text would begin another cell."""
    for table in re.findall(r"(?:^\|.*\n)+", page(name), re.MULTILINE):
        cells = {len(re.sub(r"`[^`]*`", "", row).split("|")) for row in table.splitlines()}
        assert len(cells) == 1, table
