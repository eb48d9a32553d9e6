"""Remotes, refs and credentials: credentials can be compared, but are never shown."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from tests.fakes.samples import COMMIT

from nopea.core.git.source import DEFAULT_BRANCH, Credentials, Ref, RefKind, Remote, revision_of
from nopea.core.secret import Secret

FULL = Credentials(
    username="bot-token",
    password=Secret("pw-pw-pw"),
    token=Secret("tk-tk-tk"),
    identity=Secret("id-id-id"),
    identity_password=Secret("ip-ip-ip"),
    known_hosts="h ssh-ed25519 kh-kh-kh",
    ca_crt="ca-ca-ca",
)


@pytest.mark.parametrize("name", [field.name for field in fields(Credentials)])
def test_the_digest_depends_on_every_field(name: str) -> None:
    """Repositories share a mirror only if their credentials are equal."""
    value = getattr(FULL, name)
    change: dict[str, Any] = {name: Secret("other") if isinstance(value, Secret) else "other"}

    assert replace(FULL, **change).digest() != FULL.digest()


def test_the_digest_depends_on_the_field_boundaries() -> None:
    """The same characters in other fields are other credentials."""
    one = Credentials(username="ab", password=Secret("c"))
    other = Credentials(username="a", password=Secret("bc"))

    assert one.digest() != other.digest()


def test_credentials_are_not_printed() -> None:
    """Neither credentials nor a remote show a secret or the user name."""
    shown = f"{FULL} {FULL!r} {Remote('https://h/x', FULL)!r} {FULL.digest()}"

    for part in ("bot-token", "pw-pw", "tk-tk", "id-id", "ip-ip", "kh-kh", "ca-ca"):
        assert part not in shown


def test_no_credentials_have_an_empty_digest() -> None:
    """Public repositories share one mirror."""
    assert Credentials().digest() == ""
    assert Remote("https://h/x") == Remote("https://h/x", Credentials())


def test_a_ref_prints_as_in_the_spec() -> None:
    """Errors show a ref as `branch main`."""
    assert str(Ref(RefKind.BRANCH, "main")) == "branch main"
    assert str(DEFAULT_BRANCH) == "the default branch"


@pytest.mark.parametrize(
    ("ref", "found_by", "revision"),
    [
        (Ref(RefKind.BRANCH, "main"), "refs/heads/main", "main@sha1:c0ffee0"),
        (Ref(RefKind.BRANCH, "main"), "", "main@sha1:c0ffee0"),
        (DEFAULT_BRANCH, "refs/heads/feature/x", "feature/x@sha1:c0ffee0"),
        (DEFAULT_BRANCH, "", "sha1:c0ffee0"),
        (Ref(RefKind.TAG, "v1"), "refs/tags/v1", "v1@sha1:c0ffee0"),
        (Ref(RefKind.SEMVER, "1.x"), "refs/tags/v1.10.0", "v1.10.0@sha1:c0ffee0"),
        (Ref(RefKind.SEMVER, "1.x"), "", "1.x@sha1:c0ffee0"),
        (Ref(RefKind.COMMIT, "c0ffee0" + "0" * 33), "", "sha1:c0ffee0"),
    ],
)
def test_a_revision_names_the_branch_or_tag_that_was_found(ref: Ref, found_by: str, revision: str) -> None:
    """Users see which branch is the default one and which tag a range has chosen."""
    assert revision_of(ref, replace(COMMIT, ref=found_by)) == revision


def test_a_revision_names_the_algorithm() -> None:
    """A repository with SHA-256 ids has longer ones."""
    assert revision_of(DEFAULT_BRANCH, replace(COMMIT, id="a" * 64)) == "sha256:aaaaaaa"
