"""What the renderer asks for is read; names are those of sops, and ciphertexts do not print."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.decryption.keys import (
    MAX_KEYS,
    MAX_OPENINGS,
    AzureKey,
    GcpKey,
    KmsKey,
    Opening,
    VaultKey,
    openings_of,
)

KMS = {
    "id": "1",
    "kind": "kms",
    "arn": "arn:a",
    "role": "arn:r",
    "context": {"a": "b"},
    "ciphertext": "wrapped",
}
VAULT = {
    "id": "2",
    "kind": "vault",
    "address": "https://vault.example/",
    "mount": "/team/transit/",
    "name": "shop",
    "ciphertext": "wrapped",
}
GCP = {"id": "3", "kind": "gcp", "resource": "projects/p", "ciphertext": "wrapped"}

AZURE = {
    "id": "4",
    "kind": "azure",
    "address": "https://a.vault.azure.net/",
    "name": "shop",
    "version": "1",
    "ciphertext": "wrapped",
}


def test_an_opening_is_read() -> None:
    """Groups of keys, of which a file needs some."""
    (found,) = openings_of([{"file": "a.yaml", "needed": 1, "groups": [[KMS, VAULT, GCP, AZURE]]}])

    kms = KmsKey(id="1", arn="arn:a", role="arn:r", context={"a": "b"}, ciphertext="wrapped")
    vault = VaultKey(
        id="2", address="https://vault.example", mount="team/transit", name="shop", ciphertext="wrapped"
    )
    gcp = GcpKey(id="3", resource="projects/p", ciphertext="wrapped")
    azure = AzureKey(
        id="4", vault="https://a.vault.azure.net", name="shop", version="1", ciphertext="wrapped"
    )
    assert found == Opening("a.yaml", 1, ((kms, vault, gcp, azure),))
    assert [key.uri for key in (kms, vault, gcp, azure)] == [
        "arn:a+arn:r",
        "https://vault.example/v1/team/transit/keys/shop",
        "projects/p",
        "https://a.vault.azure.net/keys/shop/1",
    ]
    assert "wrapped" not in repr(found)


@pytest.mark.parametrize("kind", ["kms", "vault", "gcp", "azure"])
def test_what_a_key_does_not_have_is_empty(kind: str) -> None:
    """A file may have an address without a name; it is told as such, not as a fault of the renderer."""
    raw = {"id": "1", "kind": kind, "ciphertext": "wrapped"}
    (found,) = openings_of([{"file": "a.yaml", "needed": 1, "groups": [[raw]]}])
    assert found.groups[0][0].id == "1"


@pytest.mark.parametrize(
    "raw",
    [
        [{}],
        [{"file": "a", "needed": 1, "groups": [[{}]]}],
        [{"file": "a", "needed": 1, "groups": [[{**KMS, "kind": "x"}]]}],
        [{"file": "a", "needed": 1, "groups": [[KMS] * (MAX_KEYS + 1)]}],
        [{"file": "a", "needed": 1, "groups": [[KMS]]}] * (MAX_OPENINGS + 1),
        [1],
    ],
)
def test_anything_else_is_an_error(raw: list[Any]) -> None:
    """A child that was taken over could send anything."""
    with pytest.raises((KeyError, TypeError, ValueError)):
        openings_of(raw)


def test_a_key_is_shown_without_credentials_and_not_endlessly() -> None:
    """It is what somebody wrote into Git."""
    key = VaultKey(id="1", address="https://user:pw@v.example", mount="t", name="n" * 1000, ciphertext="")

    assert str(key).startswith("https://v.example/v1/t/keys/n")
    assert len(str(key)) == 300
