"""The entries of `spec.notify`."""

from __future__ import annotations

import pytest
from tests.fakes.samples import repository

from nopea.core.api.notify import DEFAULT_KINDS, NotificationKind, NotifyReceiver, Severity
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.problem import Problem


def receiver(**entry: object) -> NotifyReceiver:
    """Return the parsed entry."""
    spec = repository(notify=[{"type": "slack", "secretRef": {"name": "chat"}, **entry}]).spec
    assert isinstance(spec, GitRepositorySpec)
    return spec.notify[0]


def test_the_defaults() -> None:
    """Everything that somebody should look at, of any severity."""
    assert (receiver().kinds, receiver().severity) == (DEFAULT_KINDS, Severity.INFO)
    assert NotificationKind.DEPLOYMENT not in DEFAULT_KINDS
    assert receiver(events=["deployment"]).kinds == {NotificationKind.DEPLOYMENT}


@pytest.mark.parametrize("entry", [{"type": "irc"}, {"events": ["party"]}, {"severity": "loud"}])
def test_unknown_words_are_refused(entry: dict[str, object]) -> None:
    """The schema refuses them too; an older one may not have."""
    assert isinstance(
        repository(notify=[{"type": "slack", "secretRef": {"name": "chat"}, **entry}]).spec, Problem
    )
