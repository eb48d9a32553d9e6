"""Nopea's own logins: whose keys they open, and what is said where there is none."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import pytest
from tests.keys.clouds import Sts
from tests.keys.servers import Kms, Vault
from tests.keys.sops import DATA_KEY
from tests.keys.test_aws import IN_LONDON, OWN, aws_kms, web_identity
from tests.keys.test_port import POLICY, VAULT, kms_key, user, vault_key

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.endpoints import Endpoints
from nopea.core.decryption.keys import WrappedKey
from nopea.core.decryption.rules import parse_rules
from nopea.core.decryption.wire import Lent
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, SyncError
from nopea.core.secret import Secret
from nopea.keys.aws import AwsKms
from nopea.keys.http import KeyWeb
from nopea.keys.identity import IdentitySettings, KeyIdentity, NoIdentityError
from nopea.keys.port import KeyServices, KeyUser
from nopea.keys.vault import VaultTransit

pytestmark = pytest.mark.usefixtures("trusted")


@pytest.mark.parametrize("text", ["", "two\nlines", "\x00"])
async def test_a_file_without_a_token_is_told(web_: KeyWeb, sts: Sts, tmp_path: Path, text: str) -> None:
    """And nobody is asked."""
    settings = IdentitySettings(environment=web_identity(tmp_path, text), vault_token_file=tmp_path / "gone")
    identity = aws_kms(settings, web_, sts)

    with pytest.raises(NoIdentityError, match="has no token"):
        await identity.own(IN_LONDON)
    with pytest.raises(NoIdentityError, match="No such file"):
        await VaultTransit(KeyIdentity(settings, web_)).own(VAULT)
    assert sts.asked == []


async def test_without_an_identity_there_is_none(web_: KeyWeb) -> None:
    """The errors say what to set."""
    settings = IdentitySettings(environment={})
    identity = AwsKms(KeyIdentity(settings, web_), Endpoints())

    with pytest.raises(NoIdentityError, match="its Pod has no role"):
        await identity.own(IN_LONDON)
    with pytest.raises(NoIdentityError, match="--sops-vault-token-file"):
        await VaultTransit(KeyIdentity(settings, web_)).own(VAULT)


async def _problem(services: KeyServices, key: WrappedKey, who: KeyUser) -> Problem:
    with pytest.raises(SyncError) as raised:
        await services.open(key, who)
    (problem,) = raised.value.problems
    return problem


async def test_nopeas_login_is_for_the_namespaces_and_keys_of_the_rules(kms: Kms) -> None:
    """Another namespace, and another key, are refused before anybody is asked."""
    allowed, other = kms_key(kms), kms_key(kms)
    stranger = KeyUser(owner=RepoKey("till", "web"), timeout_seconds=30)
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={allowed.uri}"))
    endpoints = Endpoints({"kms": f"{kms.origin}/"})
    async with KeyServices(
        policy, endpoints=endpoints, identity=IdentitySettings(environment=OWN)
    ) as services:
        before = len(kms.decryptions())
        assert await services.open(allowed, user()) == Secret(DATA_KEY)
        assert kms.decryptions()[before:] == ["AKIANOPEA"]

        for key, who in ((other, user()), (allowed, stranger)):
            problem = await _problem(services, key, who)
            assert problem.code is Code.DECRYPTION_LOGIN
            assert f"--sops-keys={who.owner.namespace}={key.uri}" in problem.hint
        assert len(kms.decryptions()) == before + 1


async def test_without_a_rule_nopeas_login_is_never_used(kms: Kms, vault: Vault, tmp_path: Path) -> None:
    """It is there, and no tenant gets at it."""
    (tmp_path / "token").write_text(vault.token("identity-none"))
    settings = IdentitySettings(environment=OWN, vault_token_file=tmp_path / "token")
    before = kms.decryptions()
    async with KeyServices(
        POLICY, endpoints=Endpoints({"kms": f"{kms.origin}/"}), identity=settings
    ) as services:
        for key in (kms_key(kms), vault_key(vault, "identity-none")):
            assert (await _problem(services, key, user())).code is Code.DECRYPTION_LOGIN
    assert kms.decryptions() == before


@pytest.mark.parametrize("seconds", [float("nan"), float("inf"), 1e9, 3600.0, 0.0, -1.0])
async def test_a_login_is_kept_for_a_while_at_most(
    web_: KeyWeb, monkeypatch: pytest.MonkeyPatch, seconds: float
) -> None:
    """Whatever a service says of it."""
    identity = KeyIdentity(IdentitySettings(environment={}), web_)
    given: list[int] = []

    async def give() -> Lent[int]:
        given.append(len(given))
        return Lent(given[-1], seconds)

    found = [await identity.kept("a", give) for _ in range(2)]
    is_kept = seconds > 0
    assert found == ([0, 0] if is_kept else [0, 1])

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + 12 * 3600)
    assert await identity.kept("a", give) == found[-1] + 1
