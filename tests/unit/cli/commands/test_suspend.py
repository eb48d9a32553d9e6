"""`nopea suspend` and `nopea resume` with a cluster in memory."""

from __future__ import annotations

from typing import Any

from tests.unit.cli.conftest import WEB, Commands

from nopea.core.api.names import SUSPEND_HEAL_ANNOTATION, SUSPEND_HEAL_UNTIL_ANNOTATION
from nopea.core.objects import ObjectKey

KEY = ObjectKey("", "ConfigMap", "shop", "web")


def _store_web(commands: Commands) -> None:
    commands.cluster.objects[KEY] = {
        "apiVersion": "v1", "kind": "ConfigMap",
        "metadata": {"name": "web", "namespace": "shop", "uid": "uid-2", "resourceVersion": "8"},
    }  # fmt: skip


def _annotations(commands: Commands) -> dict[str, Any]:
    return commands.cluster.objects[KEY]["metadata"].get("annotations") or {}


def test_a_repository_is_suspended_and_resumed(commands: Commands) -> None:
    """A GitRepository is suspended and resumed by `spec.suspend`."""
    suspended = commands.run("suspend", "api")
    assert (suspended.exit_code, suspended.stdout) == (0, "GitRepository shop/api is suspended.\n")
    assert commands.repository()["spec"]["suspend"] is True

    resumed = commands.run("resume", "api")
    assert (resumed.exit_code, resumed.stdout) == (0, "GitRepository shop/api is resumed.\n")
    assert commands.repository()["spec"]["suspend"] is False


def test_an_object_is_suspended_and_resumed(commands: Commands) -> None:
    """An object is suspended by annotations on the live object; `resume` removes them."""
    _store_web(commands)

    suspended = commands.run("suspend", "api", WEB, "--until", "2099-01-31T18:00:00Z")
    assert suspended.stdout == f"{WEB} is suspended until 2099-01-31T18:00:00Z.\n"
    assert _annotations(commands) == {
        SUSPEND_HEAL_ANNOTATION: "true", SUSPEND_HEAL_UNTIL_ANNOTATION: "2099-01-31T18:00:00Z",
    }  # fmt: skip

    resumed = commands.run("resume", "api", WEB)
    assert (resumed.exit_code, resumed.stdout) == (0, f"{WEB} is resumed.\n")
    assert _annotations(commands) == {}


def test_without_until_the_suspension_lasts_until_resume(commands: Commands) -> None:
    """Without --until, the output says that the suspension lasts until `nopea resume`."""
    _store_web(commands)

    assert commands.run("suspend", "api", WEB).stdout == f"{WEB} is suspended until `nopea resume`.\n"


def test_an_object_that_is_gone_cannot_be_suspended(commands: Commands) -> None:
    """If the object is not in the cluster, the message offers to suspend the GitRepository."""
    result = commands.run("suspend", "api", WEB)

    assert result.exit_code == 3
    assert f"{WEB} is not in the cluster" in result.stderr
    assert "suspend the whole GitRepository" in result.stderr
