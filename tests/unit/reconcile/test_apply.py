"""A write goes to the version that was decided about, or to none: what is sent, and how often."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, cast

import orjson
import pytest

from nopea.core.drift.find import Drift
from nopea.core.drift.three_way import DriftKind
from nopea.core.manifests.render import Desired
from nopea.core.manifests.stages import stage_of
from nopea.core.objects import ObjectKey, Resource, Target
from nopea.core.plan.model import (
    Action,
    BreakGlass,
    ClusterState,
    LastApplied,
    ObservedDrift,
    ObservedObject,
    Plan,
    Policy,
    Reason,
    Step,
)
from nopea.core.plan.observed import observed_of
from nopea.core.plan.plan import plan
from nopea.core.status.report import Outcome
from nopea.kube.errors import ApiError, ConflictError, NotFoundError, error_of
from nopea.kube.live import Applied, LiveObject
from nopea.kube.requests import PatchKind
from nopea.reconcile.apply import TRIES, Applier, Written
from nopea.reconcile.execute import Execution, Executor
from nopea.reconcile.request import Supersede

Json = dict[str, Any]
KEY = ObjectKey("", "ConfigMap", "shop", "web")
OWNER = "shop.web"
PROTECTED = {"nopea.io/suspend-heal": "true"}
KUBECTL = {"manager": "kubectl-edit", "operation": "Update", "apiVersion": "v1", "fieldsType": "FieldsV1"}


class Server:
    """One ConfigMap. `before_write` is called before each write is looked at, as the world goes on."""

    def __init__(self, *, owner: str = OWNER) -> None:
        self.metadata: Json = {
            "name": "web",
            "namespace": "shop",
            "uid": "u",
            "resourceVersion": "1",
            "labels": {"nopea.io/repository": owner},
        }
        self.there = True
        self.bodies: list[Json] = []
        self.reads = 0
        self.before_write: list[Any] = []

    def move_on(self, **annotations: str) -> None:
        """Change it as somebody else would."""
        self.metadata["resourceVersion"] = str(int(self.metadata["resourceVersion"]) + 1)
        self.metadata["annotations"] = {**self.metadata.get("annotations", {}), **annotations}

    async def get(self, target: Target) -> LiveObject:
        """Read it."""
        del target
        self.reads += 1
        if not self.there:
            raise NotFoundError(_failed(404, "NotFound").failure)
        return LiveObject(self._stored())

    async def apply(self, target: Target, body: bytes) -> Applied:
        """Take a body, if it names this version or none."""
        del target
        sent = orjson.loads(body)
        self.bodies.append(sent)
        self._world_goes_on()
        self._check(sent["metadata"].get("resourceVersion"))
        created, self.there = not self.there, True
        return Applied(self._stored(), created=created)

    async def patch(self, target: Target, body: bytes, *, kind: PatchKind) -> LiveObject:
        """Take a JSON patch that changes managedFields."""
        del target, kind
        operations = {one["path"]: one["value"] for one in orjson.loads(body)}
        self._world_goes_on()
        self._check(operations["/metadata/resourceVersion"])
        self.metadata["managedFields"] = operations["/metadata/managedFields"]
        self.move_on()
        return LiveObject(self._stored())

    def _world_goes_on(self) -> None:
        if self.before_write:
            self.before_write.pop(0)()

    def _check(self, version: str | None) -> None:
        if self.there and version not in (None, self.metadata["resourceVersion"]):
            raise _failed(409, "Conflict")

    def _stored(self) -> bytes:
        return orjson.dumps({"apiVersion": "v1", "kind": "ConfigMap", "metadata": self.metadata})


class Index:
    """What the watch knows of the object; nothing by itself."""

    def __init__(self, known: ObservedObject | None = None) -> None:
        self.known = known

    def knows(self, resource: Resource) -> bool:
        """Say that it follows every kind."""
        del resource
        return True

    def get(self, resource: Resource, key: ObjectKey) -> ObservedObject | None:
        """Return what is known."""
        del resource, key
        return self.known

    def follow(self, resource: Resource) -> None:
        """Take a kind."""

    def assume(self, resource: Resource, key: ObjectKey, observed: ObservedObject) -> None:
        """Take what was applied."""


def _failed(code: int, reason: str, **details: Any) -> ApiError:
    status = {"kind": "Status", "code": code, "reason": reason, "message": reason, "details": details}
    return error_of(code, orjson.dumps(status))


def _live(server: Server, **changes: Any) -> ObservedObject:
    return replace(
        ObservedObject(owner=OWNER, resource_version=server.metadata["resourceVersion"], uid="u"), **changes
    )


def _step(live: ObservedObject | None, reason: Reason = Reason.GIT_CHANGE) -> Step:
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "web"}, "data": {"colour": "blue"}}
    desired = Desired(
        key=KEY,
        resource=Resource(group="", version="v1", kind="ConfigMap", plural="configmaps", namespaced=True),
        source="web.yaml#1",
        body=orjson.dumps(body),
        hash="h",
        stage=stage_of(KEY.group_kind),
        wave=0,
        force=False,
    )
    return Step(action=Action.APPLY, reason=reason, key=KEY, desired=desired, live=live)


async def _decide(one: Desired, live: Mapping[str, Any] | None) -> Step:
    world = ClusterState(
        observed={one.key: observed_of(live, now=datetime.now(UTC))} if live else {},
        last_applied={one.key: LastApplied(hash="before", projection="p")},
    )
    policy = Policy(owner=OWNER)
    return plan(desired=[one], cluster=world, policy=policy, now=datetime.now(UTC)).steps[0]


def _applier(server: Server, known: ObservedObject | None = None) -> Applier:
    return Applier(
        client=cast("Any", server),
        object_cache=cast("Any", Index(known)),
        owner=OWNER,
        defined_here=frozenset(),
        decide=_decide,
    )


async def _apply(server: Server, step: Step, known: ObservedObject | None = None) -> Written:
    return await _applier(server, known).apply(step)


def _sent(server: Server) -> list[str | None]:
    return [body["metadata"].get("resourceVersion") for body in server.bodies]


async def test_a_write_names_the_version_that_was_looked_at() -> None:
    """In the ordinary case that costs no request."""
    server = Server()
    written = await _apply(server, _step(_live(server)))
    assert written.applied is not None
    assert (_sent(server), server.reads) == (["1"], 0)


async def test_what_is_not_there_is_made_without_a_version() -> None:
    """A new object costs one request."""
    server = Server()
    server.there = False
    written = await _apply(server, _step(None))
    assert written.applied is not None
    assert written.applied.created
    assert (_sent(server), server.reads) == ([None], 0)


async def test_a_later_version_of_the_watch_is_named() -> None:
    """An object whose status changed since the plan is not read for it."""
    server = Server()
    planned = _live(server)
    server.move_on()
    await _apply(server, _step(planned), _live(server))
    assert (_sent(server), server.reads) == (["2"], 0)


async def test_what_the_watch_shows_since_the_plan_is_decided_about() -> None:
    """Break-glass that the watch has shown stops the write before it is sent."""
    server = Server()
    planned = _live(server)
    server.move_on(**PROTECTED)
    written = await _apply(server, _step(planned), _live(server, break_glass=BreakGlass()))
    assert (written.applied, written.step.reason) == (None, Reason.BREAK_GLASS)
    assert server.bodies == []


async def test_an_object_that_moves_on_is_looked_at_and_written_again() -> None:
    """The second write names the new version."""
    server = Server()
    server.before_write = [server.move_on]
    written = await _apply(server, _step(_live(server)))
    assert written.applied is not None
    assert (_sent(server), server.reads) == (["1", "2"], 1)


async def test_break_glass_that_comes_during_the_write_holds() -> None:
    """The write is refused, and none follows."""
    server = Server()
    server.before_write = [lambda: server.move_on(**PROTECTED)]
    written = await _apply(server, _step(_live(server)))
    assert (written.applied, written.step.reason) == (None, Reason.BREAK_GLASS)
    assert _sent(server) == ["1"]


async def test_an_owner_that_comes_during_the_write_is_refused() -> None:
    """The object is another repository's by its label now."""
    server = Server()

    def take() -> None:
        server.metadata["labels"] = {"nopea.io/repository": "shop.api"}
        server.move_on()

    server.before_write = [take]
    written = await _apply(server, _step(_live(server)))
    assert (written.applied, written.step.reason) == (None, Reason.OWNED_BY_OTHER)
    assert _sent(server) == ["1"]


async def test_an_object_that_always_moves_on_is_given_up() -> None:
    """After some tries it is a conflict, which a later pass meets again."""
    server = Server()
    server.before_write = [server.move_on] * (TRIES + 1)
    with pytest.raises(ConflictError) as conflict:
        await _apply(server, _step(_live(server)))
    assert conflict.value.retryable
    assert (_sent(server), server.reads) == (["1", "2", "3", "4", "5"], TRIES - 1)


async def test_a_conflict_over_something_else_is_not_tried_again() -> None:
    """An object that is still in the version that was named did not move on: a quota did."""
    server = Server()

    def refuse() -> None:
        raise _failed(409, "Conflict", kind="resourcequotas", name="shop")

    server.before_write = [refuse]
    with pytest.raises(ConflictError):
        await _apply(server, _step(_live(server)))
    assert (_sent(server), server.reads) == (["1"], 1)


async def test_a_conflict_over_fields_is_not_tried_again() -> None:
    """Who owns a field is no matter of versions."""
    server = Server()

    def refuse() -> None:
        causes = [{"reason": "FieldManagerConflict", "message": "m", "field": ".data.colour"}]
        raise _failed(409, "Conflict", causes=causes)

    server.before_write = [refuse]
    with pytest.raises(ConflictError):
        await _apply(server, _step(_live(server)))
    assert server.reads == 0


def _edited(server: Server) -> Step:
    """Return the heal of an object in which kubectl has a claim."""
    server.metadata["managedFields"] = [{**KUBECTL, "fieldsV1": {"f:data": {"f:colour": {}}}}]
    seen = ObservedDrift(drift=Drift(kind=DriftKind.MANUAL_DRIFT), since=datetime.now(UTC))
    return replace(_step(_live(server), Reason.MANUAL_DRIFT), seen=seen)


async def test_a_heal_goes_on_after_it_has_taken_claims_over() -> None:
    """Our own claims do not show as drift: that the object moved on then does not end the heal."""
    server = Server()
    step = _edited(server)
    server.before_write = [lambda: None, server.move_on]
    written = await _apply(server, step)
    assert written.applied is not None
    assert (written.step.reason, written.step.seen) == (Reason.MANUAL_DRIFT, step.seen)
    assert _sent(server) == ["2", "3"]


async def _execute(server: Server, step: Step) -> Execution:
    async def newest() -> str:
        return ""

    async def resource_for(kind: object) -> Resource:
        raise AssertionError(kind)

    executor = Executor(
        client=cast("Any", server),
        object_cache=cast("Any", Index()),
        applier=_applier(server),
        claim=lambda _: "",
        resource_for=resource_for,
        commit="c0ffee",
    )
    return await executor.execute(Plan(steps=(step,)), Supersede(frozenset, newest, commit=""))


async def test_what_was_taken_over_and_then_protected_is_applied_when_that_ends() -> None:
    """The record says that the object is not as Git wants it, for the drift cannot be seen any more."""
    server = Server()
    step = _edited(server)
    server.before_write = [lambda: None, lambda: server.move_on(**PROTECTED)]
    execution = await _execute(server, step)
    result = execution.results[KEY]
    assert (result.outcome, result.reason) == (Outcome.SKIPPED, Reason.BREAK_GLASS)
    assert execution.applied == {KEY: LastApplied(hash="", projection=None)}


async def test_what_only_was_taken_over_is_changed() -> None:
    """An apply that found nothing left to do after a takeover is told as a change."""
    server = Server()
    execution = await _execute(server, _edited(server))
    assert execution.results[KEY].outcome is Outcome.CONFIGURED
