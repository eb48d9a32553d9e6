"""What is asked of Vault, and what its answers mean. Real ones: tests/keys."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from nopea.core.decryption import vault
from nopea.core.decryption.keys import VaultKey
from nopea.core.decryption.wire import Declined, Lent
from nopea.core.secret import Secret

KEY = VaultKey(
    id="1", address="https://v.example:8200", mount="a/transit", name="shop", ciphertext="vault:v1:x"
)


def test_a_request() -> None:
    """The token is in a header, which does not print."""
    call = vault.decrypt(KEY, Secret("hvs.token"))

    assert call.url == "https://v.example:8200/v1/a/transit/decrypt/shop"
    assert call.headers["X-Vault-Token"] == "hvs.token"
    assert json.loads(call.body) == {"ciphertext": "vault:v1:x"}
    assert "hvs" not in repr(call)


@pytest.mark.parametrize("address", ["https://10.0.0.1", "http://[fd00::1]:8200", "https://v.example"])
def test_addresses_of_servers(address: str) -> None:
    """A scheme, a host and perhaps a port, and nothing else."""
    assert vault.is_written_well(replace(KEY, address=address))
    for more in ("/x", "?x", "#x", "\\x", " ", "\n"):
        assert not vault.is_written_well(replace(KEY, address=f"{address}{more}"))


@pytest.mark.parametrize(
    ("status", "text", "why", "is_busy"),
    [
        (403, '{"errors":["1 error occurred: permission denied"]}', "HTTP 403, permission denied", False),
        (503, '{"errors":["Vault is sealed"]}', "HTTP 503", True),
        (400, "a page of somebody else", "HTTP 400", False),
        (200, '{"data": []}', "without a data key", False),
        (200, '{"data": {"plaintext": "!"}}', "without a data key", False),
    ],
)
def test_answers_that_are_no_key(status: int, text: str, why: str, is_busy: bool) -> None:
    """Only known reasons are quoted."""
    found = vault.decrypted(status, text.encode())

    assert isinstance(found, Declined)
    assert found.is_busy is is_busy
    assert found.why.endswith(why)


@pytest.mark.parametrize(
    ("role", "path"),
    [
        ("nopea", "auth/kubernetes/login"),
        ("prod/nopea", "auth/prod/login"),
        ("k8s/prod/nopea", "auth/k8s/prod/login"),
    ],
)
def test_a_request_for_a_token(role: str, path: str) -> None:
    """The method may be mounted elsewhere."""
    call = vault.log_in("https://v.example", role, Secret("token of the pod"))

    assert vault.is_role(role)
    assert call.url == f"https://v.example/v1/{path}"
    assert json.loads(call.body) == {"role": "nopea", "jwt": "token of the pod"}
    assert "token of" not in repr(call)


def test_a_token_that_was_given() -> None:
    """It is used for an hour at most; anything else is not a token."""
    given = vault.logged_in(200, b'{"auth": {"client_token": "hvs.x", "lease_duration": 999999}}')

    assert given == Lent(Secret("hvs.x"), 3600.0)
    for answer in (b"{}", b'{"auth": null}', b'{"auth": {"client_token": "x", "lease_duration": "x"}}'):
        assert isinstance(vault.logged_in(200, answer), Declined)
    assert isinstance(vault.logged_in(403, b""), Declined)
    assert not vault.is_role("../x")
