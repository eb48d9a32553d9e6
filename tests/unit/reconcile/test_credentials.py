"""The Secret that a spec names for Git."""

from __future__ import annotations

import base64

import pytest
from tests.fakes.cluster import FakeCluster

from nopea.core.api.references import SecretReference
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import LEAST, TenancyPolicy
from nopea.core.git.source import Credentials
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, StalledError, TransientError
from nopea.kube.errors import ApiFailure, ForbiddenError, ServerError
from nopea.kube.kinds import SECRETS
from nopea.reconcile.credentials import have_changed, remote_of

URL = "https://git.acme.example/shop.git"
KEY = RepoKey("shop", "web")
SPEC = GitRepositorySpec(url=URL, secret_ref=SecretReference(name="git"))


def cluster(**data: str) -> FakeCluster:
    """Return a cluster with the Secret `git`."""
    made = FakeCluster()
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    made.create(
        {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": "git", "namespace": "shop"},
            "data": encoded,
        }
    )
    return made


async def test_without_a_secret_nothing_is_read() -> None:
    """A public repository needs no request."""
    made = cluster()

    remote = await remote_of(made.client, KEY, GitRepositorySpec(url=URL), LEAST)

    assert (remote.url, remote.credentials.username) == (URL, "")
    assert made.requests == []


async def test_the_secret_becomes_credentials() -> None:
    """The Secret is read from the repository's namespace, and its values are masked."""
    made = cluster(username="ada", password="s3cret")

    remote = await remote_of(made.client, KEY, SPEC, LEAST)

    assert remote.credentials.username == "ada"
    assert remote.credentials.password.reveal() == b"s3cret"
    assert "s3cret" not in repr(remote)
    assert made.requests == ["get secrets/v1 shop/git"]


async def test_a_missing_or_unusable_secret_stalls() -> None:
    """A user must create or correct the Secret."""
    with pytest.raises(StalledError) as missing:
        await remote_of(FakeCluster().client, KEY, SPEC, LEAST)
    with pytest.raises(StalledError) as invalid:
        await remote_of(cluster(colour="blue").client, KEY, SPEC, LEAST)

    assert missing.value.problems[0].code is Code.GIT_SECRET_MISSING
    assert invalid.value.problems[0].code is Code.GIT_SECRET_INVALID


async def test_a_forbidden_secret_stalls_and_a_server_error_is_retried() -> None:
    """Both problems name the Secret."""
    made = cluster(token="x")
    made.fail_next("get", SECRETS, ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no")))
    with pytest.raises(StalledError) as refused:
        await remote_of(made.client, KEY, SPEC, LEAST)
    made.fail_next("get", SECRETS, ServerError(ApiFailure(code=500, reason="Broken", message="no")), times=9)
    with pytest.raises(TransientError) as broken:
        await remote_of(made.client, KEY, SPEC, LEAST)

    assert {refused.value.problems[0].object, broken.value.problems[0].object} == {"Secret shop/git"}


PROXIED = GitRepositorySpec(url=URL, proxy_secret_ref=SecretReference(name="git"))


async def test_a_secret_becomes_the_proxy() -> None:
    """Only the keys of a proxy are taken from its Secret."""
    made = cluster(address="http://proxy.acme.example:3128/", username="ada", password="s3cret\n", token="tk")

    remote = await remote_of(made.client, KEY, PROXIED, LEAST)

    assert remote.proxy is not None
    assert remote.proxy.url() == "http://ada:s3cret@proxy.acme.example:3128"
    assert remote.credentials == Credentials()
    assert "s3cret" not in repr(remote)


async def test_a_proxy_must_exist_be_usable_and_be_allowed() -> None:
    """The problem names the field, and a proxy counts among the hosts that --allowed-hosts limits."""
    allowed = cluster(address="http://proxy.acme.example:3128")
    only_git = TenancyPolicy(allowed_hosts=("git.acme.example",))
    with pytest.raises(StalledError) as missing:
        await remote_of(FakeCluster().client, KEY, PROXIED, LEAST)
    with pytest.raises(StalledError) as invalid:
        await remote_of(cluster(address="socks5://proxy:1080").client, KEY, PROXIED, LEAST)
    with pytest.raises(StalledError) as forbidden:
        await remote_of(allowed.client, KEY, PROXIED, only_git)
    ssh = GitRepositorySpec(url="git@git.acme.example:shop", proxy_secret_ref=SecretReference(name="git"))
    with pytest.raises(StalledError) as around:
        await remote_of(FakeCluster().client, KEY, ssh, LEAST)

    assert "https URLs only" in around.value.problems[0].message
    assert missing.value.problems[0].code is Code.GIT_SECRET_MISSING
    assert "spec.proxySecretRef.name" in missing.value.problems[0].hint
    assert invalid.value.problems[0].code is Code.GIT_SECRET_INVALID
    assert forbidden.value.problems[0].code is Code.NOT_ALLOWED
    assert "proxy.acme.example" in forbidden.value.problems[0].message


async def test_a_changed_secret_is_noticed() -> None:
    """Another version, a first one and one that is gone count; what cannot be read does not."""
    made, versions = cluster(token="x"), dict[str, str]()
    await remote_of(made.client, KEY, SPEC, LEAST, versions=versions)
    key = ObjectKey("", "Secret", "shop", "git")

    assert set(versions) == {"git"}
    assert not await have_changed(made.client, KEY, versions)
    made.fail_next("get", SECRETS, ForbiddenError(ApiFailure(code=403, reason="Forbidden", message="no")))
    assert not await have_changed(made.client, KEY, versions | {"git": "old"})
    made.change(key, {"data": {"token": "eA=="}, "metadata": {"labels": {"a": "b"}}})
    assert await have_changed(made.client, KEY, versions)
    made.delete(key)
    with pytest.raises(StalledError):
        await remote_of(made.client, KEY, SPEC, LEAST, versions=versions)
    assert versions == {"git": ""}
    assert not await have_changed(made.client, KEY, versions)
