"""What a rendering refers to beside its repository. Pure."""

from __future__ import annotations

import enum
import hashlib
import re
from dataclasses import dataclass, field

from nopea.core.secret import mask_url

FOLDER = ".git/remotes/"
"""Where the renderer sees what was fetched: no repository can have this folder itself."""
OCI = "oci://"
_HTTPS = "https://"
_ARCHIVE = ".tgz"
_PLACE = re.compile(r"(oci|https)://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9._~%+/-]*)?")
_NAME = re.compile(r"[A-Za-z0-9._-]*")


class RemoteKind(enum.StrEnum):
    """What is referred to; the renderer uses the same words."""

    CHART = "chart"
    BASE = "base"


@dataclass(frozen=True, slots=True)
class RemoteItem:
    """A chart, or the base of a kustomization, that lies elsewhere.

    `place` is the chart repository (`https://…`, `oci://…`) or the URL of the chart's archive, which has no
    `name`; of a base, it is the reference as it is written. `version` is a range where the spec names the
    chart, and exact where Chart.lock does. `source` says where the reference is, for errors.
    """

    kind: RemoteKind
    place: str
    name: str = ""
    version: str = ""
    is_locked: bool = False
    source: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        """How the renderer names it."""
        if self.kind is RemoteKind.BASE:
            return self.place
        return f"{self.place}|{self.name}|{self.version}"

    @property
    def folder(self) -> str:
        """The folder in which the renderer sees it."""
        return FOLDER + hashlib.sha256(self.key.encode()).hexdigest()[:16]

    @property
    def is_readable(self) -> bool:
        """Whether a chart's place and name can be parts of a URL: somebody wrote them into a file in Git."""
        if self.kind is RemoteKind.BASE:
            return True
        return bool(_PLACE.fullmatch(self.place)) and bool(_NAME.fullmatch(self.name))

    def __str__(self) -> str:
        """Print it as users know it, without its version and without credentials."""
        return mask_url(f"{self.place}/{self.name}" if self.name else self.place)


def is_remote_chart(chart: str | None) -> bool:
    """Return whether the text names a chart elsewhere, not a folder of the repository."""
    return chart is not None and chart.startswith((OCI, _HTTPS))


def chart_item(chart: str, version: str) -> RemoteItem:
    """Return the chart that a spec names: `oci://HOST/PATH/NAME`, `https://REPOSITORY/NAME` or an archive."""
    text = chart.rstrip("/")
    if text.startswith(_HTTPS) and text.endswith(_ARCHIVE):
        return RemoteItem(RemoteKind.CHART, text, version=version, source="spec.helm.chart")
    place, _, name = text.rpartition("/")
    return RemoteItem(RemoteKind.CHART, place, name, version, source="spec.helm.chart")
