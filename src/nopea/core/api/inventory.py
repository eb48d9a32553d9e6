"""The model of `Inventory`: the record of a GitRepository with many objects."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from nopea.core.api.entries import Count
from nopea.core.api.model import Model
from nopea.core.api.references import Name
from nopea.core.api.rules import RULES

MAX_INLINE_INVENTORY = 100
"""The most objects whose record is in the status."""

MAX_INVENTORY_CHUNK = 1000

_IMMUTABLE = (
    {"rule": "self == oldSelf", "message": "is immutable; delete the Inventory and create it again"},
)


class InventorySpec(Model, frozen=True, kw_only=True):
    """A part of the inventory of a GitRepository with more than 100 objects."""

    repository: Annotated[
        Name,
        Meta(
            description="Name of the GitRepository, in the same namespace.",
            extra_json_schema={RULES: _IMMUTABLE},
        ),
    ]
    index: Annotated[
        Count, Meta(description="Number of this part, from 0.", extra_json_schema={RULES: _IMMUTABLE})
    ]
    objects: Annotated[
        str,
        Meta(
            max_length=500_000,
            description="Record of the objects of this part, up to 1000, packed: the name of each, "
            "the hash of the manifest that was applied, the hash of the fields that "
            "Nopea owned right after applying, and the commit.",
        ),
    ] = ""
