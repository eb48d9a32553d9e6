"""Which namespaces may have which keys opened with Nopea's own identity."""

from __future__ import annotations

from dataclasses import replace

import pytest

from nopea.core.decryption.keys import AzureKey, GcpKey, KmsKey, VaultKey, WrappedKey
from nopea.core.decryption.rules import InvalidRuleError, KeyRule, any_allows, parse_rules

ARN = "arn:aws:kms:eu-west-2:111122223333:key/a"
ROLE = "arn:aws:iam::111122223333:role/team/sops"
KMS = KmsKey(id="1", arn=ARN, ciphertext="x")
VAULT = VaultKey(id="1", address="https://v.example:8200", mount="a/transit", name="shop", ciphertext="x")
RESOURCE = "projects/acme.example:keys/locations/europe-west1/keyRings/shop/cryptoKeys/a"
GCP = GcpKey(id="1", resource=RESOURCE, ciphertext="x")
AZURE = AzureKey(id="1", vault="https://a.vault.azure.net", name="web", version="0a", ciphertext="x")
RULES = parse_rules(f"shop={ARN}, shop={ARN}+{ROLE},\ntill={VAULT.uri}, till={RESOURCE}, web={AZURE.uri}")


def test_rules_are_read() -> None:
    """As `sops` prints keys; without any, nothing is allowed."""
    assert (
        KeyRule("shop", ARN),
        KeyRule("shop", f"{ARN}+{ROLE}"),
        KeyRule("till", VAULT.uri),
        KeyRule("till", RESOURCE),
        KeyRule("web", AZURE.uri),
    ) == RULES
    assert parse_rules("") == ()


@pytest.mark.parametrize(
    ("namespace", "key", "is_allowed"),
    [
        ("shop", KMS, True),
        ("shop", replace(KMS, role=ROLE), True),
        ("till", VAULT, True),
        ("till", KMS, False),
        ("shop", VAULT, False),
        ("shop", replace(KMS, role=f"{ROLE}x"), False),
        ("shop", replace(KMS, arn=f"{ARN}b"), False),
        ("till", replace(VAULT, address="https://v.example"), False),
        ("till", replace(VAULT, mount="transit"), False),
        ("till", replace(VAULT, name="shop2"), False),
        ("web", AZURE, True),
        ("shop", AZURE, False),
        ("web", replace(AZURE, vault="https://b.vault.azure.net"), False),
        ("web", replace(AZURE, version="0b"), False),
        ("till", GCP, True),
        ("shop", GCP, False),
        ("till", replace(GCP, resource=f"{RESOURCE}b"), False),
    ],
)
def test_a_rule_is_for_one_namespace_and_one_key(namespace: str, key: WrappedKey, is_allowed: bool) -> None:
    """Nothing in it is a pattern; a role is a part of the key."""
    assert any_allows(RULES, namespace, key) is is_allowed
    assert not any_allows((), namespace, key)


@pytest.mark.parametrize(
    "text",
    [
        "shop",
        f"={ARN}",
        f"*={ARN}",
        f"Shop={ARN}",
        "shop=*",
        "shop=arn:aws:s3:eu-west-2:111122223333:key/a",
        f"shop={ARN}+role",
        "shop=https://v.example",
        "shop=https://v.example/v1/transit/keys/../x",
        "shop=https://user:pw@v.example/v1/transit/keys/x",
        "shop=https://v.example/v1/transit/keys/x?y",
        "shop=https://a.vault.azure.net/keys/web",
        "shop=http://a.vault.azure.net/keys/web/1",
        "shop=https://a.vault.azure.net/keys/web/*",
        "shop=https://user:pw@a.vault.azure.net/keys/web/1",
        f"shop={RESOURCE}/cryptoKeyVersions/1",
        "shop=projects/*/locations/eu/keyRings/shop/cryptoKeys/a",
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    """When the process starts."""
    with pytest.raises(InvalidRuleError, match="is not NAMESPACE=KEY"):
        parse_rules(text)


def test_vault_is_one_server() -> None:
    """Nopea has one token, which must not go to another server."""
    other = replace(VAULT, address="https://w.example")
    with pytest.raises(InvalidRuleError, match=r"https://v\.example:8200, https://w\.example"):
        parse_rules(f"shop={VAULT.uri},shop={other.uri}")


def test_vaults_of_azure_may_be_many() -> None:
    """A token is for the vaults of a cloud, and each rule names the address."""
    assert len(parse_rules("shop=https://a.vault.azure.net/keys/a/1,shop=https://b.example/keys/a/1")) == 2
