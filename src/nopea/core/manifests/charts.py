"""Whether a chart from elsewhere is the one that is expected, and one in Git is all there. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from nopea.core.api.entries import ChartEntry
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Skipped, SkipReason
from nopea.core.manifests.selection import unreadable
from nopea.core.problem import Code, Problem

_PARTS: Final = re.compile(
    r"(?:templates|crds|charts)(?:/.*)?|Chart\.yaml|Chart\.lock|values\.yaml|values\.schema\.json"
)
"""What a chart consists of, beside files that its templates may read."""
_MOST_GAPS: Final = 100


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


def problems_of_gaps(skipped: Iterable[Skipped], folders: Sequence[str]) -> tuple[Problem, ...]:
    """Return the problems of links and submodules in the place of parts of charts, which lie in the folders.

    Helm would render the rest, and what the missing part had declared would look as if it was removed.
    """
    return tuple(islice(_gaps(skipped, folders), _MOST_GAPS))


def _gaps(skipped: Iterable[Skipped], folders: Sequence[str]) -> Iterator[Problem]:
    for each in skipped:
        inside = (each.path.removeprefix(f"{folder}/") for folder in folders if _is_below(each.path, folder))
        if any(_PARTS.fullmatch(path) for path in inside):
            is_link = each.reason is not SkipReason.SUBMODULE
            hint = (
                "Correct the link, or replace it with a copy." if is_link else "Commit the files themselves."
            )
            yield replace(unreadable(each), hint=hint)


def _is_below(path: str, folder: str) -> bool:
    return not folder or path.startswith(f"{folder}/")
