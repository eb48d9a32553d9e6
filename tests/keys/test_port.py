"""The port, against a real KMS and a real Vault, and against servers that are up to something."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from tests.downloads.serving import ThreadedServer, Tls
from tests.keys.servers import Kms, Vault
from tests.keys.sops import DATA_KEY

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.azure import AzureLogin
from nopea.core.decryption.endpoints import Endpoints
from nopea.core.decryption.keys import AzureKey, GcpKey, KmsKey, VaultKey, WrappedKey
from nopea.core.decryption.logins import KeyLogins
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem, SyncError
from nopea.core.secret import Secret
from nopea.keys import http
from nopea.keys.port import KeyServices, KeyUser

POLICY = TenancyPolicy(git_networks=Networks.ANY)
AWS = AwsLogin(access_key="AKIASHOP", secret_key=Secret("secret-of-the-shop"))
TOKEN = "token-of-the-shop"


def user(*, token: str = "", seconds: float = 30, **logins_: Any) -> KeyUser:
    """Return who asks, with logins as `KeyLogins` has them."""
    logins = KeyLogins(vault_token=Secret(token), **logins_)
    return KeyUser(owner=RepoKey("shop", "web"), timeout_seconds=seconds, logins=logins)


@pytest_asyncio.fixture
async def services(kms: Kms) -> AsyncIterator[KeyServices]:
    """The port, which may connect to this host."""
    async with KeyServices(POLICY, endpoints=Endpoints({"kms": f"{kms.origin}/"})) as opened:
        yield opened


def kms_key(kms: Kms, context: dict[str, str] | None = None) -> KmsKey:
    """Return what a new key encrypted."""
    arn = kms.create_key()
    ciphertext = kms.encrypt(arn, DATA_KEY, context)
    return KmsKey(id="1", arn=arn, context=context or {}, ciphertext=ciphertext)


def vault_key(vault: Vault, name: str) -> VaultKey:
    """Return what a key encrypted."""
    vault.create_key(name)
    ciphertext = vault.encrypt(name, DATA_KEY)
    return VaultKey(id="1", address=vault.origin, mount="transit", name=name, ciphertext=ciphertext)


async def refusal(services: KeyServices, key: WrappedKey, who: KeyUser) -> Problem:
    """Return why a key is not opened; the reason quotes no login."""
    with pytest.raises(SyncError) as raised:
        await services.open(key, who)
    (problem,) = raised.value.problems
    for secret in ("secret-of-the-shop", TOKEN, key.ciphertext):
        assert secret not in str(problem)
    return problem


async def test_kms_opens_a_key_by_the_tenants_login(services: KeyServices, kms: Kms) -> None:
    """With the context that encrypted it."""
    key = kms_key(kms, {"tier": "shop"})
    who = user(aws=AWS, ca_crt=kms.ca_crt)

    assert await services.open(key, who) == Secret(DATA_KEY)
    assert kms.decryptions()[-1] == "AKIASHOP"

    problem = await refusal(services, replace(key, context={}), who)
    assert problem.code is Code.DECRYPTION_REFUSED
    assert "InvalidCiphertextException" in problem.message


async def test_vault_opens_a_key_by_the_tenants_token(services: KeyServices, vault: Vault) -> None:
    """The token may use this key; another one is refused."""
    key, other = vault_key(vault, "port-shop"), vault_key(vault, "port-till")
    who = user(token=vault.token("port-shop"), ca_crt=vault.ca_crt)

    assert await services.open(key, who) == Secret(DATA_KEY)

    problem = await refusal(services, other, who)
    assert problem.code is Code.DECRYPTION_REFUSED
    assert "permission denied" in problem.message


async def test_without_a_login_nobody_is_asked(services: KeyServices, kms: Kms, vault: Vault) -> None:
    """The hint names what to add."""
    before = kms.decryptions()

    of_kms = await refusal(services, kms_key(kms), user())
    of_vault = await refusal(services, vault_key(vault, "port-nobody"), user(aws=AWS))

    assert (of_kms.code, of_vault.code) == (Code.DECRYPTION_LOGIN, Code.DECRYPTION_LOGIN)
    assert ("sops.aws-kms" in of_kms.hint, "sops.vault-token" in of_vault.hint) == (True, True)
    assert kms.decryptions() == before


VAULT = VaultKey(
    id="1", address="https://vault.acme.example", mount="transit", name="shop", ciphertext="vault:v1:x"
)
KMS = KmsKey(id="1", arn="arn:aws:kms:eu-west-2:111122223333:key/a", ciphertext="AQICAHh4")

AZURE = AzureKey(
    id="1", vault="https://acme.vault.azure.net", name="shop", version="0a1b", ciphertext="dGVzdA"
)
GCP = GcpKey(id="1", resource="projects/p/locations/l/keyRings/r/cryptoKeys/k", ciphertext="CiQAx")


@pytest.mark.parametrize(
    "key",
    [
        replace(VAULT, address="https://vault.acme.example/v1/sys/seal?"),
        replace(VAULT, address="https://user:pw@vault.acme.example"),
        replace(VAULT, address="file:///etc/passwd"),
        replace(VAULT, mount="transit/../../sys"),
        replace(VAULT, mount=""),
        replace(VAULT, name="../x"),
        replace(VAULT, name="a?b"),
        replace(KMS, arn="arn:aws:kms:evil.example/:111122223333:key/a"),
        replace(KMS, arn="arn:aws:kms:eu-west-2:111122223333:key/a\nx"),
        replace(KMS, role="arn:aws:iam::1:role/x&Action=CreateUser"),
        replace(GCP, resource="projects/p/locations/l/keyRings/r/cryptoKeys/../x"),
        replace(GCP, resource="projects/../locations/l/keyRings/r/cryptoKeys/k"),
        replace(GCP, resource="projects/p/locations/l/keyRings/r/cryptoKeys/k?alt=media"),
        replace(GCP, resource="projects/p/locations/l/keyRings/r/cryptoKeys/k#x"),
        replace(GCP, resource="projects/p/locations/l/keyRings/r/cryptoKeys/k\n"),
        replace(GCP, resource="projects/p/locations/l/keyRings/r/cryptoKeys/k:destroy"),
        replace(KMS, arn=""),
        replace(VAULT, address="", name=""),
        replace(GCP, resource=""),
        replace(AZURE, vault="", name="", version=""),
        replace(AZURE, vault="https://user:pw@acme.vault.azure.net"),
        replace(AZURE, vault="https://evil.example/x.vault.azure.net"),
        replace(AZURE, vault="https://evil.example#.vault.azure.net"),
        replace(AZURE, vault="http://acme.vault.azure.net"),
        replace(AZURE, vault="https://acme.vault.azure.net/secrets/x?"),
        replace(AZURE, vault="https://acme.vault.azure.net\n"),
        replace(AZURE, name="../secrets/x"),
        replace(AZURE, name="a/b"),
        replace(AZURE, version=""),
        replace(AZURE, version="a?x"),
        replace(GCP, resource="@evil.example/projects/p/locations/l/keyRings/r/cryptoKeys/k"),
    ],
    ids=str,
)
async def test_what_is_not_written_as_a_key_is_sent_nowhere(services: KeyServices, key: WrappedKey) -> None:
    """Whoever may push chooses these texts."""
    problem = await refusal(services, key, user(aws=AWS, token=TOKEN))

    assert problem.code is Code.DECRYPTION_REFUSED
    assert "is not written as a key" in problem.message
    assert "pw@" not in problem.message


@pytest.mark.parametrize(
    "vault",
    [
        "https://vault.azure.net.evil.example",
        "https://evil.example",
        "https://acme.vault.azure.net:8443",
        "https://acmevault.azure.net",
        "https://a.b.vault.azure.net",
        "https://acme.vault.azure.net.",
        "https://169.254.169.254",
    ],
)
async def test_a_token_of_azure_goes_to_no_other_host(services: KeyServices, vault: str) -> None:
    """Whoever may push chooses the vault; its host would get a token for all vaults of the login."""
    login = AzureLogin(tenant="t", client="c", secret=Secret(TOKEN))

    problem = await refusal(services, replace(AZURE, vault=vault), user(azure=login))

    assert problem.code is Code.DECRYPTION_REFUSED
    assert "its address is not one of Azure Key Vault" in problem.message


class Hostile(ThreadedServer):
    """A server that a tenant chose; remembers what it was sent."""

    def __init__(self, tls: Tls | None, answer: web.Response | None) -> None:
        super().__init__(tls=tls)
        self.seen: list[str] = []
        self._answer = answer

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Give the answer, or none."""
        self.seen.append(request.path)
        if self._answer is None:
            await asyncio.Event().wait()
        assert self._answer is not None
        return web.Response(status=self._answer.status, body=self._answer.body, headers=self._answer.headers)


def _key_at(server: ThreadedServer) -> VaultKey:
    return replace(VAULT, address=server.origin)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (web.Response(status=307, headers={"Location": "/v1/other"}), Code.DECRYPTION_REFUSED, "307"),
        (web.Response(status=503, headers={"Retry-After": "7"}), Code.KEY_SERVICE_UNREACHABLE, "503"),
        (web.Response(status=429), Code.KEY_SERVICE_UNREACHABLE, "429"),
        (web.Response(body=b"{"), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b'{"data": {"plaintext": ""}}'), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b"x" * (http.MAX_ANSWER + 1)), Code.KEY_SERVICE_UNREACHABLE, "larger than"),
        (web.Response(status=400, body=b"internal page"), Code.DECRYPTION_REFUSED, "HTTP 400."),
    ],
)
async def test_answers_of_a_hostile_server(
    services: KeyServices, tls: Tls, answer: web.Response, code: Code, said: str
) -> None:
    """No redirect is followed, no text is quoted, and nothing grows."""
    with Hostile(tls, answer) as server:
        problem = await refusal(services, _key_at(server), user(token=TOKEN, ca_crt=tls.ca_crt))

    assert problem.code is code
    assert said in problem.message
    assert "internal page" not in problem.message
    assert server.seen == ["/v1/transit/decrypt/shop"]
    assert problem.retry_after_seconds == (7 if answer.status == 503 else 0)


async def test_a_server_that_says_nothing_is_given_up(services: KeyServices, tls: Tls) -> None:
    """By the deadline of the sync, at the latest by that of the port."""
    with Hostile(tls, None) as server:
        who = user(token=TOKEN, ca_crt=tls.ca_crt, seconds=0.5)
        problem = await refusal(services, _key_at(server), who)

    assert problem.code is Code.KEY_SERVICE_UNREACHABLE


async def test_a_tenants_login_stays_within_the_networks(tls: Tls) -> None:
    """As Git does; a server that is there and one that is not look the same."""
    with Hostile(tls, web.Response()) as server:
        async with KeyServices(TenancyPolicy(git_networks=Networks.PRIVATE)) as services:
            problem = await refusal(services, _key_at(server), user(token=TOKEN, ca_crt=tls.ca_crt))

    assert problem.code is Code.DECRYPTION_REFUSED
    assert "may not connect" in problem.message
    assert server.seen == []


@pytest.mark.parametrize("address", ["http://vault.acme.example", "https://vault.other.example"])
async def test_a_tenants_login_is_not_sent_in_the_clear_nor_to_other_hosts(address: str) -> None:
    """The rules of the process for credentials hold."""
    async with KeyServices(TenancyPolicy(allowed_hosts=("*.acme.example",))) as services:
        problem = await refusal(services, replace(VAULT, address=address), user(token=TOKEN))

    assert problem.code is Code.NOT_ALLOWED


async def test_a_certificate_that_nobody_trusts_gets_no_login(services: KeyServices, tls: Tls) -> None:
    """The hint is not to try again."""
    with Hostile(tls, web.Response()) as server:
        problem = await refusal(services, _key_at(server), user(token=TOKEN))

    assert problem.code is Code.DECRYPTION_REFUSED
    assert "certificate" in problem.message
    assert "ca.crt" in problem.hint
    assert server.seen == []


async def test_a_service_that_is_away_is_told_as_such(kms: Kms) -> None:
    """Time mends it."""
    async with KeyServices(POLICY, endpoints=Endpoints({"kms": "https://127.0.0.1:9/"})) as services:
        problem = await refusal(services, kms_key(kms), user(aws=AWS))

    assert problem.code is Code.KEY_SERVICE_UNREACHABLE
