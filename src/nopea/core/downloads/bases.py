"""What a remote reference of a kustomization means, as Kustomize reads it. Pure.

See https://github.com/kubernetes-sigs/kustomize/blob/master/examples/remoteBuild.md
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qsl

from nopea.core.git.source import DEFAULT_BRANCH, Ref, RefKind

_FILE = (".yaml", ".yml", ".json")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_GITHUB = re.compile(r"(?i)^(?:https?://|git::https?://)?github\.com[/:]")
_SCP = re.compile(r"^[A-Za-z0-9_.-]+@[^/]+:")


@dataclass(frozen=True, slots=True)
class GitBase:
    """A folder of a Git repository; `refs` are tried in order. An empty path is the root."""

    url: str
    path: str
    refs: tuple[Ref, ...]


@dataclass(frozen=True, slots=True)
class FileBase:
    """One file of manifests, by https."""

    url: str


def parse_base(text: str) -> GitBase | FileBase | None:
    """Return what a reference means; None for one that is neither a file by https nor a Git repository."""
    is_git = text.strip().startswith("git::")
    text, _, query = text.strip().removeprefix("git::").partition("?")
    asked = dict(parse_qsl(query))
    ref = asked.get("ref") or asked.get("version") or ""
    is_file = text.startswith("https://") and text.endswith(_FILE) and "//" not in text[8:]
    if is_file and not is_git and not ref and "@" not in text.split("/")[2]:
        return FileBase(f"{text}?{query}" if query else text)
    place, path = _split(text)
    if "@" in place.partition("://")[2].partition("/")[0] and not place.startswith("ssh:"):
        return None  # a login in a file of Git
    if not place or any(part == ".." for part in path.split("/")):
        return None
    return GitBase(place, path.strip("/"), _refs(ref))


def _split(text: str) -> tuple[str, str]:
    """Return the URL of the repository and the path in it; an empty URL if there is none."""
    if found := _GITHUB.match(text):
        rest = text[found.end() :]
        organization, _, rest = rest.partition("/")
        name, _, path = rest.partition("/")
        name = name.removesuffix(".git")
        return (f"https://github.com/{organization}/{name}.git", path) if organization and name else ("", "")
    start = _start_of_path(text)
    if start is None:
        return "", ""
    for mark, keep in ((".git/", 4), ("//", 0), ("/_git/", None)):
        at = text.find(mark, start)
        if at < 0:
            continue
        if keep is None:  # Azure DevOps: the segment after it names the repository
            end = text.find("/", at + len(mark))
            return (text, "") if end < 0 else (text[:end], text[end:])
        return text[: at + keep], text[at + len(mark) :]
    return text, ""


def _start_of_path(text: str) -> int | None:
    if "://" in text:
        scheme = text.partition("://")[0]
        return len(scheme) + 3 if scheme in ("https", "http", "ssh") else None
    found = _SCP.match(text)
    return found.end() if found else None


def _refs(ref: str) -> tuple[Ref, ...]:
    """Return what the text may be; Git fetches a tag before a branch of the same name."""
    if not ref:
        return (DEFAULT_BRANCH,)
    if _COMMIT.fullmatch(ref):
        return (Ref(RefKind.COMMIT, ref),)
    if ref.startswith("refs/"):
        return (Ref(RefKind.NAME, ref),)
    return (Ref(RefKind.TAG, ref), Ref(RefKind.BRANCH, ref))
