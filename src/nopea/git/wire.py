"""Between the values of `nopea.core.git.source` and the frames' plain data. Pure."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from nopea.core.git.known_hosts import plain_lines
from nopea.core.git.source import (
    Commit,
    Credentials,
    FileEntry,
    FileListing,
    ParsedDocument,
    ParsedFile,
    PathListing,
    Ref,
    Remote,
    Skipped,
    SkipReason,
    is_ssh,
)  # fmt: skip
from nopea.core.problem import Code, Problem
from nopea.git.process import Trust

MIRROR_SUFFIX = ".git"


def mirror_name(remote: Remote) -> str:
    """Return the folder that equal remotes share."""
    key = f"{remote.url}\0{remote.credentials.digest()}"
    if remote.proxy is not None:  # it decides who is asked, so its operations are not shared with others
        key += f"\0{remote.proxy.url()}"
    return hashlib.sha256(key.encode()).hexdigest() + MIRROR_SUFFIX


def trust_of(url: str, credentials: Credentials) -> Trust:
    """Return what a child must trust to talk to the URL; equal values share a child."""
    if is_ssh(url):
        return Trust(known_hosts=plain_lines(credentials.known_hosts, url))
    return Trust(ca_crt=credentials.ca_crt if url.startswith("https:") else "")


def raw_ref(ref: Ref) -> tuple[str, str]:
    """Return a ref as a request carries it."""
    return (ref.kind.value, ref.value)


def raw_address(remote: Remote, *, proxy: str = "") -> dict[str, Any]:
    """Return a remote as a request carries it: the only place where secrets are revealed.

    `proxy` is that of the process, for a remote that has none of its own.
    """
    credentials = remote.credentials
    return {
        "url": remote.url,
        "proxy": remote.proxy.url() if remote.proxy is not None else proxy,
        "has_own_proxy": remote.proxy is not None,
        "username": credentials.username,
        "password": credentials.password.reveal(),
        "token": credentials.token.reveal(),
        "identity": credentials.identity.reveal(),
        "identity_password": credentials.identity_password.reveal(),
    }


def commit_of(answer: dict[str, Any]) -> Commit:
    """Read a commit from an answer."""
    return Commit(
        id=answer["id"],
        author=answer["author"].strip(),
        message=answer["message"].strip(),  # a blank may stand for the \\r of a CRLF
        committed_at=datetime.fromtimestamp(answer["time"], tz=UTC),
        ref=answer["ref"],
    )


def listing_of(answer: dict[str, Any]) -> FileListing:
    """Read a listing from an answer."""
    return FileListing(
        files=tuple(FileEntry(*each) for each in answer["files"]),
        skipped=_skipped(answer),
        has_links=answer["has_links"],
    )


def path_listing_of(answer: dict[str, Any]) -> PathListing:
    """Read what is at paths from an answer."""
    return PathListing(
        files=tuple(FileEntry(*each) for each in answer["files"]),
        folders=tuple(answer["folders"]),
        missing=tuple(answer["missing"]),
        skipped=_skipped(answer),
    )


def _skipped(answer: dict[str, Any]) -> tuple[Skipped, ...]:
    return tuple(Skipped(path, SkipReason(reason), target) for path, reason, target in answer["skipped"])


def parsed_file(raw: dict[str, Any]) -> ParsedFile:
    """Read a parsed file from an answer."""
    return ParsedFile(
        documents=tuple(
            ParsedDocument(index=index, line=line, body=body) for index, line, body in raw["documents"]
        ),
        problems=tuple(
            Problem(code=Code(code), message=message, hint=hint, source=source, object=of)
            for code, message, hint, source, of in raw["problems"]
        ),
    )
