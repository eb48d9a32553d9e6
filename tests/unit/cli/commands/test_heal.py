"""`nopea heal` with a cluster in memory."""

from __future__ import annotations

from tests.unit.cli.conftest import WEB, Commands

from nopea.core.api.names import HEAL_REQUESTED_ANNOTATION


def test_healing_all_objects_is_requested(commands: Commands) -> None:
    """Without an object, the annotation contains only the time of the request."""
    result = commands.run("heal", "api")

    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "Requested to heal all objects of GitRepository shop/api.\n"
    assert " " not in (commands.annotation(HEAL_REQUESTED_ANNOTATION) or " ")


def test_healing_one_object_is_requested(commands: Commands) -> None:
    """The annotation contains the object's key, in whichever form the user wrote it."""
    result = commands.run("heal", "api", "configmaps/web")

    assert result.exit_code == 0, result.output
    assert result.stdout == f"Requested to heal {WEB} of GitRepository shop/api.\n"
    assert (commands.annotation(HEAL_REQUESTED_ANNOTATION) or "").endswith(f" {WEB}")


def test_an_object_of_another_repository_is_refused(commands: Commands) -> None:
    """An object that the repository has not applied is rejected; no annotation is set."""
    result = commands.run("heal", "api", "service/web")

    assert result.exit_code == 3
    assert f"'service/web' is not an applied object. Applied: {WEB}." in result.stderr
    assert commands.annotation(HEAL_REQUESTED_ANNOTATION) is None


def test_a_suspended_repository_is_pointed_out(commands: Commands) -> None:
    """The request is made, and a hint says that nothing is written until the repository is resumed."""
    commands.store(suspend=True)

    result = commands.run("heal", "api")

    assert result.exit_code == 0
    assert "nothing is written until `nopea resume api -n shop`." in result.stderr
