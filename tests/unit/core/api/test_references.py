"""References to ConfigMaps and Secrets."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.references import HelmValuesReference, ReferenceKind, ValuesReference


def test_a_reference_must_exist_by_default() -> None:
    """The key of values has the name that Flux gives it."""
    found = msgspec.convert({"kind": "Secret", "name": "shop"}, HelmValuesReference)

    assert (found.kind, found.optional, found.values_key) == (ReferenceKind.SECRET, False, "values.yaml")


@pytest.mark.parametrize(
    "raw", [{"kind": "Pod", "name": "x"}, {"kind": "Secret", "name": "../x"}, {"name": "x"}]
)
def test_only_names_of_config_maps_and_secrets_are_read(raw: dict[str, str]) -> None:
    """A name becomes a part of a path."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, ValuesReference)
