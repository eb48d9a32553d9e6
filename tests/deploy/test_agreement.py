"""The model and the API server give the same verdict on every field, at and beyond every bound."""

from __future__ import annotations

import msgspec
import pytest
from tests.deploy.boundaries import Case, Schema, cases
from tests.deploy.conftest import Api

from nopea.core.api import names
from nopea.core.api.crds import git_repository_crd, inventory_crd
from nopea.core.api.inventory import InventorySpec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.status import GitRepositoryStatus
from nopea_lab.api import ApiAnswer

SPEC = {"url": "https://git.example/acme/web"}
BASES = {
    "spec": SPEC,
    "spec.url": SPEC["url"],
    "spec.helm": {"chart": "oci://registry.example/charts/web"},
    "spec.ignoreDifferences[]": {"managers": ["hpa"]},
}


def _part(crd: Schema, name: str) -> Schema:
    part: Schema = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"][name]
    return part


def _wrong(case: Case, answer: ApiAnswer, part: str, model: type[msgspec.Struct]) -> str:
    """Return how the verdicts on one case differ; empty if they agree."""
    served = answer.status in (200, 201)
    if served is not case.allowed:
        return f"server {answer.status} on {case}: {answer.body['message'] if not served else 'stored'}"
    try:
        msgspec.convert(answer.body[part] if served else case.value, model)
    except msgspec.ValidationError as error:
        return f"the model refuses {case}: {error}" if served else ""
    return f"the model takes {case}" if not served and case.model_tells else ""


def _differences(found: list[str]) -> str:
    return "\n".join(line[:300] for line in found if line)


@pytest.mark.parametrize(
    ("plural", "crd", "model"),
    [
        (names.PLURAL, git_repository_crd(), GitRepositorySpec),
        (names.INVENTORY_PLURAL, inventory_crd(), InventorySpec),
    ],
    ids=["GitRepository", "Inventory"],
)
def test_spec_bounds(dry_api: Api, plural: str, crd: Schema, model: type[msgspec.Struct]) -> None:
    """The API server and the model accept the same values of a spec, and a stored value can be read."""
    is_repository = plural == names.PLURAL
    bases = BASES if is_repository else {}
    found = [
        _wrong(case, dry_api.create(case.value, plural=plural), "spec", model)
        for case in cases(_part(crd, "spec"), "spec", bases)
    ]

    assert _differences(found) == ""
    assert len(found) > (40 if is_repository else 20)


def test_status_bounds(api: Api) -> None:
    """The API server and the model accept the same values of a status, and a stored value can be read."""
    assert api.create(dict(SPEC), keep=True).status == 201

    found = [
        _wrong(case, api.change({"status": case.value}, status=True), "status", GitRepositoryStatus)
        for case in cases(_part(git_repository_crd(), "status"), "status", {})
    ]

    assert _differences(found) == ""
    assert len(found) > 200
