"""The package URL (purl) of a commit, which CDEvents calls artifactId. Never contains credentials.

Follows purl-spec 1.0: `pkg:type/namespace/name@version?qualifiers#subpath`, each part percent-encoded.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote, unquote

MAX_PURL: Final = 4096
"""Characters; a longer purl is reduced to the name of the repository and the commit."""
_PURL_TYPES: Final = {
    "github.com": "github",
    "www.github.com": "github",
    "ssh.github.com": "github",
    "bitbucket.org": "bitbucket",
    "www.bitbucket.org": "bitbucket",
    "altssh.bitbucket.org": "bitbucket",
}
"""Hosts with a purl type of their own, which is owner/name in lower case; some have a second name for SSH."""
_DEFAULT_PORTS: Final = {"https": "443", "http": "80", "ssh": "22", "git": "9418"}
_URL: Final = re.compile(r"([a-zA-Z][a-zA-Z0-9+.-]*)://([^/?#]*)([^?#]*)")
_SCP: Final = re.compile(r"(?:[^@/]*@)?(\[[^\]/]*\]|[^:/@\s]+):(.*)", re.DOTALL)
_PORT: Final = re.compile(r"(\[[^\]]*\]|[^:]*)(?::([0-9]*))?\Z")
_LONGEST_NAME: Final = 200


@dataclass(frozen=True, slots=True)
class _Location:
    """Where a repository is; `host` is empty for a local path."""

    host: str
    segments: tuple[str, ...]
    is_path: bool = False


def artifact_id(url: str, commit: str, subpath: str = "") -> str:
    """Return the purl of a commit of the repository that a Git URL names; valid whatever the URL.

    `https`, `ssh` and scp-like URLs of one repository give the same purl: transport, user, default port and
    `.git` are left out. What has no host is `pkg:generic`; a local path goes into `vcs_url`.
    """
    location = _locate(url)
    whole = _known(location, commit) or _generic(location, commit)
    below = "/".join(_encoded(part) for part in _clean(subpath.split("/")))
    if below and len(whole) + len(below) < MAX_PURL:
        return f"{whole}#{below}"
    return whole


def _known(location: _Location, commit: str) -> str | None:
    """Return the purl of a repository on a host; None without host or name, or if it would be too long."""
    if not location.host or not location.segments:
        return None
    purl_type = _PURL_TYPES.get(location.host.rpartition(":")[0] or location.host)
    if purl_type and len(location.segments) == 2:
        where, names = purl_type, tuple(part.lower() for part in location.segments)
    else:
        where, names = "git", (location.host, *location.segments)
    purl = f"pkg:{where}/{'/'.join(map(_encoded, names))}{_version(commit)}"
    return purl if len(purl) <= MAX_PURL else None


def _generic(location: _Location, commit: str) -> str:
    """Return the generic purl."""
    name = (location.segments[-1:] or (location.host,))[0][:_LONGEST_NAME] or "repository"
    purl = f"pkg:generic/{_encoded(name)}{_version(commit)}"
    if not location.is_path or not location.segments:
        return purl
    vcs_url = f"git+file:///{'/'.join(map(_encoded, location.segments))}@{commit}"
    full = f"{purl}?vcs_url={_encoded(vcs_url)}"
    return full if len(full) <= MAX_PURL else purl


def _locate(url: str) -> _Location:
    found = _URL.match(url)
    if found is not None:
        scheme, authority, path = found[1].lower(), found[2], found[3]
        segments = _without_suffix(_clean(unquote(path).split("/")))
        if scheme == "file":
            return _Location("", segments, is_path=True)
        return _Location(_host(authority.rpartition("@")[2], scheme), segments)
    scp = _SCP.match(url)
    if scp is not None:
        first, separator, rest = scp[2].partition("/")
        # user:password@host/path is not a URL, but people write it: the password must not become a folder
        path = f"{first.rpartition('@')[2]}{separator}{rest}"
        return _Location(_without_dots(scp[1]), _without_suffix(_clean(path.split("/"))))
    # anything else but a path may hold a user's password before an @: only its last part is used
    is_path = url.startswith(("/", "."))
    return _Location("", _without_suffix(_clean(url.rpartition("@")[2].split("/"))), is_path=is_path)


def _host(authority: str, scheme: str) -> str:
    """Return host and port in lower case, without a port that goes without saying; empty for neither."""
    found = _PORT.match(authority)
    if found is None:
        return ""
    host, port = _without_dots(found[1]), found[2] or ""
    return f"{host}:{port}" if host and port and port != _DEFAULT_PORTS.get(scheme) else host


def _without_dots(host: str) -> str:
    """Return the host in lower case; the dot of the root zone is left out, and dots alone name no host."""
    return host.lower().strip(".")


def _clean(parts: Iterable[str]) -> tuple[str, ...]:
    """Return the segments of a path; `..` takes the one before it away, and never leads out."""
    kept: list[str] = []
    for part in parts:
        if part == "..":
            kept = kept[:-1]
        elif part not in ("", "."):
            kept.append(part)
    return tuple(kept)


def _without_suffix(segments: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out `.git`, which hosts add as they like."""
    if not segments or not segments[-1].removesuffix(".git"):
        return segments
    return (*segments[:-1], segments[-1].removesuffix(".git"))


def _version(commit: str) -> str:
    return f"@{_encoded(commit)}" if commit else ""


def _encoded(text: str) -> str:
    """Percent-encode all but what purl leaves as it is: letters, digits, `.-_~` and the colon."""
    return quote(text, safe=":", errors="replace")
