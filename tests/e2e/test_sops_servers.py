"""Files whose keys a key service opens, by a tenant's own login or by Nopea's."""

from __future__ import annotations

import base64
import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml
from tests.downloads.serving import Tls
from tests.e2e import yamls
from tests.e2e.process import Nopea
from tests.e2e.tenancy import RBAC, binding
from tests.e2e.waiting import eventually
from tests.e2e.world import Cluster, Json, Repo, Site
from tests.gitserver import GitServer
from tests.keys.clouds import AzureCloud, CloudKms, Metadata
from tests.keys.servers import Kms, Vault
from tests.keys.sops import CLEAR, DATA_KEY, azure_key, encrypted, gcp_key, kms_key, vault_key

SECRETS, MAPS = "v1 secrets", "v1 configmaps"
OVERLAY = "resources: [secret.yaml, web.yaml]\n"
TENANTS_KEY = "secret-access-key-of-the-tenant"
OWN_KEY = "secret-access-key-of-nopea"
TENANTS_LOGIN = f"aws_access_key_id: AKIATENANT\naws_secret_access_key: {TENANTS_KEY}\n"
SOPS = {"decryption": {"provider": "sops", "secretRef": {"name": "sops-keys"}}}


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """The certificate of the clouds."""
    return Tls.issued(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def kms(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Kms]:
    """A KMS."""
    with Kms(tmp_path_factory.mktemp("kms"), tls) as running:
        yield running


@pytest.fixture(scope="module")
def cloud_kms(tls: Tls) -> Iterator[CloudKms]:
    """A Google Cloud KMS."""
    with CloudKms(tls) as running:
        yield running


@pytest.fixture(scope="module")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """A Vault."""
    with Vault(tmp_path_factory.mktemp("vault")) as running:
        yield running


@pytest.fixture(scope="module")
def azure(tls: Tls) -> Iterator[AzureCloud]:
    """An Azure."""
    with AzureCloud(tls) as running:
        yield running


@dataclass(frozen=True, slots=True)
class Allowed:
    """A namespace, and the keys that it may use with Nopea's identity."""

    namespace: str
    arn: str
    name: str
    """Of the key in Vault."""
    resource: str
    """Of the key in Google Cloud."""
    azure: str
    """The name and the version of the key in Azure."""


@pytest.fixture(scope="module")
def allowed(
    cluster: Cluster, kms: Kms, vault: Vault, cloud_kms: CloudKms, azure: AzureCloud
) -> Iterator[Allowed]:
    """It exists before the controller starts, which has rules for it."""
    namespace = f"allowed-{secrets.token_hex(4)}"
    cluster.lab.run_kubectl("create", "namespace", namespace)
    vault.create_key(namespace)
    yield Allowed(namespace, kms.create_key(), namespace, cloud_kms.create_key(), azure.create_key())
    cluster.delete(f"v1 namespaces /{namespace}")


def _log_in_by_kubernetes(cluster: Cluster, vault: Vault, key: str, folder: Path) -> None:
    """Let the account `default` of the namespace called as the key decrypt with it; write its token."""
    lab, role = cluster.lab, f"{RBAC} clusterrolebindings /{key}-reviews"
    account = f"{key}/default"
    cluster.put(role, binding(role, "system:auth-delegator", account, kind="ClusterRole"))
    lab.run_kubectl("-n", key, "wait", "--for=create", "serviceaccount/default", "--timeout=60s")
    token = lab.run_kubectl("-n", key, "create", "token", "default").strip()
    kubeconfig = yaml.safe_load(lab.kubeconfig.read_text())
    authority = kubeconfig["clusters"][0]["cluster"]["certificate-authority-data"]
    config = {
        "kubernetes_host": lab.api_url,
        "kubernetes_ca_cert": base64.b64decode(authority).decode(),
        "token_reviewer_jwt": token,
    }
    vault.do("sys/auth/kubernetes", {"type": "kubernetes"})
    vault.do("auth/kubernetes/config", config)
    vault.allow(f"decrypt-{key}", key)
    accounts = {"bound_service_account_names": ["default"], "bound_service_account_namespaces": [key]}
    vault.do("auth/kubernetes/role/nopea", {**accounts, "token_policies": [f"decrypt-{key}"]})
    (folder / "token").write_text(token)


@pytest.fixture(scope="module")
def nopea(
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    kms: Kms,
    vault: Vault,
    cloud_kms: CloudKms,
    azure: AzureCloud,
    allowed: Allowed,
) -> Iterator[Nopea]:
    """A controller for which clouds are on this host, with an identity of its own. Its log has no secret."""
    folder = tmp_path_factory.mktemp("nopea")
    _log_in_by_kubernetes(cluster, vault, allowed.name, folder)
    rules = (
        f"{allowed.namespace}={allowed.arn}",
        f"{allowed.namespace}={vault.origin}/v1/transit/keys/{allowed.name}",
        f"{allowed.namespace}={allowed.resource}",
        f"{allowed.namespace}={azure.origin}/keys/{allowed.azure}",
    )
    azure.client("nopea-on-aks", allowed.azure, proof="token-of-the-cluster")
    (folder / "azure-token").write_text("token-of-the-cluster")
    token = cloud_kms.token("nopea-on-gke", allowed.resource)
    (folder / "ca.crt").write_text(kms.ca_crt + vault.ca_crt)
    with pytest.MonkeyPatch.context() as patch, Metadata(token) as metadata:
        patch.setenv("SSL_CERT_FILE", str(folder / "ca.crt"))
        patch.setenv("AWS_ENDPOINT_URL_KMS", f"{kms.origin}/")
        patch.setenv("AWS_ACCESS_KEY_ID", "AKIANOPEA")
        patch.setenv("AWS_SECRET_ACCESS_KEY", OWN_KEY)
        patch.setenv("SOPS_GCP_KMS_ENDPOINT", cloud_kms.origin)
        patch.setenv("GCE_METADATA_HOST", metadata.host)
        patch.setenv("AZURE_AUTHORITY_HOST", azure.origin)
        patch.setenv("AZURE_TENANT_ID", azure.TENANT)
        patch.setenv("AZURE_CLIENT_ID", "nopea-on-aks")
        patch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(folder / "azure-token"))
        running = Nopea(
            kubeconfig=cluster.lab.kubeconfig,
            folder=folder,
            arguments=(
                f"--sops-keys={','.join(rules)}",
                "--sops-vault-role=nopea",
                f"--sops-vault-token-file={folder / 'token'}",
            ),
        )
        try:
            running.wait_until_ready()
            yield running
            assert running.stop() == 0, running.log_text()
            assert [line for line in running.logs() if "traceback" in line] == []
            _assert_no_secret(running.log_text())
            for secret in (token, "token-of-the-cluster"):
                assert secret not in running.log_text()
        finally:
            running.kill()


def _assert_no_secret(text: str) -> None:
    for secret in (CLEAR.encode(), DATA_KEY, TENANTS_KEY.encode(), OWN_KEY.encode()):
        assert secret.decode() not in text
        assert base64.b64encode(secret).decode().rstrip("=") not in text


def _logins(site: Site, **data: str) -> None:
    """Create the Secret of spec.decryption, with keys as `sops_vault_token`."""
    encoded = {
        name.replace("_", ".", 1).replace("_", "-"): base64.b64encode(text.encode()).decode()
        for name, text in data.items()
    }
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "sops-keys"}, "data": encoded}
    site.cluster.put(site.place(SECRETS, "sops-keys"), body)


def _web(colour: str = "blue") -> str:
    return yamls.text(yamls.config_map("web", colour=colour))


def _files(secret: str, *, path: str = "plain", colour: str = "blue") -> dict[str, str]:
    return {
        f"{path}/secret.yaml": secret,
        f"{path}/web.yaml": _web(colour),
        **({f"{path}/kustomization.yaml": OVERLAY} if path == "overlay" else {}),
    }


def _password(site: Site) -> str:
    data: Json = site.cluster.must_get(site.place(SECRETS, "shop"))["data"]
    return base64.b64decode(data["password"]).decode()


def _colour(site: Site) -> str:
    return str(site.cluster.must_get(site.place(MAPS, "web"))["data"]["colour"])


def _assert_told_nothing(repo: Repo) -> None:
    """What users read has neither the plaintext nor a key."""
    _assert_no_secret(f"{repo.get()} {repo.events()}")


@pytest.mark.parametrize("path", ["plain", "overlay"])
def test_a_secret_for_kms_is_applied_by_the_tenants_login(site: Site, kms: Kms, path: str) -> None:
    """Once for each new content: the next poll asks nobody."""
    _logins(site, sops_aws_kms=TENANTS_LOGIN)
    arn, context = kms.create_key(), {"tenant": site.namespace}
    key = kms_key(arn, kms.encrypt(arn, DATA_KEY, context), context=context)
    before = len(kms.decryptions())

    repo = site.sync("shop", _files(encrypted(key), path=path), path=path, **SOPS)

    assert _password(site) == CLEAR
    assert kms.decryptions()[before:] == ["AKIATENANT"]
    repo.sync_and_wait()
    assert len(kms.decryptions()) == before + 1
    _assert_told_nothing(repo)


def test_a_secret_for_vault_is_applied_by_the_tenants_token(site: Site, vault: Vault) -> None:
    """The file names the server."""
    vault.create_key(site.namespace)
    key = vault_key(vault.origin, site.namespace, vault.encrypt(site.namespace, DATA_KEY))
    token = vault.token(site.namespace)
    _logins(site, sops_vault_token=token)

    repo = site.sync("shop", _files(encrypted(key)), path="plain", **SOPS)

    assert _password(site) == CLEAR
    _assert_told_nothing(repo)
    assert token not in f"{repo.get()} {repo.events()}"


def test_a_secret_for_google_cloud_is_applied_by_the_tenants_account(site: Site, cloud_kms: CloudKms) -> None:
    """Its key signs the request."""
    resource, email = cloud_kms.create_key(), f"{site.namespace}@acme-keys.iam.gserviceaccount.com"
    account = cloud_kms.account(email, resource)
    _logins(site, sops_gcp_kms=account)

    key = gcp_key(resource, cloud_kms.encrypt(resource, DATA_KEY))
    repo = site.sync("shop", _files(encrypted(key)), path="plain", **SOPS)

    assert _password(site) == CLEAR
    assert cloud_kms.decryptions[-1] == email
    _assert_told_nothing(repo)
    assert json.loads(account)["private_key"][100:140] not in f"{repo.get()} {repo.events()}"


def test_a_secret_for_azure_is_applied_by_the_tenants_client(site: Site, azure: AzureCloud) -> None:
    """The vault is where an operator says that one is."""
    key, client = azure.create_key(), site.namespace
    secret = azure.client(client, key)
    _logins(site, sops_azure_kv=f"tenantId: {azure.TENANT}\nclientId: {client}\nclientSecret: {secret}\n")

    encrypted_ = encrypted(azure_key(f"{azure.origin}/", key, azure.encrypt(key, DATA_KEY)))
    repo = site.sync("shop", _files(encrypted_), path="plain", **SOPS)

    assert _password(site) == CLEAR
    assert azure.decryptions[-1] == client
    _assert_told_nothing(repo)
    assert secret not in f"{repo.get()} {repo.events()}"


def test_any_key_of_a_file_is_enough(site: Site, kms: Kms, vault: Vault) -> None:
    """A tenant with a login at one of two services."""
    vault.create_key(site.namespace)
    arn = kms.create_key()
    keys = (
        kms_key(arn, kms.encrypt(arn, DATA_KEY)),
        vault_key(vault.origin, site.namespace, vault.encrypt(site.namespace, DATA_KEY)),
    )
    _logins(site, sops_vault_token=vault.token(site.namespace))

    site.sync("shop", _files(encrypted(*keys)), path="plain", **SOPS)

    assert _password(site) == CLEAR


def test_without_a_login_nothing_is_applied_and_nothing_pruned(site: Site, kms: Kms) -> None:
    """Until there is one; what the environment of the controller has is none."""
    arn = kms.create_key()
    repo = site.sync(
        "shop", {"plain/web.yaml": _web()}, path="plain", interval="1h", decryption={"provider": "sops"}
    )
    before = len(kms.decryptions())

    repo.git.commit(_files(encrypted(kms_key(arn, kms.encrypt(arn, DATA_KEY)))))
    repo.sync_and_wait()

    repo.wait_failed("NOPEA-R029")
    assert arn in repo.condition("Ready")["message"]
    assert site.cluster.get(site.place(SECRETS, "shop")) is None
    site.cluster.must_get(site.place(MAPS, "web"))
    assert len(kms.decryptions()) == before

    repo.change(**SOPS)
    repo.wait_failed("NOPEA-S008")
    _logins(site, sops_aws_kms=TENANTS_LOGIN)
    repo.wait_synced()
    assert _password(site) == CLEAR


def test_a_service_that_refuses_stops_the_commit(site: Site, kms: Kms) -> None:
    """What was applied stays."""
    _logins(site, sops_aws_kms=TENANTS_LOGIN)
    arn = kms.create_key()
    enc = kms.encrypt(arn, DATA_KEY)
    repo = site.sync("shop", _files(encrypted(kms_key(arn, enc))), path="plain", **SOPS)

    kms.disable(arn)
    repo.git.commit(_files(encrypted(kms_key(arn, enc), kms_key(arn, enc)), colour="red"))
    repo.sync_and_wait()

    repo.wait_failed("NOPEA-R030")
    assert "DisabledException" in repo.condition("Ready")["message"]
    assert _password(site) == CLEAR
    assert _colour(site) == "blue"


def test_while_the_service_is_away_the_last_state_is_kept(site: Site, kms: Kms) -> None:
    """Drift is reverted, and the next commit is applied as soon as the service is back."""
    _logins(site, sops_aws_kms=TENANTS_LOGIN)
    arn = kms.create_key()
    enc = kms.encrypt(arn, DATA_KEY)
    repo = site.sync(
        "shop", _files(encrypted(kms_key(arn, enc))), path="plain", interval="1s", retryInterval="1s", **SOPS
    )

    kms.stop()
    try:
        twice = encrypted(kms_key(arn, enc), kms_key(arn, enc))
        newest = repo.git.commit(_files(twice, colour="red"))
        repo.wait_failed("NOPEA-R031")
        assert _colour(site) == "blue"
        assert repo.condition("Ready")["status"] == "True"
        site.cluster.merge(site.place(SECRETS, "shop"), {"stringData": {"password": "by hand"}})
        eventually(lambda: _must_be_clear(site), seconds=30)
        _assert_told_nothing(repo)
    finally:
        kms.__enter__()

    repo.wait_synced(newest)
    assert (_password(site), _colour(site)) == (CLEAR, "red")


def _must_be_clear(site: Site) -> None:
    assert _password(site) == CLEAR


@pytest.fixture
def allowed_site(cluster: Cluster, git_server: GitServer, nopea: Nopea, allowed: Allowed) -> Iterator[Site]:
    """The namespace of the rules."""
    del nopea
    made = Site(cluster, git_server, allowed.namespace)
    yield made
    made.clear()


@pytest.mark.parametrize("service", ["kms", "vault", "gcp", "azure"])
def test_nopeas_identity_opens_what_an_operator_allows_and_no_more(
    allowed_site: Site,
    site: Site,
    kms: Kms,
    vault: Vault,
    cloud_kms: CloudKms,
    azure: AzureCloud,
    allowed: Allowed,
    service: str,
) -> None:
    """The same file in another namespace is refused, as is another key in the same namespace."""
    own = {"decryption": {"provider": "sops"}}
    other_arn, other_name = kms.create_key(), f"{site.namespace}-other"
    vault.create_key(other_name)
    keys = {
        "kms": [kms_key(arn, kms.encrypt(arn, DATA_KEY)) for arn in (allowed.arn, other_arn)],
        "vault": [
            vault_key(vault.origin, name, vault.encrypt(name, DATA_KEY))
            for name in (allowed.name, other_name)
        ],
        "gcp": [
            gcp_key(resource, cloud_kms.encrypt(resource, DATA_KEY))
            for resource in (allowed.resource, cloud_kms.create_key())
        ],
        "azure": [
            azure_key(azure.origin, key, azure.encrypt(key, DATA_KEY))
            for key in (allowed.azure, azure.create_key())
        ],
    }
    mine, others = keys[service]

    repo = allowed_site.sync(f"mine-{service}", _files(encrypted(mine)), path="plain", **own)
    assert _password(allowed_site) == CLEAR
    _assert_told_nothing(repo)
    used = kms.decryptions(), list(cloud_kms.decryptions), list(azure.decryptions)
    assert service != "kms" or used[0][-1] == "AKIANOPEA"
    assert service != "gcp" or used[1][-1] == "nopea-on-gke"
    assert service != "azure" or used[2][-1] == "nopea-on-aks"

    site.origin("stranger", _files(encrypted(mine)))
    stranger = site.follow("stranger", path="plain", **own)
    stranger.wait_failed("NOPEA-R029")
    assert site.cluster.get(site.place(SECRETS, "shop")) is None

    repo.git.commit(_files(encrypted(others), colour="red"))
    repo.sync_and_wait()
    repo.wait_failed("NOPEA-R029")
    assert (_password(allowed_site), _colour(allowed_site)) == (CLEAR, "blue")
    assert (kms.decryptions(), cloud_kms.decryptions, azure.decryptions) == used
    allowed_site.clear()
    for kind, name in ((SECRETS, "shop"), (MAPS, "web")):
        allowed_site.cluster.delete(allowed_site.place(kind, name))


def test_a_tenant_cannot_get_at_what_was_decrypted_for_another(
    allowed_site: Site, site: Site, kms: Kms, allowed: Allowed
) -> None:
    """By following the same folder of the same repository, which is rendered already."""
    own = {"decryption": {"provider": "sops"}}
    allowed_site.sync(
        "shared",
        _files(encrypted(kms_key(allowed.arn, kms.encrypt(allowed.arn, DATA_KEY)))),
        path="plain",
        **own,
    )

    stranger = site.follow("stranger", url=allowed_site.url("shared"), path="plain", **own)

    stranger.wait_failed("NOPEA-R029")
    assert site.cluster.get(site.place(SECRETS, "shop")) is None
