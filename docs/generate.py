"""Writes the reference pages that come from the code, while the site is built (`hooks` in mkdocs.yml).

The pages are never committed. Each is a pure function of the code's own tables: the model of the custom
resources, from which `make crds` writes the CRDs too, click's commands, the catalogues of metrics and log.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import click

from nopea import log_events
from nopea.cli.main import GROUPS, main
from nopea.core.api.crds import git_repository_crd, inventory_crd
from nopea.core.api.rules import RULES
from nopea.logs import Event
from nopea.metrics import catalogue

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

Schema = Mapping[str, Any]
_WHOLE = "style=white-space:nowrap"
"""Keeps a name on one line."""


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages to those in `docs/`; mkdocs calls it."""
    from mkdocs.structure.files import File

    for name in PAGES:
        files.append(File.generated(config, f"reference/{name}", content=page(name)))
    return files


def page(name: str) -> str:
    """Return a page in Markdown."""
    return "\n\n".join(PAGES[name]()) + "\n"


def _api() -> Iterator[str]:
    """Yield every field of the custom resources; the anchor of a field is its path."""
    yield "# Fields of the API"
    yield (
        "Each field, as `kubectl explain` shows it. The API server refuses what does not meet a constraint. "
        "[GitRepository and Inventory](../spec.md) explains how the fields work together."
    )
    for crd, prefix in ((git_repository_crd(), ""), (inventory_crd(), "inventory.")):
        root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
        yield f"## {crd['spec']['names']['kind']}"
        yield root["description"]
        for part in ("spec", "status"):
            if part in root["properties"]:
                yield from _objects(root["properties"][part], part, anchor=f"{prefix}{part}")


def _objects(schema: Schema, path: str, *, anchor: str) -> Iterator[str]:
    """Yield the section of an object, and those of the objects in it."""
    fields, required = schema["properties"], schema.get("required", ())
    yield f"### {path} {{ #{anchor} }}"
    yield _table(
        ("field", "type", "meaning"),
        (_field(name, field, name in required, f"{anchor}.{name}") for name, field in fields.items()),
    )
    for name, field in fields.items():
        if "properties" in (inner := field.get("items", field)):
            inner_path = f"{path}.{name}{'[]' if inner is not field else ''}"
            yield from _objects(inner, inner_path, anchor=f"{anchor}.{name}")


def _field(name: str, field: Schema, is_required: bool, anchor: str) -> tuple[str, ...]:
    has_section = "properties" in field.get("items", field)
    default = field.get("default", "")
    default = str(default).lower() if isinstance(default, bool) else default
    given = ["Required."] if is_required else [f"Default: `{default}`."] if default else []
    return (
        f"[`{name}`{{ {_WHOLE} }}](#{anchor})" if has_section else f"`{name}`{{ #{anchor} {_WHOLE} }}",
        f"`{type_of(field)}`",
        "<br>".join(map(_prose, (field["description"], *given, *constraints_of(field)))),
    )


def type_of(schema: Schema) -> str:
    """Return the type of a field, in the notation of `kubectl explain`."""
    if "x-kubernetes-int-or-string" in schema:
        return "IntOrString"
    if schema["type"] == "array":
        return f"[]{type_of(schema['items'])}"
    if "additionalProperties" in schema:
        return f"map[string]{type_of(schema['additionalProperties'])}"
    return "Object" if schema["type"] == "object" else str(schema.get("format", schema["type"]))


def constraints_of(schema: Schema) -> Iterator[str]:
    """Yield what the API server demands of a field, besides its type."""
    if "enum" in schema:
        yield f"One of {_codes(schema['enum'])}."
    for of, unit in (("Length", "characters"), ("Items", "items"), ("Properties", "keys")):
        least, most = schema.get(f"min{of}"), schema.get(f"max{of}")
        if most is not None:
            yield f"{least} to {most} {unit}." if least else f"At most {most} {unit}."
    if "pattern" in schema and "enum" not in schema:
        yield f"Matches `{schema['pattern']}`."
    yield from (f"{rule['message'][0].upper()}{rule['message'][1:]}." for rule in schema.get(RULES, ()))
    each = schema.get("items") or schema.get("additionalProperties")
    if each and "properties" not in each:
        yield from (f"Each: {text[0].lower()}{text[1:]}" for text in constraints_of(each))


def _commands() -> Iterator[str]:
    """Yield every command, with its options and exit codes."""
    yield "# Options of the commands"
    yield (
        "What `nopea COMMAND --help` prints. [Commands](../commands.md) has examples and output; "
        "[Configuration](../configuration.md) is about `nopea run`."
    )
    for title, commands in GROUPS.items():
        yield f"## {title}"
        for name in commands:
            yield from _command(main, click.Context(main, info_name="nopea"), name)


def _command(group: click.Group, parent: click.Context, name: str) -> Iterator[str]:
    """Yield the section of a command, and those of its subcommands."""
    command = group.get_command(parent, name)
    assert command is not None  # noqa: S101 - it is in the group's own list
    context = click.Context(command, info_name=name, parent=parent, **command.context_settings)
    yield f"### {context.command_path}"
    yield f"```text\n{context.get_usage().removeprefix('Usage: ')}\n```"
    for paragraph in (command.help or "").replace("\n    ", "\n").strip().split("\n\n"):
        what, _, text = paragraph.partition(": ")
        if paragraph.startswith("\b"):  # by which click keeps its lines
            yield "```text" + paragraph.removeprefix("\b") + "\n```"
        else:
            yield f"{what}: `{text}`" if what == "Example" else _prose(paragraph)
    if options := [each for each in command.params if isinstance(each, click.Option)]:
        yield _table(("option", "meaning"), (_option(each, context) for each in options))
    if isinstance(command, click.Group):
        for inner in command.list_commands(context):
            yield from _command(command, context, inner)


def _option(option: click.Option, context: click.Context) -> tuple[str, ...]:
    spelt, meaning = option.get_help_record(context) or ("", "")
    anchor = f"{context.command_path.replace(' ', '-')}{max(option.opts, key=len)}"
    prefix = context.auto_envvar_prefix
    variable = f"<br>Variable: `{prefix}_{str(option.name).upper()}`." if prefix else ""
    return f"`{spelt}`{{ #{anchor} }}", _prose(meaning) + variable


def _metrics() -> Iterator[str]:
    yield "# Metrics"
    yield "What `GET /metrics` on port 4001 has. The [runbook](../runbook.md#metrics) explains odd values."
    rows = (
        (_named(one.name), one.type.value, _prose(one.help) + _listed("Labels", one.labels))
        for one in catalogue.ALL
    )
    yield _table(("metric", "type", "meaning"), rows)


def _log() -> Iterator[str]:
    yield "# Log messages"
    yield "What `nopea run` may log. [Configuration](../configuration.md#log) explains formats and triggers."
    rows = (
        (
            _named(one.message),
            logging.getLevelName(one.level).lower(),
            _prose(one.meaning) + _listed("Facts", one.facts),
        )
        for one in vars(log_events).values()
        if isinstance(one, Event)
    )
    yield _table(("message", "level", "meaning"), rows)


def _named(name: str) -> str:
    return f"`{name}`{{ #{name.replace(' ', '-')} {_WHOLE} }}"


def _listed(what: str, words: tuple[str, ...]) -> str:
    return f"<br>{what}: {_codes(words)}." if words else ""


def _codes(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _prose(text: str) -> str:
    """Return text for a terminal as Markdown; what is in backquotes stays as it is."""
    parts = re.split(r"(`[^`]+`)", " ".join(text.split()))
    parts[::2] = (re.sub(r"[\\*_<>&\[\]|]", lambda found: f"&#{ord(found[0])};", part) for part in parts[::2])
    return "".join(parts)


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


PAGES: dict[str, Callable[[], Iterator[str]]] = {
    "api.md": _api,
    "commands.md": _commands,
    "metrics.md": _metrics,
    "log.md": _log,
}
"""The pages in the folder `reference` of the site, in paragraphs."""
