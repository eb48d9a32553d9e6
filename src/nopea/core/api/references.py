"""References of a spec to ConfigMaps and Secrets."""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from nopea.core.api.model import Model

# Patterns end in \Z, not $: Python's $ also matches before a last newline, the API server's does not.
NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z"
Name = Annotated[str, Meta(min_length=1, max_length=253, pattern=NAME)]


class SecretReference(Model, frozen=True, kw_only=True):
    """A Secret in the GitRepository's own namespace."""

    name: Annotated[Name, Meta(description="Name of the Secret.")]


class ReferenceKind(enum.StrEnum):
    """The kinds that can be referred to."""

    CONFIG_MAP = "ConfigMap"
    SECRET = "Secret"


class ValuesReference(Model, frozen=True, kw_only=True):
    """A ConfigMap or Secret in the namespace of the GitRepository. It is read as its service account."""

    kind: Annotated[ReferenceKind, Meta(description="ConfigMap or Secret.")]
    name: Annotated[str, Meta(min_length=1, max_length=253, pattern=NAME, description="Its name.")]
    optional: Annotated[bool, Meta(description="It may be missing.")] = False


class HelmValuesReference(ValuesReference, frozen=True, kw_only=True):
    """A key of a ConfigMap or Secret that has values of a chart, as YAML."""

    values_key: Annotated[
        str, Meta(min_length=1, max_length=253, description="The key that has the values.")
    ] = "values.yaml"
