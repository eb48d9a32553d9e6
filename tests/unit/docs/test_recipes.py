"""The GitRepositories in the documentation are valid."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from nopea.core.api import names
from nopea.core.api.crds import git_repository_crd
from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.migrate.migrate import ForeignObject, migrate

DOCS = Path(__file__).parents[3] / "docs"
HOW_TO = (
    "private-repository", "monorepo", "promotion", "tenants", "from-kubectl", "local-clusters"
)  # fmt: skip
PAGES = ("../README.md", "recipes.md", "argocd.md", "flux.md", *(f"howto/{name}.md" for name in HOW_TO))
Json = dict[str, Any]


def objects(page: str) -> list[Json]:
    """Return the objects in the YAML blocks of a page."""
    text = (DOCS / page).read_text(encoding="utf-8")
    blocks = re.findall(r"^ *```yaml\n(.*?)^ *```", text, re.MULTILINE | re.DOTALL)
    return [found for block in blocks for found in yaml.safe_load_all(textwrap.dedent(block))]


def _repositories() -> Iterator[Any]:
    for page in PAGES:
        ours = [found for found in objects(page) if found["apiVersion"] == names.API_VERSION]
        assert ours, page
        for number, found in enumerate(ours):
            yield pytest.param(found, id=f"{page}-{number}")


def _strict(schema: Any) -> Any:
    """Return a schema that refuses unknown fields, as `kubectl apply` does."""
    if isinstance(schema, list):
        return [_strict(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    strict = {key: _strict(value) for key, value in schema.items()}
    return {"additionalProperties": False, **strict} if isinstance(schema.get("properties"), dict) else strict


@pytest.mark.parametrize("found", [*_repositories()])
def test_every_repository_is_valid(found: Json) -> None:
    """It has only fields of the CRD, and the controller accepts the spec."""
    schema = git_repository_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert [error.message for error in Draft202012Validator(_strict(schema)).iter_errors(found["spec"])] == []
    assert isinstance(parse_spec(found["spec"]), GitRepositorySpec)


@pytest.mark.parametrize("page", ["argocd.md", "flux.md"])
def test_the_example_is_what_the_command_prints(page: str) -> None:
    """`nopea migrate` makes of the objects before what the page shows after."""
    *before, after = objects(page)

    (made,) = migrate(map(ForeignObject, before))

    assert made.manifest is not None
    assert made.manifest["metadata"] == after["metadata"]
    assert _without_dot(made.manifest["spec"]) == _without_dot(after["spec"])


def _without_dot(spec: Any) -> Json:
    return {**spec, "path": spec["path"].removeprefix("./")}
