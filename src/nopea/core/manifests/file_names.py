"""What the names of files say: manifests, ignore files, and files of tools that build. Reads nothing."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from nopea.core.manifests.tool import Tool

IGNORE_FILE: Final = ".nopeaignore"
SUFFIXES: Final = (".yaml", ".yml", ".json")
BUILD_FILES: Final[Mapping[str, Tool]] = MappingProxyType(
    {
        "kustomization.yaml": Tool.KUSTOMIZE,
        "kustomization.yml": Tool.KUSTOMIZE,
        "Kustomization": Tool.KUSTOMIZE,
        "Chart.yaml": Tool.HELM,
    }
)
"""Names that make their folder the input of a tool, with the tool. The tools tell case apart."""


_KUSTOMIZATIONS: Final = frozenset(
    name.lower() for name, tool in BUILD_FILES.items() if tool is Tool.KUSTOMIZE
)


def is_misspelt(name: str) -> bool:
    """Whether a name is that of a kustomization in another case, which Kustomize does not read."""
    return name not in BUILD_FILES and name.lower() in _KUSTOMIZATIONS


def is_manifest_name(name: str) -> bool:
    """Whether a name is that of a manifest: its suffix is one of three, in any case, and it is not hidden."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def is_listed(name: str) -> bool:
    """Whether a file with this name matters at all."""
    return is_manifest_name(name) or name == IGNORE_FILE or name in BUILD_FILES or is_misspelt(name)
