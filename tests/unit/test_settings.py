"""What the process is told: a value, with defaults that work in a Pod."""

from __future__ import annotations

import dataclasses

import pytest

from nopea.settings import Settings


def test_settings_do_not_change_while_the_process_runs() -> None:
    """Everybody may hold on to them."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_drain_ends_before_kubernetes_kills() -> None:
    """terminationGracePeriodSeconds is 30 by default; what is left is for the interpreter."""
    assert Settings().shutdown_seconds <= 27


def test_by_default_nothing_of_this_machine_is_read() -> None:
    """A file URL would let whoever may create a GitRepository read the controller's files."""
    assert Settings().allow_file_urls is False
    assert Settings().namespace is None
