"""Remotes, refs and credentials: credentials can be compared, but are never shown."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from nopea.core.git.source import DEFAULT_BRANCH, Credentials, Ref, RefKind, Remote
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
