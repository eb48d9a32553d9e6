"""The model of Inventory."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.inventory import InventorySpec


def test_a_part_has_its_repository_and_number() -> None:
    """The wire names are those of the CRD."""
    spec = InventorySpec(repository="web", index=1, objects="packed")

    assert msgspec.to_builtins(spec) == {"repository": "web", "index": 1, "objects": "packed"}


@pytest.mark.parametrize("changes", [{"repository": "Web"}, {"index": -1}, {"objects": "x" * 500_001}])
def test_other_values_are_refused(changes: dict[str, object]) -> None:
    """As the API server refuses them."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"repository": "web", "index": 0, **changes}, InventorySpec)
