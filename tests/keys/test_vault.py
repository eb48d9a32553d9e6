"""Nopea's login at a real Vault, which gives a token for that of the service account."""

from __future__ import annotations

import time
from pathlib import Path

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.keys.servers import Vault
from tests.keys.sops import DATA_KEY
from tests.keys.test_port import user, vault_key

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.rules import parse_rules
from nopea.core.secret import Secret
from nopea.keys.http import KeyWeb
from nopea.keys.identity import IdentitySettings, KeyIdentity, NoIdentityError
from nopea.keys.port import KeyServices
from nopea.keys.vault import VaultTransit

pytestmark = pytest.mark.usefixtures("trusted")


def _log_in_by_jwt(vault: Vault, key: str) -> str:
    """Let a role decrypt; its method has the requests of that of Kubernetes, and needs no API server."""
    private = ec.generate_private_key(ec.SECP256R1())
    public = private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    vault.do(f"sys/auth/{key}", {"type": "jwt"})
    vault.do(f"auth/{key}/config", {"jwt_validation_pubkeys": [public.decode()]})
    vault.allow(f"decrypt-{key}", key)
    role = {
        "role_type": "jwt",
        "user_claim": "sub",
        "bound_audiences": ["vault"],
        "token_policies": [f"decrypt-{key}"],
        "token_ttl": "10m",
    }
    vault.do(f"auth/{key}/role/nopea", role)
    now = int(time.time())
    claims = {"aud": "vault", "sub": "system:serviceaccount:nopea-system:nopea", "iat": now, "exp": now + 600}
    return jwt.encode(claims, private, algorithm="ES256")


async def test_vault_gives_a_token_for_that_of_the_service_account(
    web_: KeyWeb, vault: Vault, tmp_path: Path
) -> None:
    """It is kept, and opens the key."""
    key = vault_key(vault, "identity-jwt")
    (tmp_path / "jwt").write_text(_log_in_by_jwt(vault, "identity-jwt"))
    settings = IdentitySettings(
        environment={}, vault_token_file=tmp_path / "jwt", vault_role="identity-jwt/nopea"
    )
    identity = VaultTransit(KeyIdentity(settings, web_))

    token = await identity.own(key)

    assert await identity.own(key) == token
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={key.uri}"))
    async with KeyServices(policy, identity=settings) as services:
        assert await services.open(key, user()) == Secret(DATA_KEY)

    (tmp_path / "jwt").write_text("not.a.token")
    with pytest.raises(NoIdentityError, match="Vault gave Nopea no token as identity-jwt/nopea"):
        await VaultTransit(KeyIdentity(settings, web_)).own(key)
