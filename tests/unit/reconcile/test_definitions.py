"""Waiting until a CustomResourceDefinition is Established: every wait is bounded."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from tests.fakes.installation import installed, manifest

from nopea.core.objects import ObjectKey
from nopea.core.problem import Code
from nopea.core.status.report import Outcome, Result
from nopea.core.trigger import Trigger
from nopea.kube.errors import ApiFailure, NotFoundError
from nopea.kube.kinds import DEFINITIONS
from nopea.kube.live import LiveObject
from nopea.reconcile.definitions import Superseded, is_unserved, pauses, wait_until_established

pytestmark = pytest.mark.looptime

SHOPS = DEFINITIONS.at(name="shops.acme.example")


class Server:
    """Returns a definition with these conditions, one set per request; the last set repeatedly."""

    def __init__(self, *answers: dict[str, str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    async def get(self, target: object) -> LiveObject:
        """Return the definition."""
        del target
        self.asked += 1
        answer = self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]
        conditions = [{"type": type_, "status": status} for type_, status in answer.items()]
        return LiveObject(orjson.dumps({"status": {"conditions": conditions}}))


async def wait(server: Any, *, seconds: float = 30, stop_after: int = 1000) -> Any:
    """Wait for the definition; `stop` returns True after this number of requests."""

    async def stop() -> bool:
        return bool(server.asked >= stop_after)

    return await wait_until_established(server, SHOPS, source="shops.yaml#1", seconds=seconds, stop=stop)


async def test_an_established_definition_ends_the_wait() -> None:
    """The definition is read until it is Established."""
    server = Server({}, {"Established": "False"}, {"Established": "True"})

    assert await wait(server) is None
    assert server.asked == 3


async def test_refused_names_end_the_wait_with_a_problem() -> None:
    """Names that were not accepted will not be accepted later."""
    server = Server({"NamesAccepted": "False", "Established": "False"})

    problem = await wait(server)

    assert (problem.code, problem.source, server.asked) == (Code.CRD_NOT_ESTABLISHED, "shops.yaml#1", 1)


async def test_the_timeout_ends_the_wait(looptime: Any) -> None:
    """The problem says what is missing."""
    problem = await wait(Server({}), seconds=4)

    assert problem.message == "The CustomResourceDefinition is not Established: it has no conditions yet."
    assert looptime == 4


async def test_a_reconciliation_that_should_stop_ends_the_wait() -> None:
    """A shutdown or a newer commit does not wait for a definition."""
    server = Server({})

    with pytest.raises(Superseded):
        await wait(server, stop_after=3)

    assert server.asked == 3


def test_pauses_double_up_to_a_second() -> None:
    """The first pause is 20 milliseconds."""
    waits = pauses()

    assert [next(waits) for _ in range(8)] == [0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.0, 1.0]


@pytest.mark.parametrize(
    ("name", "kind", "unserved"), [("", "", True), ("web", "deployments", False), ("", "namespaces", False)]
)
def test_an_unserved_kind_is_not_a_missing_object(name: str, kind: str, unserved: bool) -> None:
    """For a missing object or namespace, the API server returns its name or kind."""
    failure = ApiFailure(code=404, reason="NotFound", message="not found", name=name, kind=kind)

    assert is_unserved(NotFoundError(failure)) is unserved


def definition(name: str) -> str:
    """Return the text of a file with a definition."""
    return manifest(
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        f"{name}s.acme.example",
        spec={
            "group": "acme.example",
            "scope": "Namespaced",
            "names": {"kind": name.capitalize(), "plural": f"{name}s"},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": {}}],
        },
    )


def definitions(count: int) -> dict[str, str]:
    """Return this number of files with a definition each."""
    return {f"{number}.yaml": definition(f"kind{number}") for number in range(count)}


async def test_definitions_are_awaited_together_and_within_the_timeout(looptime: Any) -> None:
    """Twenty definitions that are never Established take one timeout, not twenty."""
    async with installed(definitions(20), timeout="5s") as place:
        place.cluster.establishes = False

        started = float(looptime)
        report = await place.sync()

        assert float(looptime) - started < 20
        assert report.result is Result.FAILED
        assert {problem.code for problem in report.problems} == {Code.CRD_NOT_ESTABLISHED}
        assert [result.outcome for result in report.objects] == [Outcome.FAILED] * 20


async def test_a_shutdown_does_not_wait_for_definitions(looptime: Any) -> None:
    """The reconciliation stops, and the next one waits for the definition again."""
    async with installed(definitions(2), timeout="60s") as place:
        place.cluster.establishes = False
        key = ObjectKey(DEFINITIONS.group, DEFINITIONS.kind, "", "kind0s.acme.example")
        pending: list[Trigger] = []
        place.cluster.before("get", key, lambda: pending.append(Trigger.SHUTDOWN))

        started = float(looptime)
        report = await place.sync(pending=pending)

        assert report.result is Result.SUPERSEDED
        assert float(looptime) - started < 10
        assert place.inventory() == set()
