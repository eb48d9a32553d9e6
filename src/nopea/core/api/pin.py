"""A rollback: an annotation pins a GitRepository to one commit, while its spec stays unchanged. Pure.

Reads and explains the annotation; never looks at Git.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

import msgspec

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.spec import GitReference, GitRepositorySpec
from nopea.core.git.source import Ref
from nopea.core.problem import Code, Problem

_FULL = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SHOWN = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """The commit that a repository is pinned to; `instead_of` is the spec's ref, None if it is invalid.

    `arguments` name the repository in commands: `web -n shop`.
    """

    commit: str
    instead_of: Ref | None
    arguments: str = "NAME"

    @property
    def left(self) -> str:
        """The ref that is not followed meanwhile, for messages."""
        return str(self.instead_of) if self.instead_of else "the ref in its spec"

    @property
    def message(self) -> str:
        """The state, and how to end it."""
        return (
            f"Pinned to commit {self.commit} instead of {self.left}. New commits are not applied. To follow "
            f"{self.left} again, run `nopea rollback {self.arguments} --resume` or remove the "
            f"annotation {ROLLBACK_ANNOTATION}."
        )


def parse_pin(text: str, *, instead_of: Ref | None, arguments: str = "NAME") -> Pin | Problem:
    """Read the annotation's value; anything other than a full commit id is a Problem."""
    commit = text.strip().lower()
    if _FULL.fullmatch(commit):
        return Pin(commit=commit, instead_of=instead_of, arguments=arguments)
    return Problem(
        code=Code.ROLLBACK_INVALID,
        message=f"The annotation {ROLLBACK_ANNOTATION} is not a full commit id: {text[:_SHOWN]!r}.",
        hint=f"Use 40 or 64 hexadecimal digits. `nopea rollback {arguments} COMMIT` accepts a shorter id, "
        f"and `nopea rollback {arguments} --resume` removes the annotation.",
    )


def pinned(spec: GitRepositorySpec, pin: Pin) -> GitRepositorySpec:
    """Return the spec with the pin's commit in place of its ref."""
    return msgspec.structs.replace(spec, ref=GitReference(commit=pin.commit))


def explained(problem: Problem, pin: Pin | None) -> Problem:
    """Return the problem; if Git lacks the pinned commit, with a hint about the pin instead of the spec."""
    if pin is None or problem.code is not Code.GIT_REF_NOT_FOUND:
        return problem
    hint = (
        f"The commit comes from the annotation {ROLLBACK_ANNOTATION}. Choose one from "
        f"`nopea history {pin.arguments}` with `nopea rollback {pin.arguments} COMMIT`, or follow {pin.left} "
        f"again with `nopea rollback {pin.arguments} --resume`."
    )
    return replace(problem, hint=hint)
