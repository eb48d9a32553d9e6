"""Turn what a Git child answered into the error that a person reads. Pure: values in, an error out."""

from __future__ import annotations

from typing import Any

from nopea.core.git.source import ParsedFile, Ref, Remote
from nopea.core.problem import Code, Problem, StalledError, SyncError, TransientError
from nopea.core.secret import mask_text, mask_url
from nopea.git.protocol import ErrorKind


def error_of(
    kind: ErrorKind, message: str, facts: dict[str, Any], *, remote: Remote, ref: Ref | None
) -> SyncError:
    """Return a StalledError when a person must act, else a TransientError; no secret is in it."""
    url = mask_url(remote.url)
    said = mask_text(message, *remote.credentials.secrets())
    match kind:
        case ErrorKind.REF_MISSING:
            return _ref_missing(url, said, facts, ref)
        case ErrorKind.PATH_MISSING:
            return _path_missing(url, said, facts)
        case ErrorKind.AUTHENTICATION:
            return _authentication(url, said, remote)
        case _:
            code, what, hint = _PLAIN[kind]
            problem = Problem(code=code, message=f"{url}: {what}: {said}", hint=hint)
            return StalledError(problem) if kind in _STALLED else TransientError(problem)


def deadly_file(message: str) -> ParsedFile:
    """Return what a file holds that no child survived parsing: nothing, and the reason."""
    problem = Problem(
        code=Code.YAML_LIMIT,
        message=f"the file cannot be parsed: {message}",
        hint="Split or simplify the file, or leave it out by spec.exclude or .nopeaignore.",
    )
    return ParsedFile(documents=(), problems=(problem,))


def file_url_refused(remote: Remote) -> SyncError:
    """Say that a folder of this machine may not be read."""
    return _stalled(
        Code.SPEC_INVALID,
        f"{mask_url(remote.url)}: file URLs are not allowed",
        "Use an https or ssh URL in spec.url, or start Nopea with --allow-file-urls.",
    )


def known_hosts_missing(remote: Remote) -> SyncError:
    """Say that an SSH server cannot be trusted for want of known_hosts."""
    return _stalled(
        Code.GIT_HOST_KEY,
        f"{mask_url(remote.url)}: the Secret has no known_hosts, so the server's key cannot be checked",
        "Add the key `known_hosts` to the Secret of spec.secretRef; `ssh-keyscan HOST` prints its lines: "
        "compare them with what the host publishes.",
    )


def identity_missing(remote: Remote) -> SyncError:
    """Say that an SSH server needs a key."""
    return _stalled(
        Code.GIT_AUTHENTICATION,
        f"{mask_url(remote.url)}: SSH needs a private key, and the Secret has none",
        "Add the key `identity` (a private key) to the Secret of spec.secretRef.",
    )


def _stalled(code: Code, message: str, hint: str) -> StalledError:
    return StalledError(Problem(code=code, message=message, hint=hint))


def _ref_missing(url: str, said: str, facts: dict[str, Any], ref: Ref | None) -> SyncError:
    similar = ", ".join(str(name) for name in facts.get("similar", ()))
    hint = f"Correct spec.{ref.kind}" if ref else "Correct the ref in the spec"
    hint += f"; there are, for example: {similar}." if similar else " or push it."
    return _stalled(Code.GIT_REF_NOT_FOUND, f"{url} has no {ref or 'such ref'}: {said}", hint)


def _path_missing(url: str, said: str, facts: dict[str, Any]) -> SyncError:
    folders = ", ".join(str(name) for name in facts.get("folders", ()))
    where = f"{facts.get('at')}/" if facts.get("at") else "the repository's root"
    hint = f"Correct spec.path; {where} has the folders: {folders}." if folders else "Correct spec.path."
    return _stalled(Code.GIT_PATH_NOT_FOUND, f"{url}: {said} at this commit", hint)


def _authentication(url: str, said: str, remote: Remote) -> SyncError:
    if remote.credentials.digest():
        hint = "Check the Secret of spec.secretRef: may this user, token or key read the repository?"
    else:
        hint = "Name a Secret with username and password, token or identity in spec.secretRef."
    return _stalled(Code.GIT_AUTHENTICATION, f"{url}: the server refuses access: {said}", hint)


_STALLED = frozenset(
    {
        ErrorKind.HOST_KEY,
        ErrorKind.CERTIFICATE,
        ErrorKind.REPOSITORY_MISSING,
        ErrorKind.EMPTY,
        ErrorKind.REDIRECT,
        ErrorKind.TOO_BIG,
        ErrorKind.MEMORY,
        ErrorKind.REFUSED,
    }
)

_PLAIN: dict[ErrorKind, tuple[Code, str, str]] = {
    ErrorKind.UNREACHABLE: (
        Code.GIT_UNREACHABLE,
        "the Git server cannot be reached",
        "Check that the server is up and that the cluster's network lets Nopea reach it; Nopea tries again.",
    ),
    ErrorKind.TIMEOUT: (
        Code.GIT_TIMEOUT,
        "the Git server did not answer in time",
        "Check the server and the network; for a big repository raise spec.timeout. Nopea tries again.",
    ),
    ErrorKind.HOST_KEY: (
        Code.GIT_HOST_KEY,
        "the server's SSH key is not the one in known_hosts",
        "If the server really has a new key, put it into `known_hosts` of the Secret (`ssh-keyscan HOST`).",
    ),
    ErrorKind.CERTIFICATE: (
        Code.GIT_CERTIFICATE,
        "the server's certificate is not trusted",
        "Put the authority that signed it into `ca.crt` of the Secret, or correct the host name in spec.url.",
    ),
    ErrorKind.REPOSITORY_MISSING: (
        Code.GIT_NOT_FOUND,
        "there is no such repository",
        "Correct spec.url; some hosts answer so too when the credentials may not see the repository.",
    ),
    ErrorKind.EMPTY: (
        Code.GIT_EMPTY_REPOSITORY,
        "the repository is empty",
        "Push a first commit; Nopea looks again by itself.",
    ),
    ErrorKind.REDIRECT: (
        Code.GIT_PROTOCOL,
        "the server redirects to another host, which must not see the credentials",
        "Put the final URL into spec.url.",
    ),
    ErrorKind.PROTOCOL: (
        Code.GIT_PROTOCOL,
        "what answers does not speak Git's protocol",
        "Check that spec.url is the URL to clone from, not that of a web page or a proxy's login.",
    ),
    ErrorKind.TOO_BIG: (
        Code.GIT_TOO_BIG,
        "the repository is over a limit",
        "Take big files out of the repository, or raise the limit of the controller.",
    ),
    ErrorKind.MEMORY: (
        Code.GIT_TOO_BIG,
        "the repository needs more memory than a Git child may have",
        "Use a smaller repository, or raise the memory limit of the Git children.",
    ),
    ErrorKind.DISK: (
        Code.GIT_DISK,
        "the cache folder cannot be written",
        "Give the volume of the cache folder more space and see that Nopea may write to it.",
    ),
    ErrorKind.MIRROR: (
        Code.GIT_PROTOCOL,
        "the local mirror could not be repaired",
        "Nopea clones it again at the next try; if this stays, check the disk of the cache folder.",
    ),
    ErrorKind.REFUSED: (
        Code.GIT_PROTOCOL,
        "the request cannot be served",
        "Correct the commit or path that was asked for.",
    ),
    ErrorKind.BUG: (
        Code.GIT_CHILD_DIED,
        "the Git child failed unexpectedly",
        "Please report this with the log; Nopea tries again.",
    ),
    ErrorKind.DIED: (
        Code.GIT_CHILD_DIED,
        "the Git child died",
        "Nopea tries again, alone in a child of its own; if this stays, please report it with the log.",
    ),
}
