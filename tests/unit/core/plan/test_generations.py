"""Which objects another generation replaces."""

from __future__ import annotations

import pytest

from nopea.core.objects import ObjectKey
from nopea.core.plan.generations import replaced_in

OLD = ObjectKey("", "ConfigMap", "shop", "settings-h29d89cmmt")
NEW = ObjectKey("", "ConfigMap", "shop", "settings-6gtghh96k8")


def test_another_hash_replaces_an_object() -> None:
    """Also several generations at once, as after a while of failed syncs."""
    older = ObjectKey("", "ConfigMap", "shop", "settings-2b7f9k4m8c")

    assert replaced_in([NEW], [OLD, older]) == {OLD, older}


@pytest.mark.parametrize(
    "declared",
    [
        ObjectKey("", "Secret", "shop", NEW.name),
        ObjectKey("", "ConfigMap", "other", NEW.name),
        ObjectKey("", "ConfigMap", "shop", "more-settings-6gtghh96k8"),
        ObjectKey("", "ConfigMap", "shop", "settings"),
        ObjectKey("", "ConfigMap", "shop", "settings-production"),
        ObjectKey("", "ConfigMap", "shop", "settings-6gtghh96k"),
    ],
)
def test_another_object_replaces_nothing(declared: ObjectKey) -> None:
    """Kind, namespace and the name before the hash must be the same."""
    assert replaced_in([declared], [OLD]) == set()


def test_only_generators_make_generations() -> None:
    """A name that looks like one is a name."""
    old, new = (ObjectKey("apps", "Deployment", "shop", each.name) for each in (OLD, NEW))

    assert replaced_in([new], [old]) == set()
