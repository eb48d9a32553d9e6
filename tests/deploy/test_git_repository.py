"""GitRepository on a real API server: validation rules, defaults, the status, what kubectl shows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.deploy.conftest import Api

from nopea.core.api import names
from nopea.core.api.crds import git_repository_crd
from nopea.core.api.rules import RULES
from nopea.core.api.times import format_time
from nopea_lab.kubectl import Kubectl, KubectlError

Fields = dict[str, Any]
URL = "https://git.example/acme/web"
SPEC: Fields = {"url": URL, "ref": {"branch": "main"}}
COMMIT = "3f2a9c1d5e6b7a8091a2b3c4d5e6f708192a3b4c"
DIGEST = f"sha256:{'0' * 64}"

ACCEPTED: list[Fields] = [
    {"ref": None},
    {"ref": {}},
    {"ref": {"tag": "v1.2.0"}},
    {"ref": {"semver": ">=1.2 <2"}},
    {"ref": {"commit": COMMIT}},
    {"ref": {"branch": "main", "commit": COMMIT}},
    {"url": "http://git.example/acme/web.git"},
    {"url": "ssh://git@git.example:2222/acme/web"},
    {"url": "git@git.example:acme/web.git"},
    {"url": "file:///srv/git/web"},
    {"url": "https://git.example/acme/@web"},
    {"path": "deploy/..data/web"},
    {"helm": {"chart": "charts/web"}},
    {"helm": {"chart": "oci://registry.example:5000/charts/web", "version": "^1.2", "digest": DIGEST}},
    {"helm": {"chart": "https://charts.example/stable/web", "version": "1.2.3"}},
    {"helm": {"chart": "https://charts.example/web-1.2.3.tgz", "secretRef": {"name": "login"}}},
    {"interval": "1s", "timeout": "1s"},
    {"interval": "8760h", "timeout": "1h", "healGracePeriod": "8760h"},
    {"interval": "1h30m0.5s"},
    {"retryInterval": "1s"},
    {"interval": "1m", "retryInterval": "8760h"},
    *({"pruneLimit": limit} for limit in (0, 1, 2_000, "0%", "25%", "100%")),
    {"wait": True},
    {"proxySecretRef": {"name": "proxy"}},
    {"ignoreDifferences": [{"kind": "Deployment", "jsonPointers": ["/spec/replicas"]}]},
    {"ignoreDifferences": [{"managers": ["kube-controller-manager"]}]},
]

ONE_REF = "set only one of branch, tag, semver, name and commit; only branch and commit can be combined"
URL_FORM = "must be an https, http, ssh or file URL, or scp-like: user@host:path"
NO_CREDENTIALS = "must not contain credentials; put them into a Secret and name it in secretRef"
PATH_FORM = "must be relative to the repository's root and must not contain '..'"
INTERVAL = "must be between 1s and 8760h (a year)"
TIMEOUT = "must be between 1s and 1h"
PERCENTAGE = "should match '^(100|[1-9]?[0-9])%$'"
GRACE = "must be at most 8760h (a year)"
IGNORES_NOTHING = "set jsonPointers, managers or both; a rule without them ignores nothing"
CHART_FORM = (
    "must be a folder, or an oci or https URL with the name of the chart at its end, without credentials"
)
CHART_ELSEWHERE = "version and digest are for a chart elsewhere: set chart to its URL"
REFUSED: list[tuple[Fields, str, str]] = [
    ({"ref": {"branch": "main", "tag": "v1"}}, "spec.ref", ONE_REF),
    ({"ref": {"branch": "main", "semver": "1.x"}}, "spec.ref", ONE_REF),
    ({"ref": {"tag": "v1", "semver": "1.x"}}, "spec.ref", ONE_REF),
    ({"ref": {"tag": "v1", "commit": COMMIT}}, "spec.ref", ONE_REF),
    ({"ref": {"semver": "1.x", "commit": COMMIT}}, "spec.ref", ONE_REF),
    ({"ref": {"branch": "main", "tag": "v1", "commit": COMMIT}}, "spec.ref", ONE_REF),
    ({"url": "git.example/acme/web"}, "spec.url", URL_FORM),
    ({"url": "ftp://git.example/acme/web"}, "spec.url", URL_FORM),
    ({"url": "https://git.example/a b"}, "spec.url", URL_FORM),
    ({"url": "https://"}, "spec.url", URL_FORM),
    ({"url": "git@git.example"}, "spec.url", URL_FORM),
    ({"url": "https://robot:hunter2@git.example/acme/web"}, "spec.url", NO_CREDENTIALS),
    ({"url": "https://token@git.example/acme/web"}, "spec.url", NO_CREDENTIALS),
    ({"url": "ssh://git:hunter2@git.example/acme/web"}, "spec.url", NO_CREDENTIALS),
    ({"path": "/deploy"}, "spec.path", PATH_FORM),
    ({"path": ".."}, "spec.path", PATH_FORM),
    ({"path": "deploy/../../etc"}, "spec.path", PATH_FORM),
    ({"helm": {"chart": "../charts/web"}}, "spec.helm.chart", PATH_FORM),
    ({"helm": {"chart": "/charts/web"}}, "spec.helm.chart", PATH_FORM),
    *(
        ({"helm": {"chart": chart}}, "spec.helm.chart", CHART_FORM)
        for chart in (
            "http://charts.example/web",
            "oci://registry.example",
            "oci://registry.example/",
            "file:///charts/web",
            "https://robot:hunter2@charts.example/web",
            "https://charts.example/web?token=a",
        )
    ),
    ({"helm": {"version": "1.2.3"}}, "spec.helm", CHART_ELSEWHERE),
    ({"helm": {"chart": "charts/web", "digest": DIGEST}}, "spec.helm", CHART_ELSEWHERE),
    ({"interval": "999ms"}, "spec.interval", INTERVAL),
    ({"interval": "8761h"}, "spec.interval", INTERVAL),
    ({"retryInterval": "0s"}, "spec.retryInterval", INTERVAL),
    ({"retryInterval": "8761h"}, "spec.retryInterval", INTERVAL),
    *(({"pruneLimit": limit}, "spec.pruneLimit", PERCENTAGE) for limit in ("25", "101%", "-1%", "2.5%")),
    ({"pruneLimit": -1}, "spec.pruneLimit", "should be greater than or equal to 0"),
    ({"timeout": "0s"}, "spec.timeout", TIMEOUT),
    ({"timeout": "61m"}, "spec.timeout", TIMEOUT),
    ({"healGracePeriod": "8761h"}, "spec.healGracePeriod", GRACE),
    ({"ignoreDifferences": [{"kind": "Deployment"}]}, "spec.ignoreDifferences[0]", IGNORES_NOTHING),
]


@pytest.mark.parametrize("fields", ACCEPTED, ids=str)
def test_rules_accept(dry_api: Api, fields: Fields) -> None:
    """The validation rules accept valid specs."""
    answer = dry_api.create(SPEC | fields)

    assert answer.status == 201, answer.body


@pytest.mark.parametrize(("fields", "where", "message"), REFUSED, ids=str)
def test_rules_refuse(dry_api: Api, fields: Fields, where: str, message: str) -> None:
    """Each validation rule refuses an invalid spec, names the field and says what to write instead."""
    answer = dry_api.create(SPEC | fields)

    assert answer.status == 422
    causes = [(cause["field"], cause["message"]) for cause in answer.body["details"]["causes"]]
    assert len(causes) == 1, causes
    assert causes[0][0] == where
    assert message in causes[0][1]


def test_every_rule_has_an_example() -> None:
    """For every rule of the CRD, this file has a spec that the rule refuses."""
    spec = git_repository_crd()["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]

    assert set(_messages(spec)) <= {message for _, _, message in REFUSED}


def _messages(schema: Fields) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get(RULES, ()))
    for inner in (*schema.get("properties", {}).values(), schema.get("items", {})):
        if inner:
            yield from _messages(inner)


def test_all_errors_at_once(dry_api: Api) -> None:
    """A spec with three errors gets three causes, not only the first."""
    answer = dry_api.create(
        {"url": "ftp://git.example/acme", "ref": {"branch": "main"}, "path": "/", "timeout": "2h"}
    )

    fields = {cause["field"] for cause in answer.body["details"]["causes"]}
    assert fields == {"spec.url", "spec.path", "spec.timeout"}


@pytest.mark.parametrize("interval", ["9999999999h", "99999999999999999999999999999ms"])
def test_a_duration_that_overflows_is_refused(dry_api: Api, interval: str) -> None:
    """A duration that overflows is refused, not stored."""
    assert dry_api.create(SPEC | {"interval": interval}).status == 422


def test_defaults(api: Api) -> None:
    """The API server sets the documented defaults."""
    assert api.create(SPEC, keep=True).status == 201

    assert api.get()["spec"] == SPEC | {
        "path": "",
        "interval": "5m",
        "timeout": "5m",
        "suspend": False,
        "planPullRequests": False,
        "prune": True,
        "pruneLimit": "25%",
        "wait": False,
        "deletionPolicy": "Orphan",
        "force": False,
        "healPolicy": "auto",
        "healGracePeriod": "0s",
    }


def test_null_is_the_default(dry_api: Api) -> None:
    """A field set to null gets its default, as if it had not been given."""
    answer = dry_api.create(SPEC | {"interval": None, "prune": None, "targetNamespace": None})

    assert answer.body["spec"]["interval"] == "5m"
    assert answer.body["spec"]["prune"] is True
    assert "targetNamespace" not in answer.body["spec"]


@pytest.mark.parametrize(
    ("fields", "unknown"),
    [
        ({"ref": {"brnach": "main"}}, "spec.ref.brnach"),
        ({"branch": "main"}, "spec.branch"),
        ({"secretRef": {"name": "git", "key": "x"}}, "spec.secretRef.key"),
    ],
)
def test_unknown_fields_are_refused(dry_api: Api, fields: Fields, unknown: str) -> None:
    """A misspelt field is refused with its name instead of being ignored."""
    answer = dry_api.create(SPEC | fields)

    assert answer.status == 400
    assert f'unknown field "{unknown}"' in answer.body["message"]


def test_spec_is_required(dry_api: Api) -> None:
    """A GitRepository without a spec is refused."""
    path = f"/apis/{names.API_VERSION}/namespaces/{dry_api.namespace}/{names.PLURAL}"
    body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "metadata": {"name": "web"}}
    answer = dry_api.lab.request("POST", path, body)

    assert answer.status == 422
    assert "spec: Required value" in answer.body["message"]


def test_every_field_may_change(api: Api) -> None:
    """No field of a GitRepository is immutable: a new URL, ref or path is a change like any other."""
    assert api.create(SPEC, keep=True).status == 201

    answer = api.change(
        {"spec": {"url": "git@git.example:acme/api", "ref": {"branch": None, "tag": "v1"}, "path": "x"}}
    )

    assert answer.status == 200, answer.body


@pytest.mark.parametrize("field", [{"repository": "api"}, {"index": 1}], ids=str)
def test_inventory_is_bound_to_its_repository(api: Api, field: Fields) -> None:
    """The repository and the index of an Inventory are immutable; its record can change."""
    spec = {"repository": "web", "index": 0, "objects": ""}
    assert api.create(spec, plural=names.INVENTORY_PLURAL, keep=True).status == 201

    moved = api.change({"spec": field}, plural=names.INVENTORY_PLURAL)
    grown = api.change({"spec": {"objects": "eJw="}}, plural=names.INVENTORY_PLURAL)

    assert moved.status == 422
    assert moved.body["details"]["causes"][0]["field"] == f"spec.{next(iter(field))}"
    assert "is immutable; delete the Inventory and create it again" in moved.body["message"]
    assert grown.status == 200, grown.body


def test_status_is_a_subresource(api: Api) -> None:
    """A write to the object does not change the status; a write to the status changes nothing else."""
    assert api.create(SPEC, keep=True).status == 201

    api.change({"status": {"summary": "Suspended"}, "spec": {"path": "deploy"}}, keep=True)
    after_object_write = api.get()
    api.change({"status": {"summary": "Invalid"}, "spec": {"path": "other"}}, status=True, keep=True)
    after_status_write = api.get()

    assert "status" not in after_object_write
    assert after_object_write["metadata"]["generation"] == 2
    assert after_status_write["status"] == {"summary": "Invalid"}
    assert after_status_write["spec"]["path"] == "deploy"
    assert after_status_write["metadata"]["generation"] == 2


def test_conditions_are_unique_by_type(api: Api) -> None:
    """Two conditions of the same type are refused."""
    assert api.create(SPEC, keep=True).status == 201

    answer = api.change({"status": {"conditions": [_condition("True"), _condition("False")]}}, status=True)

    assert answer.status == 422
    assert "Duplicate value" in answer.body["message"]


def test_get_shows_whether_it_works(api: Api, kubectl: Kubectl) -> None:
    """`kubectl get gr` shows the state of a repository in one row."""
    _make_synced(api)

    header, row = kubectl("-n", api.namespace, "get", "gr").splitlines()

    assert re.split(r" {2,}", header.strip()) == [
        "NAME", "READY", "HEALTH", "REVISION", "DRIFT", "STATUS", "AGE",
    ]  # fmt: skip
    *cells, age = re.split(r" {2,}", row.strip())
    revision = f"main@sha1:{COMMIT[:7]}"
    assert cells == ["web", "True", "Unhealthy", revision, "1", "Deployment web: CrashLoopBackOff"]
    assert re.fullmatch(r"\d+s", age), row


def test_get_wide_adds_counts_and_url(api: Api, kubectl: Kubectl) -> None:
    """`kubectl get gitrepositories.nopea.io -o wide` adds counts, the last sync and the URL."""
    _make_synced(api)

    header, row = kubectl("-n", api.namespace, "get", "gitrepositories.nopea.io", "-o", "wide").splitlines()

    assert re.split(r" {2,}", header.strip())[-4:] == ["OBJECTS", "FAILED", "LAST SYNC", "URL"]
    objects, failed, synced, url = re.split(r" {2,}", row.strip())[-4:]
    assert (objects, failed, url) == ("12", "0", URL)
    assert re.fullmatch(r"\d+s", synced), row


def test_a_new_object_has_an_empty_row(api: Api, kubectl: Kubectl) -> None:
    """Before the first sync, the row has empty cells instead of errors."""
    assert api.create(SPEC, keep=True).status == 201

    row = kubectl("-n", api.namespace, "get", "gitrepository", "--no-headers").split()

    assert row[0] == "web"
    assert len(row) == 2


def test_kubectl_shows_the_message_of_a_refusal(api: Api, kubectl: Kubectl) -> None:
    """A user who applies an invalid spec with kubectl sees the message of the rule."""
    manifest = (
        f"apiVersion: {names.API_VERSION}\nkind: {names.KIND}\nmetadata: {{name: web}}\n"
        "spec: {url: 'https://robot:hunter2@git.example/acme/web', ref: {branch: main}}\n"
    )
    with pytest.raises(KubectlError, match=re.escape(NO_CREDENTIALS)):
        kubectl("-n", api.namespace, "apply", "--server-side", "-f", "-", stdin=manifest)


def _make_synced(api: Api) -> None:
    assert api.create(SPEC, keep=True).status == 201
    status = {
        "summary": "Deployment web: CrashLoopBackOff",
        "revision": f"main@sha1:{COMMIT[:7]}",
        "lastAppliedCommit": COMMIT,
        "resourceCount": 12,
        "driftedCount": 1,
        "failedCount": 0,
        "lastSyncTime": format_time(datetime.now(UTC)),
        "conditions": [_condition("True"), _condition("False", type="Healthy", reason="Unhealthy")],
    }
    answer = api.change({"status": status}, status=True, keep=True)
    assert answer.status == 200, answer.body


def _condition(status: str, **changes: str) -> Fields:
    return {
        "type": "Ready",
        "status": status,
        "reason": "Succeeded",
        "message": "applied 12 objects",
        "lastTransitionTime": "2026-11-24T05:00:00Z",
        **changes,
    }
