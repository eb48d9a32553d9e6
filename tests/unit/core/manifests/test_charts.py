"""A chart from elsewhere is the one that is expected, or it is refused."""

from __future__ import annotations

import pytest

from nopea.core.api.entries import ChartEntry
from nopea.core.api.helm import Helm
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Skipped, SkipReason
from nopea.core.manifests.charts import problem_of_chart, problems_of_gaps
from nopea.core.problem import Code

ONE, TWO = f"sha256:{'1' * 64}", f"sha256:{'2' * 64}"


def _entry(digest: str, *, version: str = "1.0.0", source: str = "oci://r.example/web") -> ChartEntry:
    return ChartEntry(source=source, version=version, digest=digest)


@pytest.mark.parametrize(
    ("known", "found", "digest", "refused"),
    [
        (None, None, None, False),
        (None, _entry(ONE), None, False),
        (_entry(ONE), _entry(ONE), None, False),
        (_entry(ONE), _entry(TWO), None, True),
        (_entry(ONE), _entry(TWO, version="1.0.1"), None, False),
        (_entry(ONE), _entry(TWO, source="oci://other.example/web"), None, False),
        (_entry(ONE, version=""), _entry(TWO, version=""), None, False),  # a file without a version
        (_entry(ONE), _entry(TWO), TWO, False),  # somebody decided
        (_entry(ONE), _entry(TWO), ONE, True),
        (None, _entry(TWO), ONE, True),
        (_entry(TWO), _entry(TWO), ONE, True),
        (_entry(ONE), None, ONE, False),  # a chart in Git
    ],
)
def test_a_version_keeps_its_digest(
    known: ChartEntry | None, found: ChartEntry | None, digest: str | None, refused: bool
) -> None:
    """The message has both digests, so that somebody can decide."""
    spec = GitRepositorySpec(url="https://git.example/a", helm=Helm(digest=digest) if digest else None)

    problem = problem_of_chart(known, found, spec)

    assert (problem is not None) is refused
    if problem is not None and found is not None:
        assert problem.code is Code.REMOTE_CHANGED
        assert found.digest in problem.message + problem.hint


@pytest.mark.parametrize(
    ("path", "folder", "refused"),
    [
        ("shop/templates/extra", "shop", True),
        ("shop/templates", "shop", True),
        ("shop/charts/db/templates/a.yaml", "shop", True),
        ("shop/crds", "shop", True),
        ("shop/values.yaml", "shop", True),
        ("values.yaml", "", True),
        ("shop/docs/picture.png", "shop", False),
        ("docs/templates/a.yaml", "", False),
        ("shopping/templates/a.yaml", "shop", False),
        ("templates/a.yaml", "shop", False),
    ],
)
def test_a_part_of_a_chart_that_is_not_there_is_a_problem(path: str, folder: str, refused: bool) -> None:
    """What it declared would look as if it was removed; other files are read by templates, or by nobody."""
    problems = problems_of_gaps([Skipped(path, SkipReason.NOT_THERE, "../gone")], [folder])

    assert [(each.code, each.source) for each in problems] == [(Code.SYMLINK, path)] * refused


def test_a_submodule_in_a_chart_is_a_problem() -> None:
    """Nopea reads none."""
    (problem,) = problems_of_gaps([Skipped("charts/db", SkipReason.SUBMODULE)], ["lib", ""])

    assert (problem.code, problem.source) == (Code.NOT_A_FILE, "charts/db")
