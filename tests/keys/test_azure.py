"""Azure Key Vault: a tenant's client, and Nopea's own identity by Workload Identity or a secret."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web
from tests.downloads.serving import ThreadedServer, Tls
from tests.keys.clouds import AzureCloud, Dripping
from tests.keys.sops import DATA_KEY
from tests.keys.test_port import refusal, user

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.azure import AzureLogin
from nopea.core.decryption.endpoints import ENTRA, Endpoints
from nopea.core.decryption.keys import AzureKey
from nopea.core.decryption.rules import parse_rules
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.keys import http
from nopea.keys.identity import IdentitySettings
from nopea.keys.port import NOBODY, KeyServices, KeyUser

pytestmark = pytest.mark.usefixtures("trusted")
OURS = "11111111-0000-4000-8000-000000000001"
THEIRS = "22222222-0000-4000-8000-000000000002"
VAULTS = "https://vault.azure.net/.default"


def azure_key(azure: AzureCloud) -> AzureKey:
    """Return what a new key encrypted."""
    key = azure.create_key()
    name, _, version = key.partition("/")
    ciphertext = azure.encrypt(key, DATA_KEY)
    return AzureKey(id="1", vault=azure.origin, name=name, version=version, ciphertext=ciphertext)


def _name(key: AzureKey) -> str:
    return f"{key.name}/{key.version}"


def _services(
    azure: ThreadedServer,
    *rules: str,
    identity: IdentitySettings = NOBODY,
    networks: Networks = Networks.ANY,
    entra: ThreadedServer | None = None,
) -> KeyServices:
    # The vault is on this host, so an operator has to name it.
    named = f"elsewhere={azure.origin}/keys/any/1"
    policy = TenancyPolicy(sops_keys=parse_rules(",".join((named, *rules))), git_networks=networks)
    return KeyServices(policy, endpoints=Endpoints({ENTRA: (entra or azure).origin}), identity=identity)


def _login(secret: str, client: str = THEIRS) -> AzureLogin:
    return AzureLogin(tenant=AzureCloud.TENANT, client=client, secret=Secret(secret))


async def test_a_key_is_opened_by_the_tenants_client(azure: AzureCloud) -> None:
    """Its token is for vaults only. The client may use this key; another one is refused."""
    key, other = azure_key(azure), azure_key(azure)
    who = user(azure=_login(azure.client(THEIRS, _name(key))))
    async with _services(azure) as services:
        assert await services.open(key, who) == Secret(DATA_KEY)
        assert azure.logins[-1] == (THEIRS, VAULTS)
        assert azure.decryptions[-1] == THEIRS

        problem = await refusal(services, other, who)
        assert (problem.code, "ForbiddenByRbac" in problem.message) == (Code.DECRYPTION_REFUSED, True)
        problem = await refusal(services, replace(key, ciphertext="AAAA"), who)
        assert (problem.code, "BadParameter" in problem.message) == (Code.DECRYPTION_REFUSED, True)


async def test_a_secret_that_is_wrong_is_told(azure: AzureCloud) -> None:
    """By the name of Entra's error, and without its text."""
    key = azure_key(azure)
    azure.client(THEIRS, _name(key))
    async with _services(azure) as services:
        problem = await refusal(services, key, user(azure=_login("wrong-secret")))

    assert (problem.code, "invalid_client" in problem.message) == (Code.DECRYPTION_REFUSED, True)
    assert "wrong-secret" not in str(problem)
    assert "internal page" not in str(problem)


async def test_without_a_login_nobody_is_asked(azure: AzureCloud) -> None:
    """The hint names what to add."""
    key = azure_key(azure)
    before = len(azure.logins)
    async with _services(azure) as services:
        problem = await refusal(services, key, user())

    assert problem.code is Code.DECRYPTION_LOGIN
    assert "sops.azure-kv" in problem.hint
    assert f"--sops-keys=shop={key.uri}" in problem.hint
    assert len(azure.logins) == before


async def test_a_tenants_secret_goes_where_the_rules_for_credentials_allow() -> None:
    """The hosts of Microsoft too, unless an operator chose them."""
    key = AzureKey(
        id="1", vault="https://acme.vault.azure.net", name="shop", version="1", ciphertext="dGVzdA"
    )
    who = user(azure=_login("secret"))
    for hosts, refused in (
        ("*.acme.example", "login.microsoftonline.com"),
        ("login.microsoftonline.us", "login.microsoftonline.com"),
    ):
        async with KeyServices(TenancyPolicy(allowed_hosts=(hosts,))) as services:
            problem = await refusal(services, key, who)
        assert (problem.code, refused in problem.message) == (Code.NOT_ALLOWED, True)


def _in_environment(client: str, **more: str) -> IdentitySettings:
    environment = {"AZURE_TENANT_ID": AzureCloud.TENANT, "AZURE_CLIENT_ID": client, **more}
    return IdentitySettings(environment=environment)


async def test_nopeas_identity_is_for_the_namespaces_and_keys_of_the_rules(
    azure: AzureCloud, tmp_path: Path
) -> None:
    """Workload Identity: Entra gives a token for that of the service account, which is kept."""
    allowed, other = azure_key(azure), azure_key(azure)
    azure.client(OURS, _name(allowed), _name(other), proof="token of the cluster")
    (tmp_path / "azure-token").write_text("token of the cluster\n")
    identity = _in_environment(OURS, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "azure-token"))
    stranger = KeyUser(owner=RepoKey("till", "web"), timeout_seconds=30)
    before = len(azure.logins)
    async with _services(
        azure, f"shop={allowed.uri}", identity=identity, networks=Networks.PUBLIC
    ) as services:
        for key, who in ((other, user()), (allowed, stranger)):
            problem = await refusal(services, key, who)
            assert problem.code is Code.DECRYPTION_LOGIN
        assert len(azure.logins) == before

        for _ in range(2):
            assert await services.open(allowed, user()) == Secret(DATA_KEY)

    assert azure.logins[before:] == [(OURS, VAULTS)]
    assert azure.decryptions[-2:] == [OURS] * 2


async def test_nopeas_identity_goes_to_the_vault_of_the_rule_and_to_no_other(
    azure: AzureCloud, tls: Tls
) -> None:
    """A key of the same name in a vault of a tenant's choice is another key."""
    key = azure_key(azure)
    identity = _in_environment(OURS, AZURE_CLIENT_SECRET=azure.client(OURS, _name(key)))
    with Dripping(tls, web.Response()) as theirs:
        async with _services(azure, f"shop={key.uri}", identity=identity) as services:
            problem = await refusal(services, replace(key, vault=theirs.origin), user())
            assert problem.code is Code.DECRYPTION_REFUSED
            problem = await refusal(services, replace(key, vault="https://evil.vault.azure.net"), user())
            assert problem.code is Code.DECRYPTION_LOGIN
            problem = await refusal(services, replace(key, version="1"), user())
            assert problem.code is Code.DECRYPTION_LOGIN
        assert theirs.seen == []


async def test_a_secret_of_the_environment_comes_before_workload_identity(
    azure: AzureCloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in Azure's own tools. A token that is refused is asked for again at once, if it is not new."""
    key = azure_key(azure)
    secret = azure.client(OURS, _name(key))
    identity = _in_environment(
        OURS, AZURE_CLIENT_SECRET=secret, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "gone")
    )
    assert secret not in repr(identity)
    async with _services(azure, f"shop={key.uri}", identity=identity) as services:
        assert await services.open(key, user()) == Secret(DATA_KEY)
        before = len(azure.logins)

        azure.revoke()
        problem = await refusal(services, key, user())
        assert (problem.code, "Unauthorized" in problem.message) == (Code.DECRYPTION_REFUSED, True)
        assert len(azure.logins) == before, "it is new"

        monkeypatch.setattr("nopea.keys.identity._NEW_SECONDS", -1.0)
        assert await services.open(key, user()) == Secret(DATA_KEY)
        assert len(azure.logins) == before + 1


async def test_all_who_had_an_old_token_get_the_new_one(
    azure: AzureCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first of them forgets it; and a refusal that stays is one after two tries."""
    key, other = azure_key(azure), azure_key(azure)
    identity = _in_environment(OURS, AZURE_CLIENT_SECRET=azure.client(OURS, _name(key)))
    async with _services(azure, f"shop={key.uri}", f"shop={other.uri}", identity=identity) as services:
        await services.open(key, user())
        azure.revoke()
        loop, before = asyncio.get_running_loop(), len(azure.logins)
        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 60)

        found = await asyncio.gather(*(services.open(key, user()) for _ in range(6)))
        assert found == [Secret(DATA_KEY)] * 6
        assert len(azure.logins) == before + 1

        monkeypatch.setattr(loop, "time", lambda: time.monotonic() + 120)
        problem = await refusal(services, other, user())
        assert (problem.code, "ForbiddenByRbac" in problem.message) == (Code.DECRYPTION_REFUSED, True)
        assert len(azure.logins) == before + 2


async def test_without_an_identity_there_is_none(azure: AzureCloud, tmp_path: Path) -> None:
    """Nor where Entra does not know the token of the cluster."""
    key = azure_key(azure)
    azure.client(OURS, _name(key))
    async with _services(azure, f"shop={key.uri}") as services:
        problem = await refusal(services, key, user())
        assert (problem.code, "no login at Azure" in problem.message) == (Code.DECRYPTION_LOGIN, True)

    (tmp_path / "token").write_text("unknown")
    identity = _in_environment(OURS, AZURE_FEDERATED_TOKEN_FILE=str(tmp_path / "token"))
    async with _services(azure, f"shop={key.uri}", identity=identity) as services:
        problem = await refusal(services, key, user())
        assert (problem.code, "invalid_client" in problem.message) == (Code.DECRYPTION_LOGIN, True)


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (web.Response(status=307, headers={"Location": "/other"}), Code.DECRYPTION_REFUSED, "307"),
        (web.Response(status=503), Code.KEY_SERVICE_UNREACHABLE, "503"),
        (web.Response(body=b'{"value": "+/+/"}'), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b'{"value": 1}'), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b"x" * (http.MAX_ANSWER + 1)), Code.KEY_SERVICE_UNREACHABLE, "larger than"),
        (web.Response(status=403, body=b'{"error": "internal page"}'), Code.DECRYPTION_REFUSED, "403."),
        (None, Code.KEY_SERVICE_UNREACHABLE, "too long"),
    ],
)
async def test_answers_of_a_hostile_vault(
    azure: AzureCloud, tls: Tls, answer: web.Response | None, code: Code, said: str
) -> None:
    """No redirect is followed, no text is quoted, nothing grows, and nothing lasts."""
    secret = azure.client(THEIRS)
    with Dripping(tls, answer) as server:
        key = AzureKey(id="1", vault=server.origin, name="any", version="1", ciphertext="dGVzdA")
        async with _services(server, entra=azure) as services:
            who = user(azure=_login(secret), seconds=30 if answer else 1.0)
            problem = await refusal(services, key, who)

    assert (problem.code, said in problem.message) == (code, True), problem
    assert "internal page" not in problem.message
    # What drips may be given up before it was asked, where everything is slow.
    assert answer is None or server.seen == ["/keys/any/1/decrypt"]
