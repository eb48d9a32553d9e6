"""How the controller is deployed, and where it is looked for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.fakes.cluster import FakeCluster
from tests.fakes.object_store import KINDS, served
from tests.unit.cli.doctor.test_controller import deployment

from nopea.cli.doctor.deployed import Deployed, bound_namespace, elsewhere, find_controller
from nopea.kube.errors import ApiFailure, ForbiddenError
from nopea.kube.kinds import CLUSTER_ROLE_BINDINGS, DEPLOYMENTS


async def test_only_the_named_namespace_is_trusted() -> None:
    """A Deployment of a tenant that looks like Nopea is told of, and is granted nothing."""
    cluster = FakeCluster(namespaces=("gitops",))
    assert await find_controller(cluster.client, "nopea-system") is None
    cluster.create(deployment(namespace="gitops"))

    assert await find_controller(cluster.client, "nopea-system") is None
    assert await elsewhere(cluster.client) == ["gitops"]
    controller = await find_controller(cluster.client, "gitops")
    assert controller is not None
    assert str(controller.account) == "system:serviceaccount:gitops:nopea"
    refused = ForbiddenError(ApiFailure(code=403))
    cluster.fail_next("list", DEPLOYMENTS, refused, times=2)
    with pytest.raises(ForbiddenError):
        await find_controller(cluster.client, "gitops")
    assert await elsewhere(cluster.client) == []


def test_options_are_read_from_arguments_and_environment() -> None:
    """As `nopea run` reads them; a value from a Secret is not known."""
    environment = [{"name": "NOPEA_DEFAULT_SERVICE_ACCOUNT", "value": "deployer"}, {"name": "NOPEA_X"}]
    raw = deployment(args=["run", "--namespace", "shop", "--log-level=debug"], env=environment)
    controller = Deployed(raw=raw)

    options = ("namespace", "log-level", "default-service-account", "x", "port")
    assert [controller.option(name) for name in options] == ["shop", "debug", "deployer", "", ""]


def test_flags_are_read_from_both() -> None:
    """And what they allow specs to name."""
    args = ["run", "--allow-http-credentials", "--allowed-hosts=*.acme.example,git.example"]
    controller = Deployed(raw=deployment(args=args, env=[{"name": "NOPEA_COMMIT_STATUS", "value": "true"}]))

    assert [controller.flag(name) for name in ("allow-http-credentials", "commit-status", "dashboard")] == [
        True,
        True,
        False,
    ]
    assert controller.policy.allow_http_credentials
    assert controller.policy.allowed_hosts == ("*.acme.example", "git.example")


def test_the_secret_behind_a_file_or_a_variable_is_found() -> None:
    """By the mounted folder, and by the path of an item."""
    raw = deployment(
        volumeMounts=[{"name": "hook", "mountPath": "/etc/hook/"}, {"name": "tmp", "mountPath": "/tmp"}],
        env=[{"name": "NOPEA_X", "valueFrom": {"secretKeyRef": {"name": "env", "key": "k"}}}],
    )
    hook: dict[str, Any] = {"name": "hook", "secret": {"secretName": "nopea-webhook"}}
    raw["spec"]["template"]["spec"]["volumes"] = [hook, {"name": "tmp", "emptyDir": {}}]
    controller = Deployed(raw=raw)

    assert controller.mounted_at("/etc/hook/token") == ("nopea-webhook", "token")
    hook["secret"]["items"] = [{"key": "hook.txt", "path": "token"}]
    assert controller.mounted_at("/etc/hook/token") == ("nopea-webhook", "hook.txt")
    assert controller.mounted_at("/tmp/token") is None
    assert controller.mounted_at("/srv/token") is None
    assert controller.from_secret("x") == ("env", "k")
    assert controller.from_secret("y") is None


@pytest.mark.parametrize(
    ("selector", "port", "reached"),
    [
        ({"app": "nopea"}, {"port": 80, "targetPort": "webhooks"}, True),
        ({"app": "nopea"}, {"port": 80, "targetPort": 4000}, True),
        ({"app": "nopea"}, {"port": 4000}, True),
        ({"app": "nopea"}, {"port": 4000, "targetPort": "probes"}, False),
        ({"app": "other"}, {"port": 4000}, False),
        ({}, {"port": 4000}, False),
    ],
)
def test_which_services_lead_to_the_port_of_webhooks(
    selector: dict[str, str], port: dict[str, Any], *, reached: bool
) -> None:
    """They select its Pods, and name the port or its number."""
    ports = [{"name": "webhooks", "containerPort": 4000}, {"name": "probes", "containerPort": 4001}]
    raw = deployment(ports=ports)
    raw["spec"]["template"]["metadata"] = {"labels": {"app": "nopea", "team": "a"}}

    assert Deployed(raw=raw).is_reached_by({"spec": {"selector": selector, "ports": [port]}}) is reached


def test_the_heartbeat_is_in_the_watched_namespace() -> None:
    """A controller of the whole cluster has it in its own."""
    assert Deployed(raw=deployment(namespace="gitops")).lease_namespace == "gitops"
    assert Deployed(raw=deployment(args=["run", "--namespace=shop"])).lease_namespace == "shop"


async def test_the_binding_of_its_role_says_where_it_is() -> None:
    """Only who may grant rights can write one; two that differ say nothing."""
    cluster = FakeCluster(kinds=(*KINDS, served(CLUSTER_ROLE_BINDINGS)))
    assert await bound_namespace(cluster.client) == ""

    bind(cluster, "nopea", "gitops")
    assert await bound_namespace(cluster.client) == "gitops"

    bind(cluster, "nopea-2", "other")
    assert await bound_namespace(cluster.client) == ""
    cluster.fail_next("list", CLUSTER_ROLE_BINDINGS, ForbiddenError(ApiFailure(code=403)))
    assert await bound_namespace(cluster.client) == ""


def bind(cluster: FakeCluster, name: str, namespace: str) -> None:
    """Store a binding of the ClusterRole of Nopea to an account in a namespace."""
    cluster.create(
        {
            "apiVersion": "rbac.authorization.k8s.io/v1",
            "kind": "ClusterRoleBinding",
            "metadata": {"name": name, "labels": {"app.kubernetes.io/name": "nopea"}},
            "roleRef": {"kind": "ClusterRole", "name": "nopea"},
            "subjects": [{"kind": "ServiceAccount", "name": "nopea", "namespace": namespace}],
        }
    )
