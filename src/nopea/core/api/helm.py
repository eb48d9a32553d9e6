"""The model of `spec.helm`: how a chart is rendered, as in a HelmRelease of Flux."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nopea.core.api.model import Model
from nopea.core.api.references import HelmValuesReference

_FILE = Annotated[str, Meta(min_length=1, max_length=512)]


class Helm(Model, frozen=True, kw_only=True):
    """How a chart is rendered."""

    chart: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=512,
                description="Folder of the chart, relative to the root of the repository. Defaults to path.",
            ),
        ]
        | None
    ) = None
    release_name: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=53,
                pattern=r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z",
                description="Name of the release. Defaults to the name of the GitRepository.",
            ),
        ]
        | None
    ) = None
    values: (
        Annotated[
            dict[str, Any],
            Meta(max_length=256, description="Values of the chart. They override those of valuesFiles."),
        ]
        | None
    ) = None
    values_files: Annotated[
        tuple[_FILE, ...],
        Meta(
            max_length=16,
            description="Files with values, relative to the root of the repository. A later file overrides "
            "an earlier one.",
        ),
    ] = ()
    values_from: Annotated[
        tuple[HelmValuesReference, ...],
        Meta(
            max_length=8,
            description="ConfigMaps and Secrets with values. They override those of valuesFiles, and values "
            "overrides them.",
        ),
    ] = ()
    include_crds: Annotated[
        bool, Meta(description="Apply the definitions in the crds folder of the chart too.")
    ] = msgspec.field(default=True, name="includeCRDs")
    kube_version: (
        Annotated[
            str,
            Meta(
                max_length=32,
                pattern=r"^v?[0-9]+\.[0-9]+(\.[0-9]+)?\Z",
                description="Version of Kubernetes that templates see. Defaults to that of the cluster.",
            ),
        ]
        | None
    ) = None
    api_versions: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...],
        Meta(max_length=16, description="API versions that templates see besides those of the cluster."),
    ] = ()
