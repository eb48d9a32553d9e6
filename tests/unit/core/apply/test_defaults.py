"""Which values the API server sets itself."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.apply.defaults import is_default


@pytest.mark.parametrize(
    ("name", "value", "inside", "expected"),
    [
        ("replicas", 1, None, True),
        ("replicas", True, None, False),
        ("replicas", 3, None, False),
        ("securityContext", {}, None, True),
        ("securityContext", {"runAsUser": 1}, None, False),
        ("emptyDir", {}, None, False),
        ("strategy", {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": "25%"}}, None, True),
        ("strategy", {"type": "Recreate"}, None, False),
        ("targetPort", 80, {"port": 80, "targetPort": 80}, True),
        ("targetPort", "http", {"port": 80, "targetPort": "http"}, False),
        ("colour", "blue", None, False),
    ],
)
def test_defaults_are_known_by_name_and_value(name: str, value: Any, inside: Any, expected: bool) -> None:
    """A struct is a default if all of its fields are; a value of another type is none."""
    assert is_default(name, value, inside=inside) is expected
