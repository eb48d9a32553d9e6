"""Whether a chart from elsewhere is the one that is expected. Pure."""

from __future__ import annotations

from nopea.core.api.entries import ChartEntry
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.problem import Code, Problem


def problem_of_chart(
    known: ChartEntry | None, found: ChartEntry | None, spec: GitRepositorySpec
) -> Problem | None:
    """Return the problem of a chart with an unexpected digest; None if there is none.

    `known` is the chart in the status: its version should keep its digest. A digest in the spec overrides it.
    """
    wanted = spec.helm.digest if spec.helm is not None else None
    if found is None or found.digest == wanted:
        return None
    name = f"{found.source}:{found.version}" if found.version else found.source
    if wanted is not None:
        return _problem(
            f"{name} has the digest {found.digest}, and spec.helm.digest is {wanted}.",
            "If you trust the chart, correct spec.helm.digest.",
        )
    same = known is not None and (known.source, known.version) == (found.source, found.version)
    if known is None or not same or known.digest == found.digest or not found.version:
        return None
    return _problem(
        f"{name} had the digest {known.digest}, and has {found.digest} now.",
        "A published version should not change. Use another version or, if you trust the new content, set "
        f"spec.helm.digest to {found.digest}.",
    )


def _problem(message: str, hint: str) -> Problem:
    return Problem(code=Code.REMOTE_CHANGED, message=message, hint=hint, source="spec.helm.chart")
