"""The configuration of the API server and the user."""

from __future__ import annotations

from nopea.core.secret import Secret
from nopea.kube.config import ClusterConfig, ExecPlugin, User


def test_printing_a_configuration_shows_no_secret() -> None:
    """Tokens, keys, passwords and the environment of a plugin are masked."""
    plugin = ExecPlugin(api_version="v1", command="login", env=(("TOKEN", Secret("hunter2")),))
    user = User(
        token=Secret("hunter2"),
        certificate=Secret("hunter2"),
        key=Secret("hunter2"),
        username="ann",
        password=Secret("hunter2"),
        exec=plugin,
    )

    assert "hunter2" not in repr(ClusterConfig(server="https://a", user=user, ca=Secret("hunter2")))


def test_the_defaults_are_safe() -> None:
    """By default certificates are verified, and the namespace is `default`."""
    config = ClusterConfig(server="https://a")

    assert (config.insecure, config.namespace, config.user) == (False, "default", User())
