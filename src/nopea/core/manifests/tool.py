"""The tools whose input a folder can be."""

from __future__ import annotations

import enum


class Tool(enum.StrEnum):
    """How a folder is rendered. PLAIN manifests are rendered only if they are decrypted or have variables."""

    KUSTOMIZE = "kustomize"
    HELM = "helm"
    PLAIN = "plain"
