"""Google Cloud KMS: a tenant's service account, and Nopea's own identity by a node's server or by a file."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
import pytest_asyncio
from aiohttp import web
from tests.downloads.serving import ThreadedServer, Tls
from tests.keys.clouds import CloudKms, Dripping, Metadata
from tests.keys.sops import DATA_KEY
from tests.keys.test_port import POLICY, refusal, user

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.endpoints import CLOUD_KMS, Endpoints
from nopea.core.decryption.gcp import GcpAccount, account_of
from nopea.core.decryption.keys import GcpKey
from nopea.core.decryption.rules import parse_rules
from nopea.core.git.networks import Networks
from nopea.core.objects import RepoKey
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.keys import http
from nopea.keys.identity import IdentitySettings
from nopea.keys.port import KeyServices, KeyUser

EMAIL = "shop@acme-keys.iam.gserviceaccount.com"
pytestmark = pytest.mark.usefixtures("trusted")
IN_FILE = "GOOGLE_APPLICATION_CREDENTIALS"


def gcp_key(cloud_kms: CloudKms) -> GcpKey:
    """Return what a new key encrypted."""
    resource = cloud_kms.create_key()
    return GcpKey(id="1", resource=resource, ciphertext=cloud_kms.encrypt(resource, DATA_KEY))


def login(file: str) -> GcpAccount:
    """Return the service account of a file of credentials."""
    account = account_of(json.loads(file))
    assert isinstance(account, GcpAccount)
    return account


def _at(server: ThreadedServer) -> Endpoints:
    return Endpoints({CLOUD_KMS: server.origin})


@pytest_asyncio.fixture
async def services(cloud_kms: CloudKms) -> AsyncIterator[KeyServices]:
    """The port, for which Google Cloud is on this host."""
    async with KeyServices(POLICY, endpoints=_at(cloud_kms)) as opened:
        yield opened


async def test_a_key_is_opened_by_the_tenants_service_account(
    services: KeyServices, cloud_kms: CloudKms
) -> None:
    """The account may use this key; another one is refused."""
    key, other = gcp_key(cloud_kms), gcp_key(cloud_kms)
    who = user(gcp=login(cloud_kms.account(EMAIL, key.resource)))
    assert "PRIVATE" not in repr(who)

    assert await services.open(key, who) == Secret(DATA_KEY)
    assert cloud_kms.decryptions[-1] == EMAIL

    problem = await refusal(services, other, who)
    assert (problem.code, "PERMISSION_DENIED" in problem.message) == (Code.DECRYPTION_REFUSED, True)
    problem = await refusal(services, replace(key, ciphertext="AAAA"), who)
    assert (problem.code, "INVALID_ARGUMENT" in problem.message) == (Code.DECRYPTION_REFUSED, True)


async def test_a_signature_of_another_key_is_refused(services: KeyServices, cloud_kms: CloudKms) -> None:
    """The server of the tests checks it, as the service does."""
    key = gcp_key(cloud_kms)
    forged = login(cloud_kms.account("other@acme-keys.iam.gserviceaccount.com"))
    cloud_kms.account(EMAIL, key.resource)

    problem = await refusal(services, key, user(gcp=replace(forged, email=EMAIL)))

    assert (problem.code, "UNAUTHENTICATED" in problem.message) == (Code.DECRYPTION_REFUSED, True)


async def test_without_a_login_nobody_is_asked(services: KeyServices, cloud_kms: CloudKms) -> None:
    """The hint names what to add."""
    key = gcp_key(cloud_kms)
    before = len(cloud_kms.decryptions)

    problem = await refusal(services, key, user())

    assert problem.code is Code.DECRYPTION_LOGIN
    assert "sops.gcp-kms" in problem.hint
    assert f"--sops-keys=shop={key.resource}" in problem.hint
    assert len(cloud_kms.decryptions) == before


async def test_a_tenants_token_goes_to_hosts_that_are_allowed() -> None:
    """Unless an operator says where the service is."""
    key = GcpKey(id="1", resource="projects/p/locations/l/keyRings/r/cryptoKeys/k", ciphertext="CiQAx")
    with CloudKms(None) as away:  # only to have an account
        who = user(gcp=login(away.account(EMAIL)))
    async with KeyServices(TenancyPolicy(allowed_hosts=("*.acme.example",))) as services:
        problem = await refusal(services, key, who)

    assert problem.code is Code.NOT_ALLOWED
    assert "cloudkms.googleapis.com" in problem.message


def _identity(**environment: str) -> IdentitySettings:
    return IdentitySettings(environment=environment)


@pytest.fixture
def metadata(cloud_kms: CloudKms) -> Iterator[Metadata]:
    """The metadata server, whose token may do nothing."""
    with Metadata(cloud_kms.token("nopea-on-gke")) as running:
        yield running


async def test_nopeas_identity_is_for_the_namespaces_and_keys_of_the_rules(
    cloud_kms: CloudKms, metadata: Metadata
) -> None:
    """The node's server is asked for the Pod's token once, and for nobody else."""
    allowed, other = gcp_key(cloud_kms), gcp_key(cloud_kms)
    metadata.token = cloud_kms.token("nopea-on-gke", allowed.resource, other.resource)
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={allowed.uri}"), git_networks=Networks.PUBLIC)
    identity = _identity(GCE_METADATA_HOST=metadata.host)
    stranger = KeyUser(owner=RepoKey("till", "web"), timeout_seconds=30)
    async with KeyServices(policy, endpoints=_at(cloud_kms), identity=identity) as services:
        for key, who in ((other, user()), (allowed, stranger)):
            problem = await refusal(services, key, who)
            assert problem.code is Code.DECRYPTION_LOGIN
        assert metadata.asked == []

        for _ in range(2):
            assert await services.open(allowed, user()) == Secret(DATA_KEY)

    assert cloud_kms.decryptions[-2:] == ["nopea-on-gke"] * 2
    assert len(metadata.asked) == 1


async def test_a_token_that_is_refused_is_asked_for_again(
    cloud_kms: CloudKms, metadata: Metadata, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is not new."""
    monkeypatch.setattr("nopea.keys.identity._NEW_SECONDS", -1.0)
    key = gcp_key(cloud_kms)
    metadata.token = "ya29.revoked"
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={key.uri}"))
    identity = _identity(GCE_METADATA_HOST=metadata.host)
    async with KeyServices(policy, endpoints=_at(cloud_kms), identity=identity) as services:
        problem = await refusal(services, key, user())
        assert (problem.code, "UNAUTHENTICATED" in problem.message) == (Code.DECRYPTION_REFUSED, True)
        assert "revoked" not in str(problem)
        assert len(metadata.asked) == 2, "there may be another by now"

        metadata.token = cloud_kms.token("nopea-on-gke", key.resource)
        assert await services.open(key, user()) == Secret(DATA_KEY)


async def _opened_by_file(cloud_kms: CloudKms, key: GcpKey, file: Path) -> Secret:
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={key.uri}"))
    # The file comes before the node's server, which would not answer here.
    identity = _identity(GOOGLE_APPLICATION_CREDENTIALS=str(file), GCE_METADATA_HOST="127.0.0.1:9")
    async with KeyServices(policy, endpoints=_at(cloud_kms), identity=identity) as services:
        return await services.open(key, user())


async def test_nopeas_service_account_is_in_a_file(cloud_kms: CloudKms, tmp_path: Path) -> None:
    """As Google's own clients read it."""
    key = gcp_key(cloud_kms)
    (tmp_path / "gcp.json").write_text(cloud_kms.account("nopea@acme-keys.example", key.resource))

    assert await _opened_by_file(cloud_kms, key, tmp_path / "gcp.json") == Secret(DATA_KEY)
    assert cloud_kms.decryptions[-1] == "nopea@acme-keys.example"


class Exchange(ThreadedServer):
    """Google's token service, and IAM, which gives a token of a service account."""

    def __init__(self, tls: Tls, exchanged: str, impersonated: str) -> None:
        super().__init__(tls=tls)
        self._exchanged, self._impersonated = exchanged, impersonated

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer as both do."""
        if request.path == "/v1/token":
            fields = dict(parse_qsl(await request.text()))
            if (
                fields["subject_token"] != "token of the cluster"
                or fields["audience"] != "//iam.example/pool"
            ):
                return web.json_response({"error": "invalid_grant", "error_description": "x"}, status=400)
            assert fields["grant_type"] == "urn:ietf:params:oauth:grant-type:token-exchange"
            return web.json_response({"access_token": self._exchanged, "expires_in": 3600})
        if request.headers["Authorization"] != f"Bearer {self._exchanged}":
            return web.Response(status=401)
        ends = datetime.now(UTC) + timedelta(hours=1)
        return web.json_response(
            {"accessToken": self._impersonated, "expireTime": f"{ends:%Y-%m-%dT%H:%M:%SZ}"}
        )


def _external(server: Exchange, source: dict[str, Any], **more: str) -> str:
    return json.dumps(
        {
            "type": "external_account",
            "audience": "//iam.example/pool",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": f"{server.origin}/v1/token",
            "credential_source": source,
            **more,
        }
    )


async def test_a_token_of_the_cluster_is_exchanged(cloud_kms: CloudKms, tls: Tls, tmp_path: Path) -> None:
    """Workload Identity Federation, for a principal or for a service account; the file is text or JSON."""
    key = gcp_key(cloud_kms)
    principal = cloud_kms.token("principal", key.resource)
    account = cloud_kms.token("account", key.resource)
    (tmp_path / "token").write_text("token of the cluster\n")
    (tmp_path / "token.json").write_text('{"jwt": "token of the cluster"}')
    (tmp_path / "old").write_text("old")
    json_format = {"type": "json", "subject_token_field_name": "jwt"}
    file = tmp_path / "gcp.json"
    with Exchange(tls, principal, account) as server:
        file.write_text(_external(server, {"file": str(tmp_path / "token")}))
        assert await _opened_by_file(cloud_kms, key, file) == Secret(DATA_KEY)

        file.write_text(
            _external(
                server,
                {"file": str(tmp_path / "token.json"), "format": json_format},
                service_account_impersonation_url=f"{server.origin}/v1/accounts/nopea:generateAccessToken",
            )
        )
        assert await _opened_by_file(cloud_kms, key, file) == Secret(DATA_KEY)
        assert cloud_kms.decryptions[-2:] == ["principal", "account"]

        file.write_text(_external(server, {"file": str(tmp_path / "old")}))
        problem = await _own_refusal(file)
        assert (problem.code, "invalid_grant" in problem.message) == (Code.DECRYPTION_LOGIN, True)
        file.write_text(_external(server, {"file": str(tmp_path / "token.json"), "format": {"type": "json"}}))
        assert "invalid_grant" in (await _own_refusal(file)).message


async def _own_refusal(file: Path | None) -> Any:
    key = GcpKey(id="1", resource="projects/p/locations/l/keyRings/r/cryptoKeys/k", ciphertext="CiQAx")
    policy = TenancyPolicy(sops_keys=parse_rules(f"shop={key.uri}"))
    environment = {"GCE_METADATA_HOST": "127.0.0.1:9", **({IN_FILE: str(file)} if file else {})}
    async with KeyServices(policy, identity=_identity(**environment)) as services:
        return await refusal(services, key, user())


async def test_a_file_that_is_no_login_is_told(tmp_path: Path) -> None:
    """With what is in it, and without a secret; nobody is asked."""
    file = tmp_path / "gcp.json"
    for text, why in (
        ("{", "is not a file of credentials"),
        ('{"type": "authorized_user", "refresh_token": "s3cret"}', "type authorized_user"),
        ('{"type": "external_account", "credential_source": {"executable": {}}}', "than a file"),
    ):
        file.write_text(text)
        problem = await _own_refusal(file)
        assert (problem.code, why in problem.message) == (Code.DECRYPTION_LOGIN, True), problem
        assert "s3cret" not in str(problem)
    assert "No such file" in (await _own_refusal(tmp_path / "gone")).message


async def test_without_a_file_and_without_a_node_of_google_there_is_no_login() -> None:
    """The error names both ways; the node's server may only be away."""
    problem = await _own_refusal(None)

    assert problem.code is Code.KEY_SERVICE_UNREACHABLE
    assert IN_FILE in problem.message
    assert "127.0.0.1:9" in problem.message


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (web.Response(status=307, headers={"Location": "/v1/other"}), Code.DECRYPTION_REFUSED, "307"),
        (web.Response(status=429), Code.KEY_SERVICE_UNREACHABLE, "429"),
        (web.Response(body=b"[]"), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b'{"plaintext": 1}'), Code.DECRYPTION_REFUSED, "without a data key"),
        (web.Response(body=b"x" * (http.MAX_ANSWER + 1)), Code.KEY_SERVICE_UNREACHABLE, "larger than"),
        (
            web.Response(status=403, body=b'{"error": {"status": "internal page"}}'),
            Code.DECRYPTION_REFUSED,
            "403.",
        ),
        (None, Code.KEY_SERVICE_UNREACHABLE, "too long"),
    ],
)
async def test_answers_of_a_hostile_server(
    cloud_kms: CloudKms, tls: Tls, answer: web.Response | None, code: Code, said: str
) -> None:
    """No redirect is followed, no text is quoted, nothing grows, and nothing lasts."""
    key = gcp_key(cloud_kms)
    who = user(gcp=login(cloud_kms.account(EMAIL, key.resource)), seconds=30 if answer else 1.0)
    with Dripping(tls, answer) as server:
        async with KeyServices(POLICY, endpoints=_at(server)) as services:
            problem = await refusal(services, key, who)

    assert (problem.code, said in problem.message) == (code, True), problem
    assert "internal page" not in problem.message
    # What drips may be given up before it was asked, where everything is slow.
    assert answer is None or server.seen == [f"/v1/{key.resource}:decrypt"]
