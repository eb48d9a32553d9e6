"""The model of `spec.kustomize`: what is changed in a rendering, as in a Kustomization of Flux."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from nopea.core.api.model import Model

LabelValue = Annotated[str, Meta(max_length=63)]
AnnotationValue = Annotated[str, Meta(max_length=1024)]


class KustomizeImage(Model, frozen=True, kw_only=True):
    """A name, tag or digest to set in all containers with an image."""

    name: Annotated[str, Meta(min_length=1, max_length=255, description="Image in the manifests.")]
    new_name: Annotated[str, Meta(max_length=255, description="Name that replaces it.")] | None = None
    new_tag: Annotated[str, Meta(max_length=128, description="Tag that replaces its tag.")] | None = None
    digest: Annotated[str, Meta(max_length=128, description="Digest that replaces its tag.")] | None = None


class PatchTarget(Model, frozen=True, kw_only=True):
    """The objects that a patch changes."""

    group: Annotated[str, Meta(max_length=253, description="API group.")] | None = None
    version: Annotated[str, Meta(max_length=63, description="API version.")] | None = None
    kind: Annotated[str, Meta(max_length=63, description="Kind.")] | None = None
    name: Annotated[str, Meta(max_length=253, description="Name, as a regular expression.")] | None = None
    namespace: (
        Annotated[str, Meta(max_length=63, description="Namespace, as a regular expression.")] | None
    ) = None
    label_selector: Annotated[str, Meta(max_length=256, description="Selector of labels.")] | None = None
    annotation_selector: (
        Annotated[str, Meta(max_length=256, description="Selector of annotations.")] | None
    ) = None


class KustomizePatch(Model, frozen=True, kw_only=True):
    """A strategic merge patch or a JSON patch (RFC 6902)."""

    patch: Annotated[str, Meta(min_length=1, max_length=8192, description="The patch, in YAML or JSON.")]
    target: (
        Annotated[
            PatchTarget,
            Meta(description="Objects that the patch changes. Defaults to the one that the patch names."),
        ]
        | None
    ) = None


class CommonMetadata(Model, frozen=True, kw_only=True):
    """Metadata of all objects."""

    labels: (
        Annotated[dict[str, LabelValue], Meta(max_length=32, description="Labels of all objects.")] | None
    ) = None
    annotations: (
        Annotated[dict[str, AnnotationValue], Meta(max_length=32, description="Annotations of all objects.")]
        | None
    ) = None


class Kustomize(Model, frozen=True, kw_only=True):
    """Changes on top of the kustomization in path."""

    name_prefix: Annotated[str, Meta(max_length=200, description="Prefix of all names.")] | None = None
    name_suffix: Annotated[str, Meta(max_length=200, description="Suffix of all names.")] | None = None
    images: Annotated[tuple[KustomizeImage, ...], Meta(max_length=32, description="Images to replace.")] = ()
    patches: Annotated[
        tuple[KustomizePatch, ...], Meta(max_length=12, description="Patches of the rendered objects.")
    ] = ()
    components: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=1024)], ...],
        Meta(max_length=16, description="Folders of components, relative to path."),
    ] = ()
    common_metadata: (
        Annotated[CommonMetadata, Meta(description="Labels and annotations of all objects.")] | None
    ) = None
