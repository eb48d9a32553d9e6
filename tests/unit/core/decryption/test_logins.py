"""Logins in the Secret of spec.decryption, as Flux reads them."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.unit.core.decryption.test_gcp import ACCOUNT, CREDENTIALS

from nopea.core.decryption.azure import AzureLogin
from nopea.core.decryption.gcp import GcpAccount
from nopea.core.decryption.logins import NO_KEY_LOGINS, KeyLogins, parse_key_logins
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret


def _parsed(**data: bytes) -> KeyLogins:
    found = parse_key_logins(
        {name.replace("__", ".").replace("_", "-"): text for name, text in data.items()}, name="keys"
    )
    assert isinstance(found, KeyLogins)
    return found


@pytest.mark.parametrize(
    "text",
    [
        b"aws_access_key_id: AKIASHOP\naws_secret_access_key: 'a+b/c='\naws_session_token: \"t\"\n",
        b"[default]\naws_access_key_id = AKIASHOP\r\naws_secret_access_key=a+b/c= #a\naws_session_token = t",
    ],
)
def test_a_login_at_aws(text: bytes) -> None:
    """YAML, or the file of AWS' own tools."""
    aws = AwsLogin(access_key="AKIASHOP", secret_key=Secret("a+b/c="), session_token=Secret("t"))
    assert _parsed(sops__aws_kms=text).aws == aws


def test_a_service_account_of_google_cloud() -> None:
    """Its file, as Google gives it."""
    assert _parsed(sops__gcp_kms=CREDENTIALS.encode()).gcp == ACCOUNT


@pytest.mark.parametrize(
    "text",
    [
        b"tenantId: acme.example\nclientId: 1-2\nclientSecret: 8Q~a:b=c\n",
        b'{"tenantId": "acme.example", "clientId": "1-2", "clientSecret": "8Q~a:b=c"}',
        b'{"appId": "1-2", "displayName": "my app", "password": "8Q~a:b=c", "tenant": "acme.example"}',
    ],
)
def test_a_client_of_azure(text: bytes) -> None:
    """In YAML or JSON, with Flux's names or those that `az` prints."""
    client = AzureLogin(tenant="acme.example", client="1-2", secret=Secret("8Q~a:b=c"))
    assert _parsed(sops__azure_kv=text).azure == client


def test_a_token_and_an_authority() -> None:
    """A line break at the end of a file is not part of a token; nothing prints."""
    found = _parsed(sops__vault_token=b"hvs.token\n", ca__crt=b"PEM")

    assert (found.vault_token, found.ca_crt) == (Secret("hvs.token"), "PEM")
    assert "hvs" not in repr(found)
    assert _parsed() == NO_KEY_LOGINS


@pytest.mark.parametrize(
    "data",
    [
        {"sops.vault-token": b"a token\r\nX-Evil: 1"},
        {"sops.aws-kms": b"aws_access_key_id: AKIASHOP"},
        {"sops.aws-kms": b"\xff\x00"},
        {"sops.aws-kms": b"aws_access_key_id: AKIA SHOP\naws_secret_access_key: a b"},
        {"sops.azure-kv": b"clientId: Evil"},
        {"sops.azure-kv": b"tenantId: a\nclientId: b\nclientCertificate: |\n  Evil"},
        {"sops.azure-kv": b'{"tenantId": "a", "clientId": "b", "clientSecret": "Evil\\n"}'},
        {"sops.azure-kv": b'{"tenantId": "a", "clientId": "b", "clientSecret": ["Evil"]}'},
        {"sops.azure-kv": b"[1]"},
        {"sops.gcp-kms": b"{"},
        {"sops.gcp-kms": b'{"type": "service_account", "private_key": "Evil"}'},
        {"sops.gcp-kms": b'{"type": "external_account", "token_url": "https://Evil"}'},
    ],
)
def test_what_is_no_login_is_refused(data: dict[str, bytes]) -> None:
    """By the name of the Secret and of the key, and without its value."""
    found = parse_key_logins(data, name="keys")

    assert isinstance(found, Problem)
    assert found.code is Code.DECRYPTION_LOGIN
    assert "Secret keys" in found.message
    assert "AKIA" not in str(found)
    assert "Evil" not in str(found)


def test_digests_tell_logins_apart() -> None:
    """Every part counts, and none is in it."""
    aws = AwsLogin(access_key="a", secret_key=Secret("b"))
    account = GcpAccount(email="a", key_id="b", private_key=Secret("c"))
    accounts = [
        account,
        replace(account, email="x"),
        replace(account, key_id="x"),
        replace(account, private_key=Secret("x")),
    ]
    client = AzureLogin(tenant="a", client="b", secret=Secret("c"))
    clients = [
        client,
        replace(client, tenant="x"),
        replace(client, client="x"),
        replace(client, secret=Secret("x")),
        replace(client, authority="x"),
    ]
    found = {
        logins.digest()
        for logins in (
            NO_KEY_LOGINS,
            KeyLogins(vault_token=Secret("a")),
            KeyLogins(ca_crt="a"),
            KeyLogins(aws=aws),
            KeyLogins(aws=AwsLogin(access_key="ab", secret_key=Secret(""))),
            *(KeyLogins(gcp=account) for account in accounts),
            *(KeyLogins(azure=client) for client in clients),
        )
    }
    assert len(found) == 14
