"""What all notifications about one repository have in common. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.notify.notification import CommitFacts, Notification, make_notification
from nopea.core.secret import mask_url
from nopea.core.status.transition import Transition


def about(transition: Transition, *, title: str, place: str = "", **rest: Any) -> Notification:
    """Return a notification about the repository of a transition; `rest` is for `make_notification`.

    The title begins with `place`, by default the repository.
    """
    repository = transition.repository
    spec = repository.spec if isinstance(repository.spec, GitRepositorySpec) else None
    made: dict[str, Any] = {
        "title": f"{place or repository.key}: {title}",
        "repository": repository.key,
        "url": mask_url(spec.url) if spec else "",
        "ref": str(ref_of(spec)) if spec else "",
        "commit": _commit(transition),
        "at": transition.at,
    }
    return make_notification(hidden=transition.hidden, **(made | rest))


def more_than(items: Sequence[Any], shown: int, noun: str) -> str:
    """Return how many items are not shown, in words."""
    count = len(items) - shown
    return f"{count} more {noun}{'s' * (count != 1)}"


def _commit(transition: Transition) -> CommitFacts | None:
    """Return the commit of the sync; None if Git did not deliver one."""
    if transition.report is not None:
        commit = transition.report.commit
        return CommitFacts(id=commit.id, message=commit.message, author=commit.author) if commit else None
    status = transition.after
    if not status.last_attempted_commit:
        return None
    return CommitFacts(
        id=status.last_attempted_commit,
        message=status.last_commit_message or "",
        author=status.last_commit_author or "",
    )
