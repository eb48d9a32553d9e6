"""Print manifests as YAML that Kubernetes reads as the same values, as JSON, or as names."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import click

from nopea.cli.output.messages import print_json
from nopea.cli.rendering import RenderedManifest
from nopea.core.drift.mask import mask_object
from nopea.core.problem import printable
from nopea.core.show.yaml_text import yaml_of


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
