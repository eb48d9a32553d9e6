"""The buttons of `nopea ui` with a cluster in memory: the same as the commands."""

from __future__ import annotations

import pytest
from tests.unit.cli.conftest import NEWER, WEB, Commands

from nopea.cli.cluster import CommandError
from nopea.cli.ui_actions import Requests
from nopea.core.api.names import (
    CONFIRM_PRUNE_ANNOTATION,
    HEAL_REQUESTED_ANNOTATION,
    SUSPEND_HEAL_ANNOTATION,
    SYNC_REQUESTED_ANNOTATION,
)
from nopea.core.objects import ObjectKey, RepoKey

API = RepoKey("shop", "api")
CONFIG_MAP = ObjectKey("", "ConfigMap", "shop", "web")


async def _do(commands: Commands, action: str, object_: str = "") -> str:
    return await Requests(commands.cluster.client).do(API, action, object_)


async def test_sync_and_heal_are_requested(commands: Commands) -> None:
    """By the annotations that `nopea sync` and `nopea heal` set."""
    assert await _do(commands, "sync") == "Requested a sync of GitRepository shop/api."
    assert commands.annotation(SYNC_REQUESTED_ANNOTATION)
    assert await _do(commands, "heal", WEB) == f"Requested to heal {WEB} of GitRepository shop/api."
    assert (commands.annotation(HEAL_REQUESTED_ANNOTATION) or "").endswith(f" {WEB}")


async def test_suspend_and_resume_set_the_spec(commands: Commands) -> None:
    """A suspended repository is not synced."""
    await _do(commands, "suspend")
    assert commands.repository()["spec"]["suspend"] is True
    with pytest.raises(CommandError, match="suspended"):
        await _do(commands, "sync")
    await _do(commands, "resume")
    assert commands.repository()["spec"]["suspend"] is False


async def test_one_object_gets_break_glass(commands: Commands) -> None:
    """An object of the repository, and no other."""
    metadata = {"name": "web", "namespace": "shop"}
    commands.cluster.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata})
    assert await _do(commands, "suspend", WEB) == f"{WEB} is suspended until `nopea resume`."
    assert commands.cluster.objects[CONFIG_MAP]["metadata"]["annotations"] == {
        SUSPEND_HEAL_ANNOTATION: "true"
    }
    with pytest.raises(CommandError, match="not an applied object"):
        await _do(commands, "suspend", "Secret kube-system/token")


async def test_prune_is_confirmed_while_it_is_held_back(commands: Commands) -> None:
    """At the commit of the last sync."""
    with pytest.raises(CommandError, match="holds nothing back"):
        await _do(commands, "confirm-prune")
    held = {"code": "NOPEA-K013", "message": "9 of 10 objects would be deleted.", "hint": "Look."}
    commands.store(status={"errors": [held], "errorCount": 1, "lastAttemptedCommit": NEWER})
    assert "9 of 10 objects" in await _do(commands, "confirm-prune")
    assert commands.annotation(CONFIRM_PRUNE_ANNOTATION) == NEWER


async def test_anything_else_is_not_an_action(commands: Commands) -> None:
    """Nothing is written."""
    with pytest.raises(CommandError, match="not an action"):
        await _do(commands, "rollback")
    assert commands.cluster.writes == []
