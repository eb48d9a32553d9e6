"""Which failures repositories share."""

from __future__ import annotations

import pytest
from tests.fakes.samples import problem, report
from tests.fakes.transitions import History

from nopea.core.notify.causes import causes_of
from nopea.core.problem import Code
from nopea.core.status.report import Result


@pytest.mark.parametrize(
    ("code", "place"),
    [
        (Code.GIT_UNREACHABLE, ["git.acme.example"]),
        (Code.GIT_AUTHENTICATION, ["git.acme.example"]),
        (Code.API_UNREACHABLE, ["the API server"]),
        (Code.JOB_UNFINISHED, ["shop/api"]),
        (Code.REMOTE_UNREACHABLE, ["shop/api"]),
        (Code.YAML_SYNTAX, []),
        (Code.GIT_PATH_NOT_FOUND, []),
    ],
)
def test_the_place_of_a_cause(code: Code, place: list[str]) -> None:
    """A Git server and the API server are shared; what a commit does is not held at all."""
    step = History().did(report(Result.FAILED, problems=[problem(code)]))
    assert [cause.place for cause in causes_of(step)] == place
