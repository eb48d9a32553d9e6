"""Which repositories a delivery concerns: by URL, by branch or tag, by changed files.

In doubt it concerns a repository: that costs one request to Git; the opposite mistake costs a poll interval.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache

from nopea.core.api.repository import ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.semver import Range, parse_version
from nopea.core.git.source import Ref, RefKind
from nopea.core.webhooks.delivery import Delivery, PushedRefKind, RefChange, split_ref

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_SCP = re.compile(r"(?P<host>[^/@]*@(?:\[[^\]/]*\]|[^/@:]*)):(?P<path>.*)", re.DOTALL)
_MANY_CHANGES = 200
"""Refs that are compared with each of thousands of repositories; a delivery with more concerns all."""


_SSH_HOSTS = {
    "ssh.github.com": "github.com",
    "altssh.gitlab.com": "gitlab.com",
    "altssh.bitbucket.org": "bitbucket.org",
}
"""Hosts that serve SSH on port 443, by the host of all other URLs."""

_AZURE = "dev.azure.com"
_AZURE_SSH_HOSTS = ("ssh.dev.azure.com", "vs-ssh.visualstudio.com")
_AZURE_SSH_PATH = re.compile(r"v3/([^/\s]+)/([^/]+)/([^/]+)", re.IGNORECASE)
_AZURE_OLD_HOST = re.compile(r"([a-z0-9-]+)\.visualstudio\.com")
_AZURE_COLLECTION = re.compile(r"DefaultCollection/", re.IGNORECASE)
_DATA_CENTER_PATH = re.compile(r"scm/([\w~.-]+/[^/]+)", re.IGNORECASE)


def normalise_url(url: str) -> str:
    """Return `host/path`, which all URLs of a repository share; accepts any string, and is idempotent.

    Scheme, user, port, query, fragment, a trailing `/` and a trailing `.git` are removed; the host is
    lower-case. Where a provider has several hosts or paths for a repository, it is one of them.
    """
    rest = url.strip()
    if scheme := _SCHEME.match(rest):
        rest = rest[scheme.end() :]
    elif scp := _SCP.fullmatch(rest):
        rest = f"{scp['host']}/{scp['path']}"
    rest = re.split(r"[?#]", rest, maxsplit=1)[0]
    authority, _, path = rest.partition("/")
    host = _without_port(authority.rpartition("@")[2].lstrip()).lower()
    host, path = _usual(host, _without_suffix(path))
    return f"{host}/{path}".rstrip("/")


def _usual(host: str, path: str) -> tuple[str, str]:
    """Return the host and path that stand for all of a provider's URLs of one repository."""
    if host in _AZURE_SSH_HOSTS:
        parts = _AZURE_SSH_PATH.fullmatch(path)
        if parts is None:
            return host, path
        host, path = _AZURE, f"{parts[1]}/{parts[2]}/_git/{parts[3]}"
    elif old := _AZURE_OLD_HOST.fullmatch(host):
        host, path = _AZURE, f"{old[1]}/{_AZURE_COLLECTION.sub('', path, count=1)}"
    if host == _AZURE or "/_git/" in f"/{path}":  # the latter on an Azure DevOps Server
        return host, _without_default_project(path)
    if parts := _DATA_CENTER_PATH.fullmatch(path):  # only HTTP URLs of Bitbucket Data Center have it
        path = parts[1]
    return _SSH_HOSTS.get(host, host), path


def _without_default_project(path: str) -> str:
    """Azure DevOps: the project may be left out for the repository with its name."""
    above, git, name = path.rpartition("/_git/")
    end = f"/{name}".casefold()
    while git and f"/{above}".casefold().endswith(end):
        above = above[: -len(end)]
    return f"{above}{git}{name}".removeprefix("/")


def matches_url(spec_url: str, delivery: Delivery) -> bool:
    """Return whether the delivery is about the repository at this URL; case is ignored, as providers do.

    A URL without a host, `/PROJECT/NAME`, is any host's: not all deliveries say which one theirs is.
    """
    name, names = normalise_url(spec_url).casefold(), _names(delivery.urls)
    return name in names or f"/{'/'.join(name.split('/')[-2:])}" in names


def concerns(spec: GitRepositorySpec, delivery: Delivery, *, has_links: bool = False) -> bool:
    """Return whether the delivery may mean a new commit for this repository, whose URL matches.

    With `has_links`, files outside `spec.path` may matter: what links lead to.

    A bare delivery and one with very many refs always may. A deleted ref, a pinned commit, another branch or
    tag, and a push whose files are all outside `spec.path` may not. Of a repository that follows the default
    branch, any branch may if the delivery does not say which one that is.
    """
    if delivery.ignored:
        return False
    if delivery.bare or len(delivery.changes) > _MANY_CHANGES:
        return True
    try:
        ref = ref_of(spec)
    except ValueError:  # an error in the spec, which the next reconciliation reports
        return False
    return any(
        not change.deleted
        and _is_ref(ref, change, delivery)
        and (has_links or _touches(spec.path, change.paths))
        for change in delivery.changes
    )


def concerns_pull_request(spec: GitRepositorySpec, delivery: Delivery) -> bool:
    """Return whether a merge of the pull request would be synced by this repository, whose URL matches.

    That is, whether its base is the branch that the repository follows. Which files it changes is not known.
    """
    if delivery.pull_request is None:
        return False
    merged = RefChange(PushedRefKind.BRANCH, delivery.pull_request.base, None)
    try:
        ref = ref_of(spec)
    except ValueError:  # an error in the spec, which the next reconciliation reports
        return False
    if ref.kind is RefKind.NAME and split_ref(ref.value) is None:
        return False  # it is not a branch
    return _is_ref(ref, merged, delivery)


def _is_ref(ref: Ref, change: RefChange, delivery: Delivery) -> bool:
    match ref.kind:
        case RefKind.HEAD:
            return change.kind is PushedRefKind.BRANCH and delivery.default_branch in ("", change.name)
        case RefKind.BRANCH:
            return change.kind is PushedRefKind.BRANCH and change.name == ref.value
        case RefKind.TAG:
            return change.kind is PushedRefKind.TAG and change.name == ref.value
        case RefKind.SEMVER:
            return change.kind is PushedRefKind.TAG and _is_in(ref.value, change.name)
        case RefKind.NAME:
            return split_ref(ref.value) in ((change.kind, change.name), None)
        case RefKind.COMMIT:
            return False


@lru_cache(maxsize=1_024)  # a delivery is compared with many repositories, mostly with the same ranges
def _is_in(text: str, tag: str) -> bool:
    version = parse_version(tag)
    try:
        return version is not None and Range.parse(text).holds(version)
    except ValueError:  # an error in the spec, which the next reconciliation reports
        return False


def _touches(path: str, changed: frozenset[str] | None) -> bool:
    """Return whether a changed file is in `path`, or replaces one of its parents (a link or submodule)."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if changed is None or not parts:
        return True
    if any("/".join(parts[:depth]) in changed for depth in range(1, len(parts) + 1)):
        return True
    inside = "/".join(parts) + "/"
    names = _in_order(changed)
    place = bisect_left(names, inside)
    return place < len(names) and names[place].startswith(inside)


# A delivery is compared with every repository: results that do not depend on the repository are cached.
@lru_cache(maxsize=8)
def _names(urls: tuple[str, ...]) -> frozenset[str]:
    return frozenset(normalise_url(url).casefold() for url in urls)


@lru_cache(maxsize=8)
def _in_order(paths: frozenset[str]) -> tuple[str, ...]:
    return tuple(sorted(paths))


def _without_port(authority: str) -> str:
    """Return the host. A regular expression would take quadratic time for hostile strings."""
    while True:
        authority = authority.rstrip()
        host, colon, port = authority.rpartition(":")
        if not colon or port.strip("0123456789"):
            return authority
        authority = host


def _without_suffix(path: str) -> str:
    while (shorter := path.strip().strip("/").removesuffix(".git")) != path:
        path = shorter
    return path
