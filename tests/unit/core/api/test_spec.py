"""How the model of the spec reads what the API server stores."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.spec import GitRepositorySpec, HealPolicy

URL = "https://git.example/acme/web"


def test_defaults_are_those_of_the_server() -> None:
    """A spec that was stored before a default existed is read as if the server had set it."""
    spec = msgspec.convert({"url": URL, "ref": {"branch": "main"}}, GitRepositorySpec)

    assert (spec.interval, spec.timeout, spec.prune, spec.path) == ("5m", "5m", True, "")
    assert (spec.retry_interval, spec.prune_limit, spec.wait) == (None, "25%", False)
    assert spec.heal_policy is HealPolicy.AUTO


@pytest.mark.parametrize("limit", [0, 7, "0%", "100%"])
def test_the_limit_of_a_prune_is_a_number_or_a_percentage(limit: int | str) -> None:
    """It is read as it is written."""
    assert msgspec.convert({"url": URL, "pruneLimit": limit}, GitRepositorySpec).prune_limit == limit


def test_fields_of_a_newer_version_are_ignored() -> None:
    """Unknown fields are ignored, so that an older version of Nopea can read newer specs."""
    spec = msgspec.convert({"url": URL, "ref": {"branch": "main"}, "invented": {"a": 1}}, GitRepositorySpec)

    assert spec.url == URL


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ({"url": 5}, "$.url"),
        ({"url": URL, "interval": "5m\n"}, "$.interval"),
        ({"url": URL, "secretRef": {"name": "Git"}}, "$.secretRef.name"),
        ({"url": URL, "dependsOn": [{"name": "infra"}, {}]}, "$.dependsOn[1]"),
        ({"url": URL, "healPolicy": "never"}, "$.healPolicy"),
        ({"url": URL, "ref": {"commit": "abc"}}, "$.ref.commit"),
        ({"url": URL, "retryInterval": "soon"}, "$.retryInterval"),
        ({"url": URL, "pruneLimit": -1}, "$.pruneLimit"),
        ({"url": URL, "pruneLimit": "101%"}, "$.pruneLimit"),
        ({"url": URL, "pruneLimit": True}, "$.pruneLimit"),
    ],
)
def test_an_error_names_the_field(raw: dict[str, object], path: str) -> None:
    """The error contains the path of the invalid field."""
    with pytest.raises(msgspec.ValidationError) as error:
        msgspec.convert(raw, GitRepositorySpec)

    assert f"`{path}`" in str(error.value)
