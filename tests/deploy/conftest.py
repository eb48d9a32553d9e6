"""Fixtures for the tests of deploy/: an API server with Nopea's kinds, and a namespace for the objects."""

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
    """Creates and changes Nopea's objects in one namespace; strict validation refuses unknown fields."""

    lab: Lab
    namespace: str

    def create(self, spec: dict[str, Any], *, plural: str = names.PLURAL, keep: bool = False) -> ApiAnswer:
        """Create an object called `web` with this spec; this is a dry run unless `keep` is set."""
        kind = names.KIND if plural == names.PLURAL else names.INVENTORY_KIND
        body = {"apiVersion": names.API_VERSION, "kind": kind, "metadata": {"name": "web"}, "spec": spec}
        return self.lab.request("POST", f"{self._path(plural)}?{_query(keep=keep)}", body)

    def change(
        self, body: dict[str, Any], *, plural: str = names.PLURAL, status: bool = False, keep: bool = False
    ) -> ApiAnswer:
        """Merge-patch `web` or its status; this is a dry run unless `keep` is set."""
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
    """The API server, with a new namespace."""
    del crds
    return Api(lab, namespace)


@pytest.fixture(scope="session")
def dry_api(lab: Lab, crds: None) -> Api:
    """The API server, for dry runs only: nothing is stored, so all tests share one namespace."""
    del crds
    return Api(lab, "default")
