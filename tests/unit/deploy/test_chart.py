"""charts/nopea in the repository: versions, values, schema, generated files, options of `nopea run`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import jsonschema
import pytest
import yaml
from deploy.generate import charted
from semver import Version

from nopea import __version__
from nopea.cli import notify_options
from nopea.cli.commands import run
from nopea.settings import Settings

CHART = Path(__file__).parents[3] / "charts" / "nopea"
METADATA: dict[str, Any] = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
TEXT = (CHART / "values.yaml").read_text(encoding="utf-8")
VALUES: dict[str, Any] = yaml.safe_load(TEXT)
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
TEMPLATES = {
    path.name: path.read_text(encoding="utf-8") for path in (CHART / "templates").iterdir() if path.is_file()
}
SECRETS = {
    run.SECRET_VARIABLE, notify_options.SECRET_VARIABLE, notify_options.SLACK_VARIABLE,
    notify_options.TEAMS_VARIABLE, notify_options.DISCORD_VARIABLE,
}  # fmt: skip
OPTIONS = {
    f"NOPEA_{str(parameter.name).upper()}"
    for parameter in run.command.params
    if isinstance(parameter, click.Option)
}
USED = set(re.findall(r"\bNOPEA_[A-Z_]+\b", TEMPLATES["_helpers.tpl"]))


def test_the_chart_is_complete() -> None:
    """What `helm lint` looks at: the fields of Chart.yaml, the folder's name, and the files of a chart."""
    assert METADATA["apiVersion"] == "v2"
    assert METADATA["type"] == "application"
    assert METADATA["name"] == CHART.name
    assert METADATA["description"].endswith(".")
    assert Version.is_valid(METADATA["version"])
    assert METADATA["version"] == METADATA["appVersion"] == __version__
    assert METADATA["kubeVersion"] == ">=1.30.0-0"
    assert "NOTES.txt" in TEMPLATES
    assert all(re.fullmatch(r"[a-z_.-]+\.(yaml|tpl)|NOTES\.txt", name) for name in TEMPLATES)
    assert not any("\t" in text for text in (*TEMPLATES.values(), TEXT))


def test_generated_files_are_current() -> None:
    """`make crds` writes the CRDs with the annotation by which Helm keeps them, and copies the monitoring."""
    folder = CHART / "files"
    files = {path.relative_to(folder).as_posix(): path for path in folder.rglob("*") if path.is_file()}

    assert {name: path.read_text(encoding="utf-8") for name, path in files.items()} == charted()
    for name in ("gitrepositories", "inventories"):
        crd = yaml.safe_load(files[f"crds/{name}.yaml"].read_text(encoding="utf-8"))
        assert crd["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


def test_the_defaults_fit_the_schema() -> None:
    """The schema is valid and allows values.yaml, and a parent chart's `global`."""
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    jsonschema.validate(VALUES, SCHEMA, jsonschema.Draft7Validator)
    jsonschema.validate({**VALUES, "global": {"x": 1}}, SCHEMA, jsonschema.Draft7Validator)


def test_the_values_in_the_documentation_fit_the_schema() -> None:
    """The example of docs/install.md can be copied."""
    page = (CHART.parents[1] / "docs" / "install.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"\n(    profile: .*\n(?:    .*\n)+)", page)
    example = yaml.safe_load(block)

    assert {"image", "allowedHosts", "cdevents", "env", "extraVolumes", "monitoring"} <= set(example)
    jsonschema.validate(example, SCHEMA, jsonschema.Draft7Validator)


def _objects(
    schema: dict[str, Any], values: Any, path: str = ""
) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Yield each closed object of the schema, with the values that are there."""
    if schema.get("additionalProperties") is False:
        yield path, schema, values
        for name, inner in schema["properties"].items():
            if name != "global" and isinstance(values, dict):
                yield from _objects(inner, values.get(name), f"{path}.{name}")


def test_values_and_schema_have_the_same_names() -> None:
    """Every value is in the schema and every name of the schema has a default; references are empty ones."""
    for path, schema, values in _objects(SCHEMA, VALUES):
        if values not in ({}, None):
            assert list(schema["properties"]) in (list(values), ["global", *values], [*values, "claims"]), (
                path
            )


def test_nothing_is_open_by_accident() -> None:
    """An object of the schema is closed, except those that Kubernetes defines."""
    found: list[str] = []

    def look(schema: Any, path: str) -> None:
        if isinstance(schema, dict):
            if schema.get("type") == "object" and "additionalProperties" not in schema:
                found.append(path)
            for name, inner in schema.items():
                look(inner, f"{path}.{name}".replace(".properties", ""))

    look(SCHEMA, "")
    assert sorted(found) == [
        ".affinity",
        ".extraVolumeMounts.items",
        ".extraVolumes.items",
        ".global",
        ".resources.claims.items",
        ".resources.limits",
        ".resources.requests",
        ".tolerations.items",
    ]


@pytest.mark.parametrize("name", [name for name in VALUES if name != "extraVolumeMounts"])
def test_every_value_is_explained(name: str) -> None:
    """A comment stands before the value, or before its first field; lists of the Pod share one."""
    pod = ("tolerations", "affinity", "priorityClassName", "podAnnotations")
    assert name in pod or re.search(rf"(#.*\n{name}:|\n{name}:\n  #)|\n{name}:\n  annotations", TEXT)


def test_variables_are_options_of_the_command() -> None:
    """The templates set no variable that `nopea run` does not read."""
    assert USED <= OPTIONS | SECRETS
    assert len(USED) > 25


def test_every_option_can_be_set() -> None:
    """An option has a value of its own, or is set by `env`; the schema refuses what the Pod relies on."""
    refused = set(SCHEMA["properties"]["env"]["properties"])
    fixed = {"NOPEA_CACHE_DIR", "NOPEA_HOST", "NOPEA_PORT", "NOPEA_PROBE_PORT"}

    assert refused <= OPTIONS
    assert refused - USED == fixed
    arguments = re.compile(SCHEMA["properties"]["args"]["items"]["not"]["pattern"])
    for variable in OPTIONS:
        flag = f"--{variable.removeprefix('NOPEA_').lower().replace('_', '-')}"
        for argument in (flag, f"{flag}=x"):
            assert bool(arguments.search(argument)) is (variable in refused), argument


def test_the_default_of_the_shutdown_is_the_codes() -> None:
    """The variable is left out where it is the default."""
    assert VALUES["shutdownSeconds"] == Settings().shutdown_seconds == 25
    assert "(eq $shutdown 25)" in TEMPLATES["_helpers.tpl"]


def test_enumerations_are_those_of_the_options() -> None:
    """The schema allows what the command line allows, and nothing, which is the default."""
    properties = SCHEMA["properties"]
    choices = {
        str(option.name): list(option.type.choices)
        for option in run.command.params
        if isinstance(option.type, click.Choice)
    }
    places = {
        "git_networks": properties["gitNetworks"],
        "notify_severity": properties["notifications"]["properties"]["severity"],
        "log_level": properties["log"]["properties"]["level"],
        "log_format": properties["log"]["properties"]["format"],
        **{
            f"cdevents_{name}": properties["cdevents"]["properties"][name]
            for name in ("mode", "version", "drift")
        },
    }

    assert {name: [*values, ""] for name, values in choices.items()} == {
        name: schema["enum"] for name, schema in places.items()
    }
