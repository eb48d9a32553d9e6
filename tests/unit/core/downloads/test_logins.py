"""Which login a Secret gives, and to whom it is sent."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from nopea.core.downloads.logins import DOCKER_CONFIG, Logins, parse_logins
from nopea.core.problem import Problem

CHART = "oci://registry.example:5000/charts/shop"


def secret(type_: str = "Opaque", **data: str) -> dict[str, Any]:
    """Return a Secret."""
    return {
        "type": type_,
        "data": {name: base64.b64encode(text.encode()).decode() for name, text in data.items()},
    }


def docker(auths: Any) -> dict[str, Any]:
    """Return a Secret as `kubectl create secret docker-registry` makes it."""
    return secret(DOCKER_CONFIG, **{".dockerconfigjson": json.dumps({"auths": auths})})


def logins(given: dict[str, Any], *, chart: str = CHART) -> Logins:
    """Return what a valid Secret gives."""
    found = parse_logins(given, name="registry", chart=chart)
    assert isinstance(found, Logins), found
    return found


def test_a_login_is_for_the_host_of_the_chart_only() -> None:
    """Another port is another host."""
    found = logins(secret(username="robot", password="hunter2"))

    assert found.at("https://registry.example:5000/v2/charts/shop/tags/list").username == "robot"
    for other in (
        "https://registry.example/v2/",
        "https://evil.example:5000/",
        "https://registry.example:5001/",
    ):
        assert not found.at(other).username, other
        assert not found.digest(other)


def test_the_host_of_a_docker_configuration_is_the_secrets_own() -> None:
    """Docker Hub has several names."""
    auth = base64.b64encode(b"robot:hunter2").decode()
    found = logins(
        docker(
            {
                "https://index.docker.io/v1/": {"auth": auth},
                "ghcr.example": {"username": "cat", "password": "p:w"},
            }
        )
    )

    assert found.at("https://registry-1.docker.io/v2/").password.reveal() == b"hunter2"
    assert found.at("oci://ghcr.example/charts").password.reveal() == b"p:w"
    assert not found.at("https://registry.example:5000/").username


@pytest.mark.parametrize(
    "auths",
    [
        None,
        [],
        {"host": {"auth": "%%%"}},
        {"host": "x"},
        {"host": {"auth": 3}},
        {"host": {"username": 5, "password": "x"}},
    ],
)
def test_a_broken_docker_configuration_is_said(auths: Any) -> None:
    """The error names the key."""
    found = parse_logins(docker(auths), name="registry", chart=CHART)

    assert isinstance(found, Problem)
    assert ".dockerconfigjson" in found.message


def test_a_secret_of_another_type_is_refused() -> None:
    """It was not made for this."""
    found = parse_logins(
        secret("kubernetes.io/service-account-token", token="t"), name="registry", chart=CHART
    )

    assert isinstance(found, Problem)


def test_nothing_in_it_prints() -> None:
    """Neither the name nor the password."""
    found = logins(secret(username="robot", password="hunter2"))

    assert "hunter2" not in repr(found)
    assert "robot" not in repr(found)


@pytest.mark.parametrize("chart", ["", "charts/shop"])
def test_a_login_without_a_host_is_refused(chart: str) -> None:
    """For dependencies of a chart in Git, the Secret must have the host."""
    found = parse_logins(secret(username="robot", password="hunter2"), name="registry", chart=chart)

    assert isinstance(found, Problem)
    assert "docker-registry" in found.hint
    assert isinstance(parse_logins(docker({"r.example": {"auth": ""}}), name="x", chart=chart), Logins)


def test_an_authority_of_ones_own_is_not_shared() -> None:
    """What is fetched under it could be anybody's."""
    assert Logins(ca_crt="x").digest("https://r.example") != Logins().digest("https://r.example")
