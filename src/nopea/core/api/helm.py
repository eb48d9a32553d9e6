"""The model of `spec.helm`: how a chart is rendered, as in a HelmRelease of Flux."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nopea.core.api.model import Model
from nopea.core.api.references import HelmValuesReference, SecretReference
from nopea.core.api.rules import CHART_RULES, RULES

_FILE = Annotated[str, Meta(min_length=1, max_length=512)]


class Helm(Model, frozen=True, kw_only=True):
    """How a chart is rendered."""

    chart: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=512,
                description="Folder of the chart, relative to the root of the repository, or a chart "
                "elsewhere: oci://HOST/PATH/NAME in a registry, https://REPOSITORY/NAME in a chart "
                "repository, or the https URL of a .tgz file. Defaults to path.",
                extra_json_schema={RULES: CHART_RULES},
            ),
        ]
        | None
    ) = None
    version: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=128,
                description="Version of a chart elsewhere, or a range, such as ^1.2. Nopea follows the "
                "highest version in it. Defaults to the highest that is not a pre-release.",
            ),
        ]
        | None
    ) = None
    digest: (
        Annotated[
            str,
            Meta(
                max_length=71,
                pattern=r"^sha256:[0-9a-f]{64}\Z",
                description="Digest that a chart elsewhere must have. The digest of the applied chart is in "
                "status.chart.",
            ),
        ]
        | None
    ) = None
    secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="Secret with the login for a chart elsewhere: of the type "
                "kubernetes.io/dockerconfigjson, or with username and password, and ca.crt."
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
