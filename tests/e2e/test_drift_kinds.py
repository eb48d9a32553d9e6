"""Ways to change objects of many kinds: each change is reported with its manager, and reverted or left."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.waiting import always, eventually
from tests.e2e.world import APPLY, MERGE_PATCH, Json, Repo, Site, path_of
from tests.e2e.yamls import Manifest

from nopea.core.plan.inventory import unpack

SECONDS = 20.0
GROUP = "parts.acme.example"
JSON_PATCH = "application/json-patch+json"
STRATEGIC = "application/strategic-merge-patch+json"
WORD, NEW_WORD = "first-word", "second-word"
DEPLOYMENTS, MAPS, SERVICES = "apps/v1 deployments", "v1 configmaps", "v1 services"
SECRETS, WIDGETS = "v1 secrets", f"{GROUP}/v1 widgets"
ROLES = "rbac.authorization.k8s.io/v1 clusterroles"

Change = tuple[str, Any, Any]
"""The path of a field, its old value and its new value."""


def _send(
    site: Site,
    place: str,
    body: Any,
    *,
    manager: str,
    method: str = "PATCH",
    content_type: str = MERGE_PATCH,
    sub: str = "",
) -> None:
    """Write to an object as the given manager."""
    path = f"{path_of(place)}{sub}?fieldManager={manager}{'&force=true' if content_type == APPLY else ''}"
    answer = site.cluster.lab.request(method, path, body, content_type=content_type)
    assert answer.status == 200, answer.body


def merged(body: Json, *, manager: str) -> Edit:
    """Return an edit that sends a JSON merge patch."""
    return lambda site, place: _send(site, place, body, manager=manager)


def strategic(body: Json, *, manager: str) -> Edit:
    """Return an edit that sends a strategic merge patch, as `kubectl edit` does."""
    return lambda site, place: _send(site, place, body, manager=manager, content_type=STRATEGIC)


def patched(*operations: Json, manager: str) -> Edit:
    """Return an edit that sends a JSON patch."""
    return lambda site, place: _send(site, place, list(operations), manager=manager, content_type=JSON_PATCH)


def scaled(replicas: int, *, manager: str) -> Edit:
    """Return an edit that writes through the scale subresource."""
    body = {"spec": {"replicas": replicas}}
    return lambda site, place: _send(site, place, body, manager=manager, sub="/scale")


def applied(body: Json, *, manager: str) -> Edit:
    """Return an edit that server-side applies as another manager, with force."""

    def edit(site: Site, place: str) -> None:
        live = site.cluster.must_get(place)
        named = {"apiVersion": live["apiVersion"], "kind": live["kind"], **body}
        _send(site, place, named, manager=manager, content_type=APPLY)

    return edit


def replaced(change: Callable[[Json], None], *, manager: str) -> Edit:
    """Return an edit that reads, changes and replaces the whole object."""

    def edit(site: Site, place: str) -> None:
        live = site.cluster.must_get(place)
        change(live)
        _send(site, place, live, manager=manager, method="PUT", content_type="application/json")

    return edit


def deleted(site: Site, place: str) -> None:
    """Delete the object."""
    site.cluster.delete(place)


Edit = Callable[[Site, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One object, one edit, and the drift to expect; without `changes`, the edit is not drift."""

    plural: str
    manifest: Manifest
    edit: Edit
    changes: tuple[Change, ...] = ()
    manager: str | None = None
    operation: str | None = None
    adds: bool = False
    """The edit only adds what Git does not declare: reverting it needs more than an apply."""

    @property
    def name(self) -> str:
        return str(self.manifest["metadata"]["name"])

    def place(self, site: Site) -> str:
        """Return the place of the object, cluster-scoped or in the namespace."""
        return (
            f"{self.plural} /{site.namespace}-{self.name}"
            if self.plural == ROLES
            else site.place(self.plural, self.name)
        )


def _widget(name: str, **spec: Any) -> Manifest:
    return yamls.custom("Widget", name, group=GROUP, **spec)


def _role(name: str) -> Manifest:
    rules = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
    role = {"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole", "rules": rules}
    return {**role, "metadata": {"name": name}}


def _marked(manifest: Manifest) -> Manifest:
    marks = {"labels": {"tier": "front"}, "annotations": {"acme.example/team": "web"}}
    return {**manifest, "metadata": {**manifest["metadata"], **marks}}


def _floating(name: str) -> Manifest:
    manifest = yamls.deployment(name)
    del manifest["spec"]["replicas"]
    return manifest


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def _blue_to_red(live: Json) -> None:
    live["data"]["colour"] = "red"


RED = (".data.colour", "blue", "red")
IMAGE = "registry.example/web:1"
OTHER_IMAGE = "registry.example/web:2"
IMAGE_PATH = '.spec.template.spec.containers[name="web"].image'
_CONTAINER = {"name": "web", "image": OTHER_IMAGE}
_RULES = [{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list"]}]
_SECRET_MARK = "***"

CASES = (
    Case(
        plural=MAPS,
        manifest=yamls.config_map("replaced", colour="blue"),
        edit=replaced(_blue_to_red, manager="acme-replacer"),
        changes=(RED,),
        manager="acme-replacer",
        operation="Update",
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("json-patched", colour="blue"),
        edit=patched({"op": "replace", "path": "/data/colour", "value": "red"}, manager="acme-patcher"),
        changes=(RED,),
        manager="acme-patcher",
        operation="Update",
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("key-removed", colour="blue", size="1"),
        edit=patched({"op": "remove", "path": "/data/colour"}, manager="acme-patcher"),
        changes=((".data.colour", "blue", None),),
    ),
    Case(
        plural=DEPLOYMENTS,
        manifest=yamls.deployment("strategic", image=IMAGE),
        edit=strategic(
            {"spec": {"template": {"spec": {"containers": [_CONTAINER]}}}}, manager="kubectl-edit"
        ),
        changes=((IMAGE_PATH, IMAGE, OTHER_IMAGE),),
        manager="kubectl-edit",
        operation="Update",
    ),
    Case(
        plural=DEPLOYMENTS,
        manifest=yamls.deployment("scaled"),
        edit=scaled(3, manager="kubectl-scale"),
        changes=((".spec.replicas", "1", "3"),),
        manager="kubectl-scale",
        operation="Update",
    ),
    Case(
        plural=DEPLOYMENTS,
        manifest=yamls.deployment("applied", image=IMAGE),
        edit=applied({"spec": {"template": {"spec": {"containers": [_CONTAINER]}}}}, manager="acme-applier"),
        changes=((IMAGE_PATH, IMAGE, OTHER_IMAGE),),
        manager="acme-applier",
        operation="Apply",
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("deleted", colour="blue"),
        edit=deleted,
        changes=((".", ..., None),),
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("unlabelled", colour="blue"),
        edit=merged({"metadata": {"labels": {"nopea.io/repository": None}}}, manager="kubectl-label"),
        changes=((".metadata.labels", ..., None),),
    ),
    Case(
        plural=MAPS,
        manifest=_marked(yamls.config_map("tierless", colour="blue")),
        edit=merged({"metadata": {"labels": {"tier": None}}}, manager="kubectl-label"),
        changes=((".metadata.labels.tier", "front", None),),
    ),
    Case(
        plural=SERVICES,
        manifest=_marked(yamls.service("annotated")),
        edit=merged({"metadata": {"annotations": {"acme.example/team": "db"}}}, manager="kubectl-annotate"),
        changes=((".metadata.annotations.acme.example/team", "web", "db"),),
        manager="kubectl-annotate",
        operation="Update",
    ),
    Case(
        plural=SERVICES,
        manifest=yamls.service("selected"),
        edit=strategic({"spec": {"selector": {"app": "api"}}}, manager="k9s"),
        changes=((".spec.selector", {"app": "web"}, {"app": "api"}),),
        manager="k9s",
        operation="Update",
    ),
    Case(
        plural=SECRETS,
        manifest=yamls.secret("changed", word=WORD),
        edit=merged({"data": {"word": _base64(NEW_WORD)}}, manager="kubectl-edit"),
        changes=((".data.word", ..., ...),),
        manager="kubectl-edit",
        operation="Update",
    ),
    Case(
        plural=WIDGETS,
        manifest=_widget("sized", size=1, parts=[{"name": "a"}]),
        edit=merged({"spec": {"size": 2}}, manager="acme-tuner"),
        changes=((".spec.size", "1", "2"),),
        manager="acme-tuner",
        operation="Update",
    ),
    Case(
        plural=WIDGETS,
        manifest=_widget("taken", size=1),
        edit=applied({"spec": {"size": 2}}, manager="acme-applier"),
        changes=((".spec.size", "1", "2"),),
        manager="acme-applier",
        operation="Apply",
    ),
    Case(
        plural=ROLES,
        manifest=_role("reader"),
        edit=patched({"op": "add", "path": "/rules/0/verbs/-", "value": "delete"}, manager="kubectl-edit"),
        changes=((".rules", ..., ...),),
        manager="kubectl-edit",
        operation="Update",
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("key-added", colour="blue"),
        edit=merged({"data": {"extra": "1"}}, manager="kubectl-edit"),
        changes=((".data.extra", None, "1"),),
        manager="kubectl-edit",
        operation="Update",
        adds=True,
    ),
    Case(
        plural=DEPLOYMENTS,
        manifest=yamls.deployment("item-added"),
        edit=strategic(
            {"spec": {"template": {"spec": {"containers": [{"name": "side", "image": OTHER_IMAGE}]}}}},
            manager="kubectl-edit",
        ),
        changes=(('.spec.template.spec.containers[name="side"]', None, ...),),
        manager="kubectl-edit",
        operation="Update",
        adds=True,
    ),
    Case(
        plural=SECRETS,
        manifest=yamls.secret("word-added", user="acme"),
        edit=merged({"data": {"word": _base64(NEW_WORD)}}, manager="kubectl-patch"),
        changes=((".data.word", None, ...),),
        manager="kubectl-patch",
        operation="Update",
        adds=True,
    ),
    Case(
        plural=DEPLOYMENTS,
        manifest=_floating("floating"),
        edit=scaled(4, manager="kube-controller-manager"),
    ),
    Case(
        plural=MAPS,
        manifest=yamls.config_map("extended", colour="blue"),
        edit=merged({"data": {"bundle": "1"}}, manager="acme-controller"),
    ),
)
DRIFTING = tuple(case for case in CASES if case.changes)


def _follow(site: Site, **spec: Any) -> Repo:
    """Sync a repository with the objects of all cases."""
    manifests = []
    for case in CASES:
        manifest = case.manifest
        if case.plural == ROLES:
            name = f"{site.namespace}-{case.name}"
            manifest = {**manifest, "metadata": {**manifest["metadata"], "name": name}}
        manifests.append(manifest)
    files = {
        "definition.yaml": yamls.text(yamls.definition("Widget", group=GROUP)),
        "objects.yaml": yamls.text(*manifests),
    }
    return site.sync("shop", files, **spec)


def _told(site: Site, repo: Repo, case: Case) -> Json:
    """Return the drift that the status reports for the case's object, or an empty dictionary."""
    namespace, _, name = case.place(site).rpartition(" ")[2].rpartition("/")
    wanted = (namespace, name)
    drifts = repo.status().get("drifts", [])
    return next((one for one in drifts if _where(one["object"]) == wanted), {})


def _where(reference: Json) -> tuple[str, str]:
    return reference.get("namespace", ""), reference["name"]


def _assert_told(site: Site, repo: Repo, case: Case) -> None:
    drift = _told(site, repo, case)
    assert drift, (case.name, repo.status().get("drifts"))
    assert drift["kind"] == "manual_drift"
    assert (drift.get("manager"), drift.get("operation")) == (case.manager, case.operation), drift
    assert "since" in drift
    assert len(drift["fields"]) == len(case.changes), drift["fields"]
    for reported, (path, from_, to) in zip(drift["fields"], case.changes, strict=True):
        assert reported["path"] == path
        _assert_value(reported.get("from"), from_)
        _assert_value(reported.get("to"), to)


def _assert_value(reported: Any, wanted: Any) -> None:
    if wanted is ...:
        assert reported is not None
    elif isinstance(wanted, dict):
        assert json.loads(reported) == wanted
    else:
        assert reported == wanted


def _without_noise(live: Json) -> Json:
    """Return the parts of an object that users write, without its status and other metadata."""
    kept = ("labels", "annotations")
    metadata = {key: live["metadata"].get(key) for key in kept}
    if metadata["annotations"]:
        metadata["annotations"] = {
            key: text for key, text in metadata["annotations"].items() if "deployment.kubernetes" not in key
        }
    rest = {key: value for key, value in live.items() if key not in ("metadata", "status")}
    return {**rest, "metadata": metadata}


def _live(site: Site, case: Case) -> Json:
    return _without_noise(site.cluster.must_get(case.place(site)))


def _assert_no_words(repo: Repo, nopea: Nopea) -> None:
    """Assert that no Secret value is in the status, the Events or the log, in plain text or base64."""
    seen = json.dumps([repo.get(), repo.events()]) + nopea.log_text()
    assert not [word for word in (WORD, NEW_WORD) if word in seen or _base64(word) in seen]


@pytest.mark.parametrize("policy", ["manual", "notify"])
def test_changes_are_left_and_reported_until_a_requested_sync(site: Site, nopea: Nopea, policy: str) -> None:
    """Under `manual` and `notify`, a change is left, reported with its manager, and reverted on request."""
    repo = _follow(site, healPolicy=policy)
    before = {case.name: _live(site, case) for case in DRIFTING}
    for case in CASES:
        case.edit(site, case.place(site))

    for case in DRIFTING:
        eventually(lambda case=case: _assert_told(site, repo, case), seconds=SECONDS)  # type: ignore[misc]
    status = repo.status()
    assert status["driftedCount"] == len(DRIFTING)
    assert repo.condition("Drifted")["status"] == "True"
    untouched = {case.name: site.cluster.get(case.place(site)) for case in DRIFTING}
    assert untouched["deleted"] is None
    for case in CASES:
        if not case.changes:
            assert _told(site, repo, case) == {}
    _assert_no_words(repo, nopea)

    repo.sync_and_wait(seconds=SECONDS)

    for case in DRIFTING:
        if not case.adds:
            assert _live(site, case) == before[case.name], case.name
    _assert_others_stay(site)
    _assert_no_words(repo, nopea)


def _assert_as_before(site: Site, case: Case, before: dict[str, Json]) -> None:
    found = site.cluster.get(case.place(site))
    assert found is not None
    assert _without_noise(found) == before[case.name]


def _assert_others_stay(site: Site) -> None:
    """Assert that fields which controllers set and Git omits are kept."""
    assert site.cluster.must_get(site.place(DEPLOYMENTS, "floating"))["spec"]["replicas"] == 4
    data = site.cluster.must_get(site.place(MAPS, "extended"))["data"]
    assert data == {"colour": "blue", "bundle": "1"}


def test_changes_are_reverted_and_reported(site: Site, nopea: Nopea) -> None:
    """Under `auto`, each change is reverted automatically, and its Event names the field and the manager."""
    repo = _follow(site)
    before = {case.name: _live(site, case) for case in DRIFTING}

    def reported(case: Case) -> None:
        about = re.compile(rf"{re.escape(case.place(site).rpartition(' ')[2].removeprefix('/'))}[:,]")
        notes = [event["note"] for event in repo.events() if event["reason"] == "DriftHealed"]
        said = [note for note in notes if about.search(note)]
        assert said, notes
        for path, _, _ in case.changes:
            assert path == "." or path in said[0]
        assert case.manager is None or f" by {case.manager}" in said[0], said

    for case in DRIFTING:
        if not case.adds:
            case.edit(site, case.place(site))
            eventually(lambda case=case: _assert_as_before(site, case, before), seconds=SECONDS)  # type: ignore[misc]
            eventually(lambda case=case: reported(case), seconds=SECONDS)  # type: ignore[misc]
    _assert_no_words(repo, nopea)


@pytest.mark.parametrize("case", [case for case in CASES if case.adds], ids=lambda case: case.name)
def test_manual_additions_are_removed(site: Site, case: Case) -> None:
    """Under `auto`, a key, a list item or a Secret entry that kubectl added is removed."""
    repo = site.sync("shop", {"one.yaml": yamls.text(case.manifest)})
    before = _live(site, case)
    case.edit(site, case.place(site))

    def healed() -> None:
        assert _live(site, case) == before

    eventually(healed, seconds=SECONDS)
    repo.wait_event("DriftHealed")


@pytest.mark.parametrize("case", [case for case in CASES if not case.changes], ids=lambda case: case.name)
def test_fields_that_a_controller_sets_are_not_drift(site: Site, case: Case) -> None:
    """Replicas that Git omits, and a key that a controller adds, stay under `auto` and are not reported."""
    repo = site.sync("shop", {"one.yaml": yamls.text(case.manifest)})
    case.edit(site, case.place(site))
    after = _live(site, case)
    repo.sync_and_wait()

    def stays() -> None:
        assert _live(site, case) == after
        assert repo.status().get("driftedCount", 0) == 0

    always(stays, seconds=1)
    assert {event["reason"] for event in repo.events()} == {"Synced"}


def test_an_object_that_two_groups_serve_is_one_object(site: Site) -> None:
    """An Event is served by two API groups; it is kept when Git changes from one group to the other."""
    made = "2026-01-02T03:04:05.000000Z"
    about = {"apiVersion": "v1", "kind": "ConfigMap", "name": "web", "namespace": site.namespace}
    facts = {"reportingInstance": "robot-0", "action": "Note", "reason": "Noted", "type": "Normal"}
    one = {**facts, "metadata": {"name": "noted"}, "eventTime": made}
    new = {"apiVersion": "events.k8s.io/v1", "kind": "Event", "reportingController": "acme.example/robot"}
    old = {"apiVersion": "v1", "kind": "Event", "reportingComponent": "acme.example/robot"}
    other = {"other.yaml": yamls.text(yamls.config_map("other"))}
    repo = site.sync("shop", {"noted.yaml": yamls.text({**new, **one, "regarding": about}), **other})
    place = site.place("events.k8s.io/v1 events", "noted")
    uid = site.cluster.must_get(place)["metadata"]["uid"]
    assert len(unpack(repo.sync_and_wait()["inventory"])) == 2

    repo.git.commit({"noted.yaml": yamls.text({**old, **one, "involvedObject": about}), **other})
    assert len(unpack(repo.sync_and_wait()["inventory"])) == 2
    repo.sync_and_wait()
    assert site.cluster.must_get(place)["metadata"]["uid"] == uid
    assert "Pruned" not in {event["reason"] for event in repo.events()}
