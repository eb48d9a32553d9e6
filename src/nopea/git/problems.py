"""Turns the error of a Git child into the error that users read. Pure."""

from __future__ import annotations

import re
from typing import Any

from nopea.core.git.known_hosts import HostKey, host_keys
from nopea.core.git.private_key import is_encrypted
from nopea.core.git.source import DEFAULT_BRANCH, ParsedFile, Ref, Remote
from nopea.core.problem import (
    MOST_RETRY_AFTER_SECONDS,
    Code,
    Problem,
    StalledError,
    SyncError,
    TransientError,
)
from nopea.core.secret import mask_text, mask_url
from nopea.git.process import HOMES
from nopea.git.protocol import TEMPORARY, ErrorKind
from nopea.git.wire import MIRROR_SUFFIX


def error_of(
    kind: ErrorKind, message: str, facts: dict[str, Any], *, remote: Remote, ref: Ref | None
) -> SyncError:
    """Return a StalledError if a user must act, else a TransientError; it never holds a secret."""
    url = mask_url(remote.url)
    detail = _without_places(mask_text(message, *remote.secrets()))
    match kind:
        case ErrorKind.REF_MISSING:
            return _ref_missing(url, detail, facts, ref)
        case ErrorKind.PATH_MISSING:
            return _path_missing(url, detail, facts)
        case ErrorKind.AUTHENTICATION:
            return _authentication(url, detail, remote)
        case ErrorKind.HOST_KEY if facts.get("key"):
            return _host_key(url, HostKey(*facts["key"]), remote)
        case ErrorKind.ADDRESS if facts.get("of") == "proxy":
            return _stalled(
                Code.GIT_ADDRESS_DENIED,
                f"{url}: Nopea may not connect to this proxy: {detail}.",
                "Correct address in the Secret in spec.proxySecretRef, or run Nopea with another "
                "--git-networks.",
            )
        case ErrorKind.UNREACHABLE if remote.proxy is not None or "proxy returned" in detail:
            what, hint = "the Git server cannot be reached through the proxy", f"Check {_proxy(remote)}"
            hint += ", and that the proxy lets Nopea reach the server."
            code = Code.GIT_UNREACHABLE
            return TransientError(Problem(code=code, message=f"{url}: {what}: {detail}.", hint=hint))
        case _:
            code, what, hint = _PLAIN[kind]
            is_stalled = kind in _STALLED
            wait = facts.get("retry_after") or 0.0
            problem = Problem(
                code=code,
                message=f"{url}: {what}: {detail}.",
                hint=hint,
                retry_after_seconds=min(float(wait), MOST_RETRY_AFTER_SECONDS),
                is_stalled=is_stalled and code is Code.GIT_PROTOCOL,  # of the others, the code says it
            )
            return StalledError(problem) if is_stalled else TransientError(problem)


_MIRROR = re.compile(rf"/[^'\"\s]*[0-9a-f]{{64}}{re.escape(MIRROR_SUFFIX)}({re.escape(TEMPORARY)}[\w-]+)?")
_HOME = re.compile(rf"/[^'\"\s]*/{re.escape(HOMES)}/[^/'\"\s]+")
_TEMPORARY_FILE = re.compile(r"_git2_\w+")


def _without_places(text: str) -> str:
    """Return a text of libgit2 or the system without names that differ from one attempt to the next.

    Equal problems are one Event and one entry of the log, and the paths mean nothing to users.
    """
    text = _HOME.sub("the process's home", _MIRROR.sub("the mirror", text))
    return _TEMPORARY_FILE.sub("", text)


def deadly_file(message: str) -> ParsedFile:
    """Return a parsed file without documents, with the reason: every child that parsed it died."""
    problem = Problem(
        code=Code.YAML_LIMIT,
        message=f"The file cannot be parsed: {message}.",
        hint="Split or simplify the file, or exclude it with spec.exclude or .nopeaignore.",
    )
    return ParsedFile(documents=(), problems=(problem,))


def file_url_refused(remote: Remote) -> SyncError:
    """Return the error for a file URL while they are not allowed."""
    return _stalled(
        Code.SPEC_INVALID,
        f"{mask_url(remote.url)}: file URLs are not allowed.",
        "Use an https or ssh URL in spec.url, or start Nopea with --allow-file-urls.",
    )


def known_hosts_missing(remote: Remote) -> SyncError:
    """Return the error for an SSH URL without known_hosts."""
    return _stalled(
        Code.GIT_HOST_KEY,
        f"{mask_url(remote.url)}: the Secret has no known_hosts, so the server's key cannot be verified.",
        "Add the key `known_hosts` to the Secret in spec.secretRef. `ssh-keyscan HOST` prints its lines; "
        "compare them with the fingerprints that the host publishes.",
    )


def identity_missing(remote: Remote) -> SyncError:
    """Return the error for an SSH URL without a private key."""
    return _stalled(
        Code.GIT_AUTHENTICATION,
        f"{mask_url(remote.url)}: SSH needs a private key, and the Secret has none.",
        "Add the key `identity` (a private key) to the Secret in spec.secretRef.",
    )


def _stalled(code: Code, message: str, hint: str) -> StalledError:
    return StalledError(Problem(code=code, message=message, hint=hint))


def _ref_missing(url: str, detail: str, facts: dict[str, Any], ref: Ref | None) -> SyncError:
    similar = ", ".join(str(name) for name in facts.get("similar", ()))
    if ref == DEFAULT_BRANCH:
        what, hint = "default branch", "Set spec.ref.branch, or correct the default branch on the server"
    else:
        what = str(ref) if ref else "such ref"
        hint = f"Correct spec.ref.{ref.kind}" if ref else "Correct spec.ref"
        hint += "" if similar else ", or push it"
    hint += f". The repository has, for example: {similar}." if similar else "."
    return _stalled(Code.GIT_REF_NOT_FOUND, f"{url} has no {what}: {detail}.", hint)


def _path_missing(url: str, detail: str, facts: dict[str, Any]) -> SyncError:
    folders = ", ".join(str(name) for name in facts.get("folders", ()))
    where = f"{facts.get('at')}/" if facts.get("at") else "the repository's root"
    hint = f"Correct spec.path. Folders in {where}: {folders}." if folders else "Correct spec.path."
    return _stalled(Code.GIT_PATH_NOT_FOUND, f"{url}: {detail} at this commit.", hint)


def _host_key(url: str, shown: HostKey, remote: Remote) -> SyncError:
    known = host_keys(remote.credentials.known_hosts, remote.url)
    compare = (
        "Compare the fingerprint with the one that the host publishes; `ssh-keyscan HOST` prints the line."
    )
    if shown in known.revoked:
        what = "known_hosts marks the server's key as revoked"
        hint = (
            "Find out who answers under this name; a server with a new key needs a new line in known_hosts."
        )
    elif known.accepted:
        listed = ", ".join(map(str, known.accepted))
        what = f"the server's key is another one than in known_hosts, which lists {listed}"
        hint = f"If the server really has a new key, put it into known_hosts in the Secret. {compare}"
    elif known.has_authority:
        what = "known_hosts has only a @cert-authority for this host, and host certificates are not supported"
        hint = f"Add the host's own key to known_hosts in the Secret. {compare}"
    else:
        what = "known_hosts does not list this host and port"
        hint = f"Add the host's key to known_hosts in the Secret. {compare}"
    return _stalled(Code.GIT_HOST_KEY, f"{url}: {what}: the server shows {shown}.", hint)


_UNREADABLE_KEY = re.compile(
    r"extract public key|wrong passphrase|unsupported private key|unable to open private"
)


def _proxy(remote: Remote) -> str:
    """Return where the proxy is set."""
    return "https_proxy of Nopea" if remote.proxy is None else "the Secret in spec.proxySecretRef"


def _authentication(url: str, detail: str, remote: Remote) -> SyncError:
    if "proxy authentication" in detail.lower():
        return _stalled(
            Code.GIT_AUTHENTICATION,
            f"{url}: the proxy refused access: it does not accept the credentials, or asks for some.",
            f"Correct the user and the password in {_proxy(remote)}.",
        )
    if _UNREADABLE_KEY.search(detail.lower()):
        if is_encrypted(remote.credentials.identity.reveal()):
            return _stalled(
                Code.GIT_AUTHENTICATION,
                f"{url}: the private key in identity cannot be opened with this passphrase.",
                "Correct identity_password in the Secret in spec.secretRef.",
            )
        return _stalled(
            Code.GIT_AUTHENTICATION,
            f"{url}: the private key in identity cannot be read: {detail}.",
            "Set identity in the Secret in spec.secretRef to an ed25519, ECDSA or RSA key.",
        )
    if remote.credentials.digest():
        hint = "Check the Secret in spec.secretRef: its user, token or key must have read access."
    else:
        hint = "Set spec.secretRef to a Secret with username and password, token or identity."
    return _stalled(Code.GIT_AUTHENTICATION, f"{url}: the server refused access: {detail}.", hint)


_STALLED = frozenset(
    {
        ErrorKind.HOST_KEY,
        ErrorKind.CERTIFICATE,
        ErrorKind.REPOSITORY_MISSING,
        ErrorKind.EMPTY,
        ErrorKind.REDIRECT,
        ErrorKind.UNSUPPORTED,
        ErrorKind.ADDRESS,
        ErrorKind.TOO_BIG,
        ErrorKind.MEMORY,
        ErrorKind.REFUSED,
    }
)

_PLAIN: dict[ErrorKind, tuple[Code, str, str]] = {
    ErrorKind.UNREACHABLE: (
        Code.GIT_UNREACHABLE,
        "the Git server cannot be reached",
        "Check that the server is up and that the cluster's network lets Nopea reach it.",
    ),
    ErrorKind.RATE_LIMITED: (
        Code.GIT_RATE_LIMITED,
        "the Git server limits the rate of requests",
        "Nopea waits before it asks again. Raise spec.interval and use webhooks, or log in with a Secret.",
    ),
    ErrorKind.TIMEOUT: (
        Code.GIT_TIMEOUT,
        "the Git server did not answer in time",
        "Check the server and the network. For a big repository, raise spec.timeout.",
    ),
    ErrorKind.HOST_KEY: (
        Code.GIT_HOST_KEY,
        "the server's SSH key is not the one in known_hosts",
        "If the server really has a new key, add it to `known_hosts` in the Secret (`ssh-keyscan HOST`).",
    ),
    ErrorKind.CERTIFICATE: (
        Code.GIT_CERTIFICATE,
        "the server's certificate is not trusted",
        "Put the certificate authority into `ca.crt` in the Secret, or correct the host name in spec.url.",
    ),
    ErrorKind.REPOSITORY_MISSING: (
        Code.GIT_NOT_FOUND,
        "the repository does not exist",
        "Correct spec.url. Some servers also answer this when the credentials may not see the repository.",
    ),
    ErrorKind.EMPTY: (
        Code.GIT_EMPTY_REPOSITORY,
        "the repository is empty",
        "Push a first commit. Nopea checks again automatically.",
    ),
    ErrorKind.REDIRECT: (
        Code.GIT_PROTOCOL,
        "the server redirects to another host, which Nopea does not follow",
        "Set spec.url to the final URL.",
    ),
    ErrorKind.ADDRESS: (
        Code.GIT_ADDRESS_DENIED,
        "Nopea may not connect to this server",
        "Correct the host in spec.url, or run Nopea with another --git-networks.",
    ),
    ErrorKind.PROTOCOL: (
        Code.GIT_PROTOCOL,
        "the server does not speak the Git protocol",
        "Check that spec.url is the URL to clone from, not that of a web page or of a login page.",
    ),
    ErrorKind.UNSUPPORTED: (
        Code.GIT_PROTOCOL,
        "Nopea cannot read this repository",
        "Use a repository with SHA-1 ids, which Git makes by default.",
    ),
    ErrorKind.TOO_BIG: (
        Code.GIT_TOO_BIG,
        "the repository is over a limit",
        "Remove big files from the repository, or raise the controller's limit.",
    ),
    ErrorKind.MEMORY: (
        Code.GIT_TOO_BIG,
        "the repository needs more memory than a Git process may use",
        "Use a smaller repository, or raise `--git-memory`.",
    ),
    ErrorKind.DISK: (
        Code.GIT_DISK,
        "Nopea cannot write to the cache folder",
        "Give the volume of the cache folder more space, and check that Nopea may write to it.",
    ),
    ErrorKind.NO_ROOM: (
        Code.GIT_DISK,
        "there is no room for the mirror",
        "Nopea tries again. If the error stays, raise --git-disk and the size of the cache folder's volume.",
    ),
    ErrorKind.MIRROR: (
        Code.GIT_PROTOCOL,
        "the local mirror could not be repaired",
        "Nopea clones it again at the next attempt. If the error stays, check the disk of the cache folder.",
    ),
    ErrorKind.REFUSED: (
        Code.GIT_PROTOCOL,
        "the commit or path cannot be read",
        "Correct the commit or path.",
    ),
    ErrorKind.BUG: (
        Code.GIT_CHILD_DIED,
        "the Git process failed unexpectedly",
        "Report this with the log. Nopea tries again.",
    ),
    ErrorKind.DIED: (
        Code.GIT_CHILD_DIED,
        "the Git process died",
        "Nopea tries again in a process of its own. If the error stays, report it with the log.",
    ),
}
