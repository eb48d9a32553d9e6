"""The model of `spec.helm`: the field names are those of Flux."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.helm import Helm

FULL = {
    "chart": "charts/shop",
    "releaseName": "shop",
    "values": {"replicas": 3, "image": {"tag": "1"}, "hosts": ["a"]},
    "valuesFiles": ["environments/prod.yaml"],
    "includeCRDs": False,
    "kubeVersion": "v1.36.0",
    "apiVersions": ["monitoring.coreos.com/v1"],
}


def test_all_fields_are_read_and_written() -> None:
    """Values keep their types."""
    found = msgspec.convert(FULL, Helm)

    assert found.values == FULL["values"]
    assert msgspec.json.decode(msgspec.json.encode(found)) == FULL


def test_definitions_are_included_by_default() -> None:
    """As `helm install` does."""
    assert Helm().include_crds


@pytest.mark.parametrize(
    "raw", [{"releaseName": "A"}, {"releaseName": "a" * 54}, {"kubeVersion": "latest"}, {"valuesFiles": [""]}]
)
def test_what_helm_would_refuse_is_refused(raw: dict[str, object]) -> None:
    """The API server refuses it too."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Helm)
