"""Recognise what is encrypted or not there, so that it is never taken for what it stands for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from nopea.core.git.source import ParsedFile
from nopea.core.problem import Code, Problem

LFS_POINTER = b"version https://git-lfs.github.com/spec/"
"""How the file begins that stands for one in Git LFS."""

_STARTS = (
    (b"\0GITCRYPT", "git-crypt"),
    (b"$ANSIBLE_VAULT;", "Ansible Vault"),
    (b"age-encryption.org/", "age"),
    (b"-----BEGIN AGE ENCRYPTED FILE-----", "age"),
    (b"-----BEGIN PGP MESSAGE-----", "PGP"),
    (b"U2FsdGVkX1", "OpenSSL or transcrypt"),
)
_BOM = b"\xef\xbb\xbf"
_SOPS_LINE = re.compile(rb"^sops_mac\s*=", re.MULTILINE)
"""In the dotenv format of SOPS; in a manifest, such a line would be indented."""


_OTHER_WAY = (
    "Exclude the file with spec.exclude or .nopeaignore, and create its objects in another way, for example "
    "with Sealed Secrets or External Secrets."
)
_HINTS = {"SOPS": f"Set spec.decryption with the private key. {_OTHER_WAY}"}


def encrypted_file(raw: bytes) -> Problem | None:
    """Return the problem of a file that is encrypted as a whole."""
    start = raw[:256].removeprefix(_BOM).lstrip(b" \t\r\n")
    tool = next((tool for begin, tool in _STARTS if start.startswith(begin)), "")
    if not tool and b"sops_mac" in raw and _SOPS_LINE.search(raw):
        tool = "SOPS"
    return encrypted_with(tool, what="file", source="") if tool else None


def is_sops(value: Any) -> bool:
    """Whether a document was encrypted with SOPS, which adds a mapping with a checksum."""
    if not isinstance(value, Mapping):
        return False
    added = value.get("sops")
    return "sops_mac" in value or (isinstance(added, Mapping) and "mac" in added)


def encrypted_with(tool: str, *, what: str, source: str) -> Problem:
    """Return the problem of a `file` or `document` that was encrypted with a tool."""
    return Problem(
        code=Code.ENCRYPTED,
        message=f"The {what} is encrypted with {tool}. Nopea does not apply it.",
        hint=_HINTS.get(tool, _OTHER_WAY),
        source=source,
    )


def is_encrypted(file: ParsedFile) -> bool:
    """Return whether a parsed file is encrypted, in whole or in part."""
    return any(problem.code is Code.ENCRYPTED for problem in file.problems)
