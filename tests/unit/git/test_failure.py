"""How errors of libgit2 are classified, with the messages and classes of version 1.9."""

from __future__ import annotations

import errno

import pygit2
import pytest

from nopea.git.failure import GitFailure, network, storage
from nopea.git.protocol import ErrorKind

NET, SSL, SSH, ODB, NOMEMORY, HTTP = 12, 16, 23, 9, 1, 34


def _git_error(message: str, error_class: int | None = None) -> pygit2.GitError:
    error = pygit2.GitError(message)
    if error_class is not None:
        setattr(error, "error_class", error_class)  # noqa: B010 - pygit2's types do not declare it
    return error


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            _git_error("cannot lock ref 'refs/heads/x', there are refs beneath that folder", 4),
            ErrorKind.MIRROR,
        ),
        (_git_error("could not remove directory '/cache/m.git/refs/heads/x/y'", 2), ErrorKind.MIRROR),
        (_git_error("failed to write '/cache/m.git/x': No space left on device", 2), ErrorKind.DISK),
        (_git_error("failed to connect to git.acme.example: Connection refused", 2), ErrorKind.UNREACHABLE),
    ],
    ids=str,
)
def test_what_fails_in_the_mirror_is_not_a_fault_of_the_server(
    error: pygit2.GitError, kind: ErrorKind
) -> None:
    """The class of libgit2's error does not say it; the mirror is cloned again instead of told as down."""
    with pytest.raises(GitFailure) as caught, network(ssh=False, mirror="/cache/m.git/"):
        raise error

    assert caught.value.kind is kind


def _over_network(error: BaseException, *, ssh: bool = False) -> GitFailure:
    with pytest.raises(GitFailure) as caught, network(ssh=ssh):
        raise error
    assert caught.value.__cause__ is error
    return caught.value


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (pygit2.AuthError("no"), ErrorKind.AUTHENTICATION),
        (_git_error("unexpected http status code: 401", HTTP), ErrorKind.AUTHENTICATION),
        (_git_error("unexpected http status code: 403", HTTP), ErrorKind.AUTHENTICATION),
        (_git_error("unexpected http status code: 404", HTTP), ErrorKind.REPOSITORY_MISSING),
        (_git_error("unexpected http status code: 429", HTTP), ErrorKind.RATE_LIMITED),
        (_git_error("unexpected http status code: 503", HTTP), ErrorKind.UNREACHABLE),
        (_git_error("unexpected http status code: 418", HTTP), ErrorKind.PROTOCOL),
        (_git_error("failed to connect to git.acme.example: Connection refused", 2), ErrorKind.UNREACHABLE),
        (_git_error("failed to resolve address for git.acme.example", NET), ErrorKind.UNREACHABLE),
        (_git_error("could not read from remote: timed out", NET), ErrorKind.TIMEOUT),
        (_git_error("SSL error: unexpected eof while reading", SSL), ErrorKind.UNREACHABLE),
        (_git_error("the SSL certificate is invalid", SSL), ErrorKind.CERTIFICATE),
        (_git_error("cannot redirect from 'a' to 'b'", NET), ErrorKind.REDIRECT),
        (_git_error("invalid content-type: text/html", HTTP), ErrorKind.PROTOCOL),
        (_git_error("Out of memory", NOMEMORY), ErrorKind.MEMORY),
        (_git_error("object not found - no match for id", ODB), ErrorKind.MIRROR),
        (_git_error("failed to write: No space left on device", 2), ErrorKind.DISK),
        (OSError(errno.ENOSPC, "No space left on device"), ErrorKind.DISK),
        (PermissionError(errno.EACCES, "denied"), ErrorKind.DISK),
        (FileNotFoundError(errno.ENOENT, "gone"), ErrorKind.MIRROR),
    ],
    ids=str,
)
def test_over_the_network(error: BaseException, kind: ErrorKind) -> None:
    """The kind decides about retries and the hint; the message is kept."""
    failure = _over_network(error)

    assert failure.kind is kind
    assert failure.message == str(error)


def test_a_bad_certificate_is_a_host_key_over_ssh() -> None:
    """The same exception has another kind, because it needs another hint."""
    error = pygit2.errors.CertificateError("no")

    assert _over_network(error, ssh=True).kind is ErrorKind.HOST_KEY
    assert _over_network(error, ssh=False).kind is ErrorKind.CERTIFICATE


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KeyError("no such object"), ErrorKind.MIRROR),
        (_git_error("object not found", ODB), ErrorKind.MIRROR),
        (_git_error("no space left on device", 2), ErrorKind.DISK),
        (_git_error("Read-only file system", 2), ErrorKind.DISK),
        (_git_error("whatever", NOMEMORY), ErrorKind.MEMORY),
        (OSError(errno.EROFS, "read-only"), ErrorKind.DISK),
        (OSError(errno.ENOENT, "gone"), ErrorKind.MIRROR),
    ],
    ids=str,
)
def test_on_the_disk(error: BaseException, kind: ErrorKind) -> None:
    """A damaged mirror is cloned again; a full disk is an error of its own."""
    with pytest.raises(GitFailure) as caught, storage():
        raise error

    assert caught.value.kind is kind


@pytest.mark.parametrize(
    "error", [ValueError("a bug"), KeyboardInterrupt(), GitFailure(ErrorKind.EMPTY, "x")], ids=repr
)
def test_other_exceptions_are_not_translated(error: BaseException) -> None:
    """A bug does not count as a network failure, and a GitFailure is not translated again."""
    with pytest.raises(type(error)) as caught, network(ssh=False), storage():
        raise error

    assert caught.value is error


def test_a_failure_has_facts() -> None:
    """The facts are further keys of the error frame."""
    assert GitFailure(ErrorKind.REF_MISSING, "no", similar=["main"]).facts == {"similar": ["main"]}
