"""Nopea's own logins: at a real Vault, and at an STS that answers as its reference describes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl

import jwt
import pytest
import pytest_asyncio
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from tests.downloads.serving import ThreadedServer, Tls
from tests.keys.servers import Kms, Vault
from tests.keys.sops import DATA_KEY
from tests.keys.test_port import AWS, POLICY, VAULT, kms_key, user, vault_key

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.endpoints import Endpoints
from nopea.core.decryption.keys import KmsKey, WrappedKey
from nopea.core.decryption.rules import parse_rules
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, SyncError
from nopea.core.secret import Secret
from nopea.keys.aws import AwsKms
from nopea.keys.http import KeyWeb
from nopea.keys.identity import Identity, IdentitySettings, NoIdentityError
from nopea.keys.port import KeyServices, KeyUser
from nopea.keys.vault import VaultTransit

OWN = {"AWS_ACCESS_KEY_ID": "AKIANOPEA", "AWS_SECRET_ACCESS_KEY": "secret-of-nopea"}
ROLE = "arn:aws:iam::111122223333:role/nopea"
IN_LONDON = KmsKey(id="1", arn="arn:aws:kms:eu-west-2:111122223333:key/a", ciphertext="AQICAHh4")
ANSWER = """<AssumeRoleWithWebIdentityResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/">
<AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>ASIA{number}</AccessKeyId>
<SecretAccessKey>given</SecretAccessKey><SessionToken>session</SessionToken>
<Expiration>2026-11-01T01:00:00Z</Expiration></Credentials></AssumeRoleWithWebIdentityResult>
</AssumeRoleWithWebIdentityResponse>"""


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kms: Kms, vault: Vault) -> None:
    """Nopea's own requests trust the authorities of the system, which are those of the servers here."""
    (tmp_path / "ca.crt").write_text(kms.ca_crt + vault.ca_crt)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))


class Sts(ThreadedServer):
    """Gives a login for the token "token of the pod", each with another name."""

    def __init__(self, tls: Tls) -> None:
        super().__init__(tls=tls)
        self.asked: list[dict[str, str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as STS does."""
        fields = dict(parse_qsl(await request.text()))
        self.asked.append(fields)
        if fields["Action"] == "AssumeRole":
            assert "Credential=AKIASHOP/" in request.headers["Authorization"]
            return web.Response(text=ANSWER.format(number=len(self.asked)))
        if fields.get("WebIdentityToken") != "token of the pod":
            refusal = "<ErrorResponse><Error><Code>InvalidIdentityToken</Code></Error></ErrorResponse>"
            return web.Response(status=400, text=refusal)
        assert "Authorization" not in request.headers
        return web.Response(text=ANSWER.format(number=len(self.asked)))


@pytest.fixture
def sts(tls: Tls) -> Iterator[Sts]:
    """STS."""
    with Sts(tls) as running:
        yield running


@pytest_asyncio.fixture
async def web_() -> AsyncIterator[KeyWeb]:
    """Connections, which are limited to public addresses for tenants."""
    async with KeyWeb(Networks.PUBLIC, {}) as opened:
        yield opened


def _web_identity(folder: Path, text: str = "token of the pod\n") -> dict[str, str]:
    (folder / "aws-token").write_text(text)
    return {"AWS_ROLE_ARN": ROLE, "AWS_WEB_IDENTITY_TOKEN_FILE": str(folder / "aws-token")}


def _aws(settings: IdentitySettings, web_: KeyWeb, sts: Sts) -> AwsKms:
    return AwsKms(Identity(settings, web_), Endpoints({"sts": f"{sts.origin}/"}))


class Agent(ThreadedServer):
    """The agent of EKS Pod Identity, on this host; each login has another name, and ends in an hour."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[tuple[str, str, str]] = []

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as the agent does."""
        self.asked.append((request.method, request.path, request.headers.get("Authorization", "")))
        if self.asked[-1][2] != "token of the pod":
            return web.Response(status=400, text="(AccessDeniedException): unauthorized")
        ends = datetime.now(UTC) + timedelta(hours=1)
        login = {
            "AccessKeyId": f"ASIAPOD{len(self.asked)}",
            "SecretAccessKey": "given",
            "Token": "session",
            "AccountId": "111122223333",
            "Expiration": f"{ends:%Y-%m-%dT%H:%M:%SZ}",
        }
        return web.json_response(login)


@pytest.fixture
def agent() -> Iterator[Agent]:
    """The agent."""
    with Agent() as running:
        yield running


def _pod_identity(folder: Path, agent: Agent, text: str = "token of the pod\n") -> dict[str, str]:
    (folder / "eks-token").write_text(text)
    return {
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(folder / "eks-token"),
        "AWS_CONTAINER_CREDENTIALS_FULL_URI": f"{agent.origin}/v1/credentials",
    }


async def test_sources_of_a_login_come_in_the_order_of_awss_tools(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path
) -> None:
    """The environment, the role of the service account, the agent of the Pod; nobody else is asked."""
    by_agent = _pod_identity(tmp_path, agent)
    by_role = {**by_agent, **_web_identity(tmp_path)}
    found = [
        (await _aws(IdentitySettings(environment=environment), web_, sts).own(IN_LONDON)).access_key
        for environment in ({**by_role, **OWN}, by_role, by_agent)
    ]

    assert found == ["AKIANOPEA", "ASIA1", "ASIAPOD1"]
    assert (len(sts.asked), len(agent.asked)) == (1, 1)


async def test_the_role_of_the_service_account(web_: KeyWeb, sts: Sts, tmp_path: Path) -> None:
    """A login that was given is kept."""
    settings = IdentitySettings(environment=_web_identity(tmp_path))
    identity = _aws(settings, web_, sts)
    assert "secret-of-nopea" not in repr(IdentitySettings(environment=OWN))

    login = await identity.own(IN_LONDON)

    assert (login.access_key, login.session_token) == ("ASIA1", Secret("session"))
    assert await identity.own(IN_LONDON) == login
    identity.forget()
    assert await identity.own(IN_LONDON) == login, "it is new"
    (asked,) = sts.asked
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRoleWithWebIdentity", ROLE)


async def test_pod_identity_gives_a_login_until_it_ends(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is kept; the token is read again for the next one."""
    identity = _aws(IdentitySettings(environment=_pod_identity(tmp_path, agent)), web_, sts)

    login = await identity.own(IN_LONDON)
    assert (login.access_key, login.session_token) == ("ASIAPOD1", Secret("session"))
    assert await identity.own(IN_LONDON) == login
    assert agent.asked == [("GET", "/v1/credentials", "token of the pod")]

    monkeypatch.setattr(asyncio.get_running_loop(), "time", lambda: time.monotonic() + 3590)
    assert (await identity.own(IN_LONDON)).access_key == "ASIAPOD2"

    identity = _aws(IdentitySettings(environment=_pod_identity(tmp_path, agent, "another")), web_, sts)
    with pytest.raises(NoIdentityError, match=r"EKS Pod Identity gave Nopea no login .* HTTP 400"):
        await identity.own(IN_LONDON)


async def test_a_token_is_sent_to_no_other_host_in_the_clear(
    web_: KeyWeb, sts: Sts, agent: Agent, tmp_path: Path
) -> None:
    """As AWS's own tools have it."""
    environment = _pod_identity(tmp_path, agent)
    environment["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = "http://agent.acme.example/v1/credentials"
    with pytest.raises(NoIdentityError, match="AWS_CONTAINER_CREDENTIALS_FULL_URI names neither"):
        await _aws(IdentitySettings(environment=environment), web_, sts).own(IN_LONDON)


async def test_a_login_that_a_service_refused_is_asked_for_again(
    web_: KeyWeb, sts: Sts, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it is new. The file is read again: whoever writes it, replaces it."""
    monkeypatch.setattr("nopea.keys.identity._NEW_SECONDS", -1.0)
    settings = IdentitySettings(environment=_web_identity(tmp_path))
    identity = _aws(settings, web_, sts)
    assert (await identity.own(IN_LONDON)).access_key == "ASIA1"

    identity.forget()
    assert (await identity.own(IN_LONDON)).access_key == "ASIA2"

    identity.forget()
    _web_identity(tmp_path, "another token")
    with pytest.raises(NoIdentityError, match="HTTP 400, InvalidIdentityToken"):
        await identity.own(IN_LONDON)


@pytest.mark.parametrize("text", ["", "two\nlines", "\x00"])
async def test_a_file_without_a_token_is_told(web_: KeyWeb, sts: Sts, tmp_path: Path, text: str) -> None:
    """And nobody is asked."""
    settings = IdentitySettings(environment=_web_identity(tmp_path, text), vault_token_file=tmp_path / "gone")
    identity = _aws(settings, web_, sts)

    with pytest.raises(NoIdentityError, match="has no token"):
        await identity.own(IN_LONDON)
    with pytest.raises(NoIdentityError, match="No such file"):
        await VaultTransit(Identity(settings, web_)).own(VAULT)
    assert sts.asked == []


async def test_without_an_identity_there_is_none(web_: KeyWeb) -> None:
    """The errors say what to set."""
    settings = IdentitySettings(environment={})
    identity = AwsKms(Identity(settings, web_), Endpoints())

    with pytest.raises(NoIdentityError, match="its Pod has no role"):
        await identity.own(IN_LONDON)
    with pytest.raises(NoIdentityError, match="--sops-vault-token-file"):
        await VaultTransit(Identity(settings, web_)).own(VAULT)


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
    identity = VaultTransit(Identity(settings, web_))

    token = await identity.own(key)

    assert await identity.own(key) == token
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={key.uri}"))
    async with KeyServices(policy, identity=settings) as services:
        assert await services.open(key, user()) == Secret(DATA_KEY)

    (tmp_path / "jwt").write_text("not.a.token")
    with pytest.raises(NoIdentityError, match="Vault gave Nopea no token as identity-jwt/nopea"):
        await VaultTransit(Identity(settings, web_)).own(key)


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


async def test_a_role_in_the_file_is_assumed_by_the_tenants_login(kms: Kms, sts: Sts) -> None:
    """KMS is asked as the role."""
    key = replace(kms_key(kms), role=ROLE)
    endpoints = Endpoints({"kms": f"{kms.origin}/", "sts": f"{sts.origin}/"})
    async with KeyServices(POLICY, endpoints=endpoints) as services:
        assert await services.open(key, user(aws=AWS, ca_crt=kms.ca_crt)) == Secret(DATA_KEY)

    assert [fields["RoleArn"] for fields in sts.asked] == [ROLE]
    assert kms.decryptions()[-1] == "ASIA1"


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
