"""The model of `spec.kustomize`: the field names are those of Kustomize and Flux."""

from __future__ import annotations

import msgspec
import pytest

from nopea.core.api.kustomize import Kustomize

FULL = {
    "namePrefix": "acme-",
    "nameSuffix": "-v2",
    "images": [{"name": "web", "newName": "registry.example/web", "newTag": "2", "digest": "sha256:0"}],
    "patches": [
        {
            "patch": "- op: remove\n  path: /spec/replicas\n",
            "target": {
                "group": "apps", "version": "v1", "kind": "Deployment", "name": "web.*", "namespace": "shop",
                "labelSelector": "app=web", "annotationSelector": "x=y",
            },
        }
    ],
    "components": ["../components/tls"],
    "commonMetadata": {"labels": {"team": "shop"}, "annotations": {"owner": "shop"}},
}  # fmt: skip


def test_all_fields_are_read_and_written_as_kustomize_names_them() -> None:
    """They are on the wire to the renderer."""
    assert msgspec.to_builtins(msgspec.convert(FULL, Kustomize), str_keys=True) == {
        **FULL,
        "images": tuple(FULL["images"]),
        "patches": tuple(FULL["patches"]),
        "components": tuple(FULL["components"]),
    }


@pytest.mark.parametrize("raw", [{"images": [{}]}, {"patches": [{"patch": ""}]}, {"components": [""]}])
def test_what_says_nothing_is_refused(raw: dict[str, object]) -> None:
    """The API server refuses it too."""
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(raw, Kustomize)
