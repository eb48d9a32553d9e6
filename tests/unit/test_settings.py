"""The settings of the process are an immutable value, with defaults that work in a Pod."""

from __future__ import annotations

import dataclasses

import pytest

from nopea.settings import Settings


def test_settings_do_not_change_while_the_process_runs() -> None:
    """Any component may therefore keep a reference to them."""
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings().port = 1  # type: ignore[misc]


def test_the_drain_ends_before_kubernetes_kills_the_process() -> None:
    """The default of terminationGracePeriodSeconds is 30; the rest is for the interpreter."""
    assert Settings().shutdown_seconds <= 27


def test_by_default_file_urls_are_not_allowed() -> None:
    """With a file URL, a user who creates a GitRepository could read the controller's files."""
    assert Settings().tenancy.allow_file_urls is False
    assert Settings().namespace is None
