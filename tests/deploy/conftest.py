"""What the tests of deploy/ share: the API server with our kinds, and a namespace to ask about objects in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nopea.core.api import names
from nopea_lab.api import ApiAnswer
from nopea_lab.lab import Lab

DEPLOY = Path(__file__).parents[2] / "deploy"
MERGE_PATCH = "application/merge-patch+json"


@dataclass(frozen=True, slots=True)
class Api:
    """Asks the API server about our objects in one namespace; strict, so that unknown fields are refused."""

    lab: Lab
    namespace: str

    def create(self, spec: dict[str, Any], *, plural: str = names.PLURAL, keep: bool = False) -> ApiAnswer:
        """Create an object called `web` with this spec; only as a dry run unless it is to be kept."""
        kind = names.KIND if plural == names.PLURAL else names.INVENTORY_KIND
        body = {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
        return self.lab.request("POST", f"{self._path(plural)}?{_query(keep=keep)}", body)

    def change(
        self, body: dict[str, Any], *, plural: str = names.PLURAL, status: bool = False, keep: bool = False
    ) -> ApiAnswer:
        """Merge-patch `web` or its status; only as a dry run unless the change is to be kept."""
        path = f"{self._path(plural)}/web{'/status' if status else ''}?{_query(keep=keep)}"
        return self.lab.request("PATCH", path, body, content_type=MERGE_PATCH)

    def get(self) -> dict[str, Any]:
        """Return the GitRepository `web` as it is stored."""
        answer = self.lab.request("GET", f"{self._path(names.PLURAL)}/web")
        assert answer.status == 200, answer.body
        body: dict[str, Any] = answer.body
        return body

    def _path(self, plural: str) -> str:
        return f"/apis/{names.API_VERSION}/namespaces/{self.namespace}/{plural}"


def _query(*, keep: bool) -> str:
    return "fieldValidation=Strict" if keep else "fieldValidation=Strict&dryRun=All"


CRD_NAMES = tuple(f"{plural}.{names.GROUP}" for plural in (names.PLURAL, names.INVENTORY_PLURAL))


@pytest.fixture
def api(lab: Lab, namespace: str, crds: None) -> Api:
    """The API server, asked about a fresh namespace."""
    del crds
    return Api(lab, namespace)


@pytest.fixture(scope="session")
def dry_api(lab: Lab, crds: None) -> Api:
    """The API server, asked what it would say: nothing may be kept, so one namespace serves all."""
    del crds
    return Api(lab, "default")
