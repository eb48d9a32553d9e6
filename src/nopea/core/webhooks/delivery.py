"""What a webhook delivery says, whoever sent it. Values only.

A delivery is a hint that something moved: the commit is for the log, Git is asked for the truth.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from nopea.core.api.spec import Provider


class PushedRefKind(enum.StrEnum):
    """What a push moves."""

    BRANCH = "branch"
    TAG = "tag"


@dataclass(frozen=True, slots=True)
class RefChange:
    """One branch or tag that was created, moved or deleted.

    `commit` is None for what is deleted, and where the provider does not tell the commit. `paths` are all the
    files that the push changed; None is unknown and concerns everybody.
    """

    kind: PushedRefKind
    name: str
    commit: str | None
    deleted: bool = False
    paths: frozenset[str] | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """One authenticated delivery.

    `id` is the same when the provider sends the delivery again, or empty where it has none. `urls` are all
    the URLs of the repository that the delivery names, as it spells them. `ignored` says in a few words why
    there is nothing to do, or is empty. A `bare` delivery tells that something changed, and not what: it has
    no changes.
    """

    provider: Provider
    event: str
    id: str
    urls: tuple[str, ...]
    changes: tuple[RefChange, ...]
    ignored: str = ""
    bare: bool = False
