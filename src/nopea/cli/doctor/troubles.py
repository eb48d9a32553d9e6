"""Many troubles as few lines: those with the same cause are one, with the first GitRepositories. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from nopea.cli.doctor.finding import Finding, Verdict
from nopea.cli.doctor.references import Trouble
from nopea.core.objects import RepoKey

MOST_NAMES = 3
MOST_LINES = 10
"""Causes of one subject that are told; somebody mends some of them before the rest matters."""


def first_of(names: Iterable[str], *, most: int = MOST_NAMES) -> str:
    """Return the first names, and how many there are besides them."""
    known = list(dict.fromkeys(names))
    more = f" and {len(known) - most} more" if len(known) > most else ""
    return f"{', '.join(known[:most])}{more}"


def repositories_named(keys: Sequence[RepoKey]) -> str:
    """Return `shop/web`, or `12 GitRepositories (shop/a, shop/b, shop/c and 9 more)`."""
    names = list(dict.fromkeys(map(str, keys)))
    return names[0] if len(names) == 1 else f"{len(names)} GitRepositories ({first_of(names)})"


def trouble_findings(troubles: Iterable[Trouble]) -> Iterator[Finding]:
    """Yield a finding for each cause, the worst first, and how many causes are left out."""
    causes: dict[tuple[str, Verdict, str, str, str], list[Trouble]] = {}
    for trouble in troubles:
        cause = trouble.subject, trouble.verdict, trouble.field, _generic(trouble), trouble.problem.hint
        causes.setdefault(cause, []).append(trouble)
    ordered = sorted(
        causes.values(), key=lambda alike: (alike[0].verdict is not Verdict.PROBLEM, -len(alike))
    )
    for alike in islice(ordered, MOST_LINES):
        yield _finding(alike)
    if left := ordered[MOST_LINES:]:
        first = left[0][0]
        keys = [each.owner for alike in left for each in alike]
        yield Finding(
            subject=first.subject,
            verdict=first.verdict,
            message=f"{len(left)} other causes: something is wrong in {repositories_named(keys)}, too.",
            fix="Mend these first, then look again.",
        )


def _finding(alike: list[Trouble]) -> Finding:
    first = alike[0]
    is_one = len({each.object for each in alike}) == 1
    text = first.problem.message if is_one else _generic(first)
    owners = repositories_named([each.owner for each in alike])
    return Finding(
        subject=first.subject,
        verdict=first.verdict,
        message=f"{first.field} of {owners}: {first.problem.code} {text}",
        fix=first.problem.hint,
    )


def _generic(trouble: Trouble) -> str:
    """Return the message without the name of the object, which may be another for each GitRepository."""
    key, text = trouble.object, trouble.problem.message
    for name in (str(key), f"{key.kind} {key.name}"):
        text = text.replace(name, f"its {key.kind}")
    text = text.replace(f" in namespace {key.namespace}", "")
    return text[:1].upper() + text[1:]
