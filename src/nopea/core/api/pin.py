"""A rollback: a GitRepository held at one commit by an annotation, while its spec stays as it is. Pure.

Says what the annotation means and how it is explained; never looks at Git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import msgspec

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Ref, RefKind
from nopea.core.problem import Code, Problem

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The commit that a repository is held at; `instead_of` is the spec's ref, None if it cannot be read."""

    commit: str
    instead_of: Ref | None

    @property
    def left(self) -> str:
        """What is not followed meanwhile, in words."""
        return str(self.instead_of) if self.instead_of else "what its spec names"

    @property
    def message(self) -> str:
        """The state in a sentence, and how to end it."""
        return (
            f"held at commit {self.commit} instead of {self.left}: new commits do not move it; "
            f"`nopea rollback NAME --resume`, or removing the annotation {ROLLBACK_ANNOTATION}, returns to it"
        )


def parse_pin(text: str, *, instead_of: Ref | None) -> Pin | Problem:
    """Read the annotation's value; anything but a full commit id is a Problem."""
    commit = text.strip().lower()
    if _FULL.fullmatch(commit):
        return Pin(commit=commit, instead_of=instead_of)
    return Problem(
        code=Code.ROLLBACK_INVALID,
        message=f"the annotation {ROLLBACK_ANNOTATION} is no full commit id: {text[:_SHOWN]!r}",
        hint="Give 40 or 64 hexadecimal digits; `nopea rollback NAME COMMIT` finds them for a shorter id, "
        "and `nopea rollback NAME --resume` takes the annotation away.",
    )


def pinned(spec: GitRepositorySpec, pin: Pin) -> GitRepositorySpec:
    """Return the spec with the pin's commit in place of its ref."""
    refs: dict[str, str | None] = {kind.value: None for kind in RefKind}
    return msgspec.structs.replace(spec, **{**refs, RefKind.COMMIT.value: pin.commit})


def explained(problem: Problem, pin: Pin | None) -> Problem:
    """Return the problem; of a pinned commit that Git lacks, with advice about the pin and not the spec."""
    if pin is None or problem.code is not Code.GIT_REF_NOT_FOUND:
        return problem
    hint = (
        f"It comes from the annotation {ROLLBACK_ANNOTATION}: choose a commit of `nopea history NAME` by "
        f"`nopea rollback NAME COMMIT`, or return to {pin.left} by `nopea rollback NAME --resume`."
    )
    return replace(problem, hint=hint)
