"""Print manifests as YAML that Kubernetes reads as the same values, as JSON, or as names."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import click
import yaml

from nopea.cli.output.messages import print_json
from nopea.cli.rendering import RenderedManifest
from nopea.core.drift.mask import mask_object
from nopea.core.problem import printable

_OTHERWISE_READ = re.compile(
    r"[-+]?(\.?[0-9][0-9_.]*([eE][-+]?[0-9]+)?|0[oxbOXB][0-9a-fA-F_]+)|[yYnN]|.*\x85.*"
)
"""Strings that PyYAML writes without quotes and other readers of YAML take for numbers and booleans."""


class Dumper(yaml.SafeDumper):
    """Writes no anchors, and texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:
        """Return that equal values are written out each time."""
        del data
        return True


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else '"' if _OTHERWISE_READ.fullmatch(value) else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


Dumper.add_representer(str, _text)


def yaml_of(manifest: Mapping[str, Any]) -> str:
    """Return an object as a YAML document that ends with a newline."""
    text: str = yaml.dump(
        in_reading_order(manifest), Dumper=Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text


def in_reading_order(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """Return an object with what identifies it first."""
    first = {key: manifest[key] for key in ("apiVersion", "kind", "metadata") if key in manifest}
    return {**first, **manifest}


def commented_yaml(manifest: Mapping[str, Any] | None, comments: Iterable[str]) -> str:
    """Return a document with comments of one line each before the object, if there is one."""
    lines = (f"# {' '.join(printable(comment).split())}\n" for comment in comments)
    return f"---\n{''.join(lines)}{'' if manifest is None else yaml_of(manifest)}"


def print_manifests(manifests: Iterable[RenderedManifest], output: str, *, show_secrets: bool) -> None:
    """Print objects as yaml, json or name; values of Secrets are masked unless they are asked for."""
    if output == "name":
        for each in manifests:
            click.echo(str(each.key))
        return
    shown = [(each.source, each.object if show_secrets else mask_object(each.object)) for each in manifests]
    if output == "json":
        print_json({"apiVersion": "v1", "kind": "List", "items": [item for _, item in shown]})
        return
    for source, item in shown:
        click.echo(commented_yaml(item, [f"Source: {source}"]), nl=False)
