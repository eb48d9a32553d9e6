"""What a rendering gets from the cluster."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.api.references import ReferenceKind
from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.manifests.inputs import (
    UNKNOWN,
    InputReference,
    RenderInputs,
    references_of,
    refers_to_cluster,
    transforms,
)

DECRYPTION = {"provider": "sops", "secretRef": {"name": "keys"}}
REFERENCE = {"kind": "ConfigMap", "name": "shop"}


@pytest.mark.parametrize(
    ("spec", "refers", "changes"),
    [
        ({}, False, False),
        ({"substitute": {}}, False, True),
        ({"substituteFrom": [REFERENCE]}, True, True),
        ({"decryption": DECRYPTION}, True, True),
        ({"helm": {"valuesFrom": [REFERENCE]}}, True, False),
        ({"helm": {"values": {"a": 1}}}, False, False),
        ({"kustomize": {"namePrefix": "x-"}}, False, True),
    ],
)
def test_the_spec_says_what_is_read_and_what_is_changed(
    spec: dict[str, Any], refers: bool, changes: bool
) -> None:
    """What refers to the cluster may change without a commit."""
    parsed = parse_spec({"url": "https://git.acme.example/shop.git", **spec})
    assert isinstance(parsed, GitRepositorySpec)

    assert (refers_to_cluster(parsed), transforms(parsed)) == (refers, changes)


def test_references_are_named_once_and_keys_are_apart() -> None:
    """One Secret can be read in two ways."""
    spec = parse_spec(
        {
            "url": "https://git.acme.example/shop.git",
            "substituteFrom": [REFERENCE, {"kind": "Secret", "name": "keys", "optional": True}],
            "helm": {"valuesFrom": [REFERENCE, {**REFERENCE, "valuesKey": "more.yaml"}]},
            "decryption": DECRYPTION,
        }
    )
    assert isinstance(spec, GitRepositorySpec)

    assert references_of(spec) == {
        InputReference(ReferenceKind.CONFIG_MAP, "shop"),
        InputReference(ReferenceKind.SECRET, "keys"),
        InputReference(ReferenceKind.SECRET, "keys", is_key=True),
    }


def test_inputs_do_not_print() -> None:
    """They hold private keys."""
    inputs = RenderInputs(
        age=("canary",), pgp=("canary",), variables={"a": "canary"}, values={"b": b"canary"}
    )

    assert "canary" not in repr(inputs)


def test_without_a_cluster_nothing_is_known() -> None:
    """The renderer's defaults count."""
    assert (UNKNOWN.kube_version, UNKNOWN.api_versions) == ("", ())
