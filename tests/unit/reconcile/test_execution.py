"""What a sync has done so far decides whether it goes on."""

from __future__ import annotations

from tests.fakes.samples import problem

from nopea.core.problem import Code
from nopea.reconcile.execution import Execution


def test_a_halt_stops_everything() -> None:
    """Nothing more is started, and nothing is pruned."""
    execution = Execution()
    assert (execution.stopped, execution.went_well) == (False, True)

    execution.halt = problem(Code.JOB_FAILED)

    assert (execution.stopped, execution.went_well) == (True, False)
