"""What a cluster can do, as templates of charts see it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """The version, such as `v1.36.0`, and what is served: `apps/v1` and `apps/v1/Deployment`, sorted.

    Empty where no cluster was asked: then the renderer's own defaults count.
    """

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


UNKNOWN = Capabilities()
