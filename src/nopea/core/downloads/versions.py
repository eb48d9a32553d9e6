"""Which version of a chart is meant. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from semver import Version

from nopea.core.git.semver import Range, parse_version

_NEWEST = "*"


@dataclass(frozen=True, slots=True)
class ChartVersion:
    """An entry of a chart repository's index: URLs are absolute or relative to the repository.

    `digest` is the SHA-256 of the archive in hex; empty where the index has none.
    """

    version: str
    urls: tuple[str, ...]
    digest: str = ""


def choose(versions: Iterable[str], wanted: str) -> str | None:
    """Return the highest version in a range, or None; without a range, the highest that is not a pre-release.

    Raises ValueError for a range that cannot be read.
    """
    versions = list(versions)
    if wanted in versions and is_exact(wanted):
        return wanted  # with its build metadata, which a range does not look at
    range_ = Range.parse(wanted or _NEWEST)
    best: tuple[Version, str] | None = None
    for text in versions:
        version = parse_version(text)
        if version is not None and range_.holds(version) and (best is None or version > best[0]):
            best = (version, text)
    return best[1] if best else None


def tag_of(version: str) -> str:
    """Return a version as a tag of a registry, which cannot hold a plus (as Helm does)."""
    return version.replace("+", "_")


def version_of(tag: str) -> str:
    """Return the version that a tag means."""
    return tag.replace("_", "+")


def is_exact(version: str) -> bool:
    """Return whether it names one version, so that no list of versions is needed."""
    return version.count(".") >= 2 and parse_version(version) is not None
