"""What templates of charts may know of the API server."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.installation import AS_CONTROLLER

from nopea.core.api.repository import parse_spec
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.decryption.logins import KeyLogins
from nopea.core.manifests.inputs import RenderInputs
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, StalledError, TransientError
from nopea.core.secret import Secret
from nopea.kube.discovery import Discovery
from nopea.reconcile.inputs import ClusterInputs

OWNER = RepoKey("shop", "api")


async def test_version_and_kinds_are_those_of_the_cluster() -> None:
    """Versions are listed alone and with each kind, as Helm does."""
    client = FakeCluster().client
    inputs = ClusterInputs(client, Discovery(client), AS_CONTROLLER)

    found = await inputs.capabilities()

    assert found.kube_version == "v1.36.0"
    assert {"v1", "v1/ConfigMap", "apps/v1", "apps/v1/Deployment"} <= set(found.api_versions)
    assert list(found.api_versions) == sorted(found.api_versions)


async def test_without_an_api_server_it_is_retried() -> None:
    """Nothing is rendered for a cluster that is not known."""
    cluster = FakeCluster()
    cluster.stop()

    with pytest.raises(TransientError) as error:
        await ClusterInputs(cluster.client, Discovery(cluster.client), AS_CONTROLLER).capabilities()

    assert error.value.problems[0].code is Code.API_UNREACHABLE


def _stored(cluster: FakeCluster, kind: str, name: str, **data: str) -> None:
    metadata = {"name": name, "namespace": OWNER.namespace}
    cluster.create({"apiVersion": "v1", "kind": kind, "metadata": metadata, "data": data}, manager="kubectl")


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


async def _inputs(cluster: FakeCluster, **spec: Any) -> RenderInputs:
    parsed = parse_spec({"url": "https://git.acme.example/shop.git", **spec})
    assert isinstance(parsed, GitRepositorySpec)
    inputs = ClusterInputs(cluster.client, Discovery(cluster.client), AS_CONTROLLER)
    return await inputs.of(OWNER, parsed)


async def test_variables_are_merged_in_order() -> None:
    """The last reference wins, and the spec itself over all."""
    cluster = FakeCluster()
    _stored(cluster, "ConfigMap", "one", a="1", b="1", c="1")
    _stored(cluster, "Secret", "two", b=_encoded("2"), c=_encoded("2"))
    references = [
        {"kind": "ConfigMap", "name": "one"},
        {"kind": "Secret", "name": "two"},
        {"kind": "Secret", "name": "gone", "optional": True},
    ]

    found = await _inputs(cluster, substitute={"c": "3"}, substituteFrom=references)

    assert (found.variables, found.private) == ({"a": "1", "b": "2", "c": "3"}, True)
    assert (await _inputs(cluster)).variables is None


async def test_a_key_that_is_no_variable_is_named() -> None:
    """With the object that has it; the value is not told."""
    cluster = FakeCluster()
    _stored(
        cluster, "Secret", "tls", ok=_encoded("1"), **{"tls.crt": _encoded("hidden"), "2nd": _encoded("2")}
    )

    with pytest.raises(StalledError) as caught:
        await _inputs(cluster, substituteFrom=[{"kind": "Secret", "name": "tls"}])

    (problem,) = caught.value.problems
    assert problem.code is Code.SUBSTITUTION_INVALID
    assert "2nd and 1 more of Secret shop/tls" in problem.message
    assert "hidden" not in str(problem)


async def test_the_versions_that_were_read_are_told() -> None:
    """An empty one for what is missing: its creation must be noticed."""
    cluster = FakeCluster()
    _stored(cluster, "ConfigMap", "one", a="1")
    told: dict[str, str] = {}
    inputs = ClusterInputs(
        cluster.client,
        Discovery(cluster.client),
        AS_CONTROLLER,
        was_read=lambda owner, key, version: told.update({f"{owner}: {key}": version}),
    )
    references = [{"kind": "ConfigMap", "name": "one"}, {"kind": "Secret", "name": "gone"}]
    spec = parse_spec({"url": "https://git.acme.example/shop.git", "substituteFrom": references})
    assert isinstance(spec, GitRepositorySpec)

    with pytest.raises(StalledError):
        await inputs.of(OWNER, spec)

    stored = cluster.objects[ObjectKey("", "ConfigMap", "shop", "one")]
    assert told == {
        "shop/api: ConfigMap shop/one": stored["metadata"]["resourceVersion"],
        "shop/api: Secret shop/gone": "",
    }


async def test_keys_are_chosen_by_their_names() -> None:
    """Other keys of the Secret are not sent to the renderer."""
    cluster = FakeCluster()
    _stored(
        cluster, "Secret", "keys", **{"a.agekey": _encoded("A"), "b.asc": _encoded("B"), "c": _encoded("C")}
    )

    found = await _inputs(cluster, decryption={"provider": "sops", "secretRef": {"name": "keys"}})

    assert (found.age, found.pgp) == (("A",), ("B",))
    assert "A" not in repr(found)


async def test_logins_at_key_services_are_read() -> None:
    """A Secret with nothing else is enough, and so is decryption without a Secret."""
    cluster = FakeCluster()
    _stored(cluster, "Secret", "keys", **{"sops.vault-token": _encoded("token")})

    found = await _inputs(cluster, decryption={"provider": "sops", "secretRef": {"name": "keys"}})

    assert found.key_logins == KeyLogins(vault_token=Secret("token"))
    assert (found.decrypts, found.age, found.pgp) == (True, (), ())
    assert await _inputs(cluster, decryption={"provider": "sops"}) == RenderInputs(decrypts=True)


async def test_a_login_that_cannot_be_read_is_an_error() -> None:
    """It names the Secret."""
    cluster = FakeCluster()
    _stored(cluster, "Secret", "keys", **{"sops.aws-kms": _encoded("nothing")})

    with pytest.raises(StalledError, match="NOPEA-R029: Secret keys"):
        await _inputs(cluster, decryption={"provider": "sops", "secretRef": {"name": "keys"}})


async def test_values_are_named_by_their_place() -> None:
    """The name is what an error about them shows."""
    cluster = FakeCluster()
    _stored(cluster, "ConfigMap", "shop", **{"values.yaml": "a: 1"})

    found = await _inputs(cluster, helm={"valuesFrom": [{"kind": "ConfigMap", "name": "shop"}]})

    assert found.values == {"ConfigMap shop, key values.yaml": b"a: 1"}


@pytest.mark.parametrize(
    "spec",
    [
        {"substituteFrom": [{"kind": "ConfigMap", "name": "gone"}]},
        {"decryption": {"provider": "sops", "secretRef": {"name": "gone"}}},
        {"decryption": {"provider": "sops", "secretRef": {"name": "empty"}}},
        {"helm": {"valuesFrom": [{"kind": "Secret", "name": "empty"}]}},
    ],
)
async def test_what_is_missing_is_named(spec: dict[str, Any]) -> None:
    """A user must create it."""
    cluster = FakeCluster()
    _stored(cluster, "Secret", "empty")

    with pytest.raises(StalledError) as error:
        await _inputs(cluster, **spec)

    (problem,) = error.value.problems
    assert problem.code is Code.INPUT_MISSING
    assert problem.object.endswith((" shop/gone", " shop/empty"))
