"""What is asked of Azure Key Vault and Entra. Servers: tests/keys/test_azure.py."""

from __future__ import annotations

import json
from dataclasses import replace
from urllib.parse import parse_qs

import pytest

from nopea.core.decryption import azure
from nopea.core.decryption.azure import AzureLogin
from nopea.core.decryption.keys import AzureKey
from nopea.core.decryption.wire import Declined
from nopea.core.secret import Secret

KEY = AzureKey(
    id="1", vault="https://acme.vault.azure.net", name="shop-1", version="0a1b", ciphertext="dGVzdA"
)
LOGIN = AzureLogin(tenant="acme.example", client="1-2", secret=Secret("8Q~secret&x"))
FIELDS = {"tenantId": "acme.example", "clientId": "1-2", "clientSecret": "8Q~secret&x"}


@pytest.mark.parametrize(
    ("vault", "scope"),
    [
        ("https://acme.vault.azure.net", "https://vault.azure.net/.default"),
        ("https://Acme.Vault.azure.net", "https://vault.azure.net/.default"),
        ("https://acme.vault.azure.cn", "https://vault.azure.cn/.default"),
        ("https://acme.vault.usgovcloudapi.net", "https://vault.usgovcloudapi.net/.default"),
        ("https://acme.managedhsm.azure.net", "https://managedhsm.azure.net/.default"),
    ],
)
def test_a_token_is_for_the_vaults_of_a_cloud(vault: str, scope: str) -> None:
    """It is nothing for other services."""
    key = replace(KEY, vault=vault)
    assert (azure.is_written_well(key), azure.is_in_public(key)) == (True, True)
    assert azure.scope_of(key) == scope


def test_a_vault_that_an_operator_names_is_one_of_the_public_cloud() -> None:
    """As seen from a private network."""
    key = replace(KEY, vault="https://vaults.acme.example:8443")
    assert (azure.is_written_well(key), azure.is_in_public(key)) == (True, False)
    assert azure.scope_of(key) == "https://vault.azure.net/.default"


@pytest.mark.parametrize(
    "vault",
    [
        "https://vault.azure.net",
        "https://acme.vault.azure.net.evil.example",
        "https://acme.vault.azure.net:443",
        "https://a.b.vault.azure.net",
        "https://acmevault.azure.net",
        "https://acme.vaultXazure.net",
        "https://acme.managedh\u017fm.azure.net",
        "https://acme.blob.core.windows.net",
    ],
)
def test_other_hosts_are_not_microsofts(vault: str) -> None:
    """Anybody may have such a name."""
    assert not azure.is_in_public(replace(KEY, vault=vault))


@pytest.mark.parametrize(
    "key",
    [
        replace(KEY, vault="https://user@acme.vault.azure.net"),
        replace(KEY, vault="https://acme.vault.azure.net/x"),
        replace(KEY, vault="https://acme.vault.azure.net\n"),
        replace(KEY, vault="http://acme.vault.azure.net"),
        replace(KEY, name=".."),
        replace(KEY, name="a/b"),
        replace(KEY, version=""),
        replace(KEY, version="a#b"),
    ],
    ids=str,
)
def test_what_is_no_key(key: AzureKey) -> None:
    """It would be a part of a URL."""
    assert not azure.is_written_well(key)


def test_requests() -> None:
    """Neither secrets nor tokens print."""
    call = azure.log_in(LOGIN, "https://login.example", "https://vault.azure.net/.default")
    assert call.url == "https://login.example/acme.example/oauth2/v2.0/token"
    assert parse_qs(call.body.decode()) == {
        "grant_type": ["client_credentials"],
        "client_id": ["1-2"],
        "scope": ["https://vault.azure.net/.default"],
        "client_secret": ["8Q~secret&x"],
    }
    assert "8Q" not in repr((call, LOGIN))

    proof = replace(LOGIN, secret=Secret("to.ken"), is_assertion=True)
    fields = parse_qs(azure.log_in(proof, "https://login.example", "x").body.decode())
    assert fields["client_assertion"] == ["to.ken"]
    assert "client_secret" not in fields

    call = azure.decrypt(KEY, Secret("eyJ.x"))
    assert call.url == "https://acme.vault.azure.net/keys/shop-1/0a1b/decrypt?api-version=7.4"
    assert json.loads(call.body) == {"alg": "RSA-OAEP-256", "value": "dGVzdA"}
    assert call.headers["Authorization"] == "Bearer eyJ.x"
    assert "eyJ" not in repr(call)


def test_logins() -> None:
    """A client may say which of Microsoft's clouds it is in."""
    assert azure.login_of(FIELDS) == LOGIN
    for host in ("https://login.microsoftonline.us/", "https://login.partner.microsoftonline.cn"):
        found = azure.login_of({**FIELDS, "authorityHost": host})
        assert found == replace(LOGIN, authority=host.rstrip("/"))


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"tenantId": ""}, "has no tenantId"),
        ({"tenantId": "../x"}, "has no tenantId"),
        ({"tenantId": "a/b"}, "has no tenantId"),
        ({"clientId": "a&b"}, "has no tenantId"),
        ({"clientSecret": "a b"}, "has no tenantId"),
        ({"clientCertificate": "PEM"}, "clientCertificate, which is not used"),
        ({"authorityHost": "https://login.microsoftonline.com.evil.example"}, "not Microsoft's"),
        ({"authorityHost": "http://login.microsoftonline.com"}, "not Microsoft's"),
    ],
    ids=str,
)
def test_what_is_no_login(more: dict[str, str], why: str) -> None:
    """Above all, none whose secret would go to somebody else."""
    found = azure.login_of({**FIELDS, **more})

    assert isinstance(found, str)
    assert why in found
    assert "evil" not in found


def test_a_data_key() -> None:
    """In base64 for URLs."""
    assert azure.decrypted(200, b'{"value": "-_-_AA"}') == Secret(b"\xfb\xff\xbf\x00")


@pytest.mark.parametrize(
    ("status", "text", "why", "is_busy"),
    [
        (403, '{"error": {"code": "x", "innererror": {"code": "AccessDenied"}}}', "AccessDenied", False),
        (404, '{"error": {"code": "KeyNotFound", "message": "x"}}', "HTTP 404, KeyNotFound", False),
        (429, '{"error": {"code": "Throttled"}}', "HTTP 429, Throttled", True),
        (400, '{"error": {"code": "a page"}}', "HTTP 400", False),
        (400, '{"error": "BadParameter"}', "HTTP 400", False),
        (400, "[]", "HTTP 400", False),
        (200, '{"value": "+/+/"}', "without a data key", False),
        (200, '{"value": ""}', "without a data key", False),
        (200, '{"value": null}', "without a data key", False),
    ],
)
def test_answers_that_are_no_key(status: int, text: str, why: str, is_busy: bool) -> None:
    """Only names of errors are quoted."""
    found = azure.decrypted(status, text.encode())

    assert isinstance(found, Declined)
    assert found.is_busy is is_busy
    assert found.why.endswith(why)
