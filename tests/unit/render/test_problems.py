"""From what the renderer says is wrong to what users read."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from nopea.core.manifests.tool import Tool
from nopea.core.problem import Code, StalledError, TransientError
from nopea.git.protocol import ErrorKind
from nopea.render.problems import KINDS, error_of, failure_of, no_program

ROOT = Path(__file__).parents[3]


def _said(kind: str, **facts: Any) -> dict[str, Any]:
    return {"kind": kind, "message": "It is wrong.", "file": "", "line": 0, "detail": "", **facts}


def test_a_problem_names_the_file_and_the_line() -> None:
    """The text of the library is added on one line."""
    said = _said("missing_file", file="deploy/kustomization.yaml", line=7, detail="open\n x.yaml")

    error = error_of({"err": said}, path="deploy")

    assert isinstance(error, StalledError)
    (problem,) = error.problems
    assert (problem.code, problem.source) == (Code.RENDER_FILE_MISSING, "deploy/kustomization.yaml:7")
    assert problem.message == "It is wrong. (open x.yaml)"


def test_all_problems_are_told() -> None:
    """Not only the first; what has no file is about the folder."""
    said = [_said("cycle"), _said("patch_no_match", file="a.yaml")]

    error = error_of({"err": said[0], "errors": said}, path="deploy")

    assert [(one.code, one.source) for one in error.problems] == [
        (Code.KUSTOMIZATION_CYCLE, "deploy"),
        (Code.PATCH_NO_MATCH, "a.yaml"),
    ]


@pytest.mark.parametrize("kind", ["bug", "invented"])
def test_what_is_not_known_is_retried(kind: str) -> None:
    """A newer renderer may know more kinds."""
    error = error_of({"err": _said(kind)}, path="deploy")

    assert isinstance(error, TransientError)
    assert error.problems[0].code is Code.RENDERING_FAILED


@pytest.mark.parametrize(
    ("kind", "code", "is_retried"),
    [
        (ErrorKind.TIMEOUT, Code.RENDERING_TIMEOUT, True),
        (ErrorKind.MEMORY, Code.RENDERING_TOO_BIG, False),
        (ErrorKind.DIED, Code.RENDERING_FAILED, True),
    ],
)
def test_a_request_without_an_answer_has_a_code(kind: ErrorKind, code: Code, is_retried: bool) -> None:
    """What a user must change is not retried soon."""
    error = failure_of(kind, "it was so", path="deploy")

    assert (error.problems[0].code, error.problems[0].source) == (code, "deploy")
    assert isinstance(error, TransientError) is is_retried


def test_a_chart_that_uses_up_the_memory_may_have_a_loop() -> None:
    """To divide it would not help."""
    error = failure_of(ErrorKind.MEMORY, "it was so", path="deploy", tool=Tool.HELM)

    assert "tpl" in error.problems[0].hint


def test_a_missing_program_says_how_to_get_it() -> None:
    """The hint names the target and the variable."""
    (problem,) = no_program("deploy").problems

    assert "make renderer" in problem.hint
    assert "NOPEA_RENDERER" in problem.hint


def test_every_kind_of_the_renderer_has_a_code() -> None:
    """A kind that is not known here would be told as a failure of Nopea."""
    source = (ROOT / "renderer" / "problem.go").read_text(encoding="utf-8")
    kinds = set(re.findall(r"\tkind\w+\s+= \"(\w+)\"", source))

    assert len(kinds) > 20
    assert kinds - KINDS.keys() == {"bug"}
