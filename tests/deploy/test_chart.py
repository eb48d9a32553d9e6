"""charts/nopea beside deploy/: the same objects, accepted by a real API server; wrong values are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.deploy.chart import CHART, NAMESPACE, Object, pod_of, refuse, render, variables_of
from tests.deploy.conftest import DEPLOY

from nopea_lab.lab import Lab

HELM_LABELS = {
    "app.kubernetes.io/instance",
    "app.kubernetes.io/version",
    "app.kubernetes.io/managed-by",
    "helm.sh/chart",
}
"""What the chart adds to every object; docs/install.md lists these differences."""
KEEP = "helm.sh/resource-policy"
KEY = {"name": "receivers", "key": "url"}
EVERYTHING: dict[str, Any] = {
    "image": {
        "repository": "registry.example/acme/nopea", "digest": f"sha256:{'0' * 64}",
        "pullPolicy": "Always", "pullSecrets": ["registry"],
    },
    "watchNamespace": "default",
    "defaultServiceAccount": "deployer",
    "allowedHosts": ["*.acme.example", "git.example"],
    "remoteBases": ["bases.example"],
    "gitNetworks": "public",
    "crossNamespaceRefs": True,
    "limits": {"minInterval": "30s", "maxTimeout": "10m", "maxObjects": 100_000},
    "webhook": {"secretName": "hooks"},
    "notifications": {
        "urls": ["https://a.example", "https://b.example"], "signingSecret": KEY, "slackSecret": KEY,
        "teamsSecret": KEY, "discordSecret": KEY, "alertmanagers": ["http://alertmanager.monitoring.svc:9093"],
        "events": ["deployment", "failure"], "severity": "warning", "after": "5m", "perMinute": 10_000,
    },
    "clusterName": "production",
    "commitStatus": {"enabled": True, "url": "https://status.example"},
    "pullRequestPlans": True,
    "cdevents": {
        "sinks": ["https://events.example"], "source": "https://nopea.example", "mode": "structured",
        "version": "0.4.1", "drift": "custom", "environment": "production",
    },
    "log": {"level": "debug", "format": "console"},
    "git": {"children": 4, "memory": "1Gi", "disk": "12Gi"},
    "env": {
        "NOPEA_WEBHOOK_BODY_LIMIT": "4Mi",
        "https_proxy": {"secretKeyRef": KEY},
        "no_proxy": {"configMapKeyRef": {**KEY, "optional": True}},
    },
    "args": ["--allow-http-credentials"],
    "shutdownSeconds": 40,
    "resources": {"limits": {"memory": "4Gi"}},
    "cache": {"existingClaim": "mirrors"},
    "extraVolumes": [{"name": "ca", "configMap": {"name": "ca"}}],
    "extraVolumeMounts": [{"name": "ca", "mountPath": "/etc/nopea/ca"}],
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "system", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "system-cluster-critical",
    "podLabels": {"team": "platform"},
    "podAnnotations": {"prometheus.io/scrape": "false"},
    "serviceAccount": {"annotations": {"a.example/role": "nopea"}},
    "service": {"type": "LoadBalancer", "annotations": {"a.example/internal": "true"}},
    "networkPolicy": {"egress": {"enabled": True, "ports": [443, 3000]}},
    "dashboard": {"enabled": True, "hosts": ["nopea.acme.example"]},
    "operatorRole": {"aggregateTo": ["admin", "edit"]},
    "name": "nopea-two",
}  # fmt: skip
MONITORING_GROUP = "monitoring.coreos.com/"


def _identity(one: Object) -> str:
    metadata = one["metadata"]
    return f"{one['apiVersion']} {one['kind']} {metadata.get('namespace', '')}/{metadata['name']}"


def _built(lab: Lab, folder: Path) -> dict[str, Object]:
    """Return what `kubectl kustomize` builds, without the Namespace, which Helm creates before the chart."""
    objects = list(yaml.safe_load_all(lab.run_kubectl("kustomize", str(folder))))
    return {_identity(one): one for one in objects if one["kind"] != "Namespace"}


def _charted(objects: list[Object]) -> dict[str, Object]:
    """Return the objects without what the chart adds to each."""
    for one in objects:
        metadata = one["metadata"]
        if one["kind"] == "CustomResourceDefinition":
            assert metadata.pop("annotations") == {KEEP: "keep"}
        else:
            for label in HELM_LABELS:
                assert metadata["labels"].pop(label)
    return {_identity(one): one for one in objects}


def _same(chart: dict[str, Object], deploy: dict[str, Object]) -> None:
    assert sorted(chart) == sorted(deploy)
    for name, one in deploy.items():
        assert chart[name] == one, name


@pytest.mark.parametrize(
    ("folder", "profile"),
    [
        (".", None),
        ("tenants", "tenants"),
        ("any-namespace", "any-namespace"),
        ("cluster-admin", "cluster-admin"),
        ("read-only", "read-only"),
    ],
)
def test_a_profile_is_the_folder_of_deploy(lab: Lab, folder: str, profile: str | None) -> None:
    """Every object of the chart is that of deploy/; without values it is deploy/ itself."""
    values = {} if profile is None else {"profile": profile}

    _same(_charted(render(**values)), _built(lab, DEPLOY / folder))


def test_monitoring_is_that_of_deploy(lab: Lab) -> None:
    """The PodMonitor, the rules and the dashboard come in addition."""
    base = {_identity(one) for one in render()}
    objects = _charted(render(monitoring={"enabled": True}))

    added = {name: one for name, one in objects.items() if name not in base}
    expected = _built(lab, DEPLOY / "monitoring")
    (dashboard,) = (name for name in added if " ConfigMap " in name)
    for label in ("app.kubernetes.io/name", "app.kubernetes.io/part-of"):
        assert added[dashboard]["metadata"]["labels"].pop(label) == "nopea"
    _same(added, expected)


def test_egress_is_that_of_deploy(lab: Lab, tmp_path: Path) -> None:
    """The value has the policy of the component."""
    (tmp_path / "deploy").symlink_to(DEPLOY)
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [deploy/tenants]\ncomponents: [deploy/egress-policy]\n"
    )

    chart = _charted(render(networkPolicy={"egress": {"enabled": True}}))

    _same(chart, _built(lab, tmp_path))


def test_the_record_of_users_is_that_of_deploy(lab: Lab, tmp_path: Path) -> None:
    """The value has what the component has, and a strict API server accepts it."""
    (tmp_path / "deploy").symlink_to(DEPLOY)
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [deploy/tenants]\ncomponents: [deploy/record-users]\n"
    )
    values: dict[str, Any] = {"recordUsers": {"enabled": True}}

    _same(_ordered(_charted(render(**values))), _ordered(_built(lab, tmp_path)))
    error = refuse(**values, name="nopea-two")
    assert "recordUsers needs the name nopea" in str(error)


def _ordered(objects: dict[str, Object]) -> dict[str, Object]:
    """Sort the variables and the ports of the container, which kustomize puts in another order."""
    for one in objects.values():
        if one["kind"] == "Deployment":
            (container,) = one["spec"]["template"]["spec"]["containers"]
            for field in ("env", "ports"):
                container[field].sort(key=lambda each: each["name"])
    return objects


def test_dashboard_is_that_of_deploy(lab: Lab, tmp_path: Path) -> None:
    """The value has the objects, the port and the variable of the component; without it there are none."""
    (tmp_path / "deploy").symlink_to(DEPLOY)
    (tmp_path / "kustomization.yaml").write_text(
        "resources: [deploy/tenants]\ncomponents: [deploy/dashboard]\n"
    )

    chart = _charted(render(dashboard={"enabled": True}))

    _same(_ordered(chart), _ordered(_built(lab, tmp_path)))
    assert not [name for name in _charted(render()) if "dashboard" in name]


VARIANTS: dict[str, dict[str, Any]] = {
    "tenants": {},
    "any-namespace": {"profile": "any-namespace"},
    "cluster-admin": {"profile": "cluster-admin"},
    "read-only": {"profile": "read-only"},
    "read-only in one namespace": {"profile": "read-only", "watchNamespace": "default"},
    "users": {"recordUsers": {"enabled": True}},
    "one namespace": {"profile": "any-namespace", "watchNamespace": "default"},
    "everything": EVERYTHING,
}


@pytest.mark.parametrize("values", VARIANTS.values(), ids=VARIANTS)
def test_the_api_server_accepts_every_object(
    lab: Lab, crds: None, namespace: str, values: dict[str, Any]
) -> None:
    """Strict validation refuses unknown fields; the kinds of the Prometheus Operator are not served here."""
    del crds
    objects = render(namespace=namespace, **values)
    text = yaml.safe_dump_all(objects)

    applied = lab.run_kubectl(
        "apply", "--server-side", "--force-conflicts", "--validate=strict", "--dry-run=server", "-f", "-",
        stdin=text,
    )  # fmt: skip

    assert applied.count("serverside-applied") == len(objects) > 15


def test_every_value_reaches_its_place() -> None:
    """The values of `EVERYTHING` are where Nopea and Kubernetes read them."""
    objects = render(**EVERYTHING)
    pod = pod_of(objects)
    (container,) = pod["containers"]

    assert variables_of(objects) == {
        "HOME": "/tmp",
        "NOPEA_WEBHOOK_SECRET_FILE": "/etc/nopea/webhook/token",
        "NOPEA_NAMESPACE": "default",
        "NOPEA_DASHBOARD": "true",
        "NOPEA_DASHBOARD_HOSTS": "nopea.acme.example",
        "NOPEA_DEFAULT_SERVICE_ACCOUNT": "deployer",
        "NOPEA_ALLOWED_HOSTS": "*.acme.example,git.example",
        "NOPEA_REMOTE_BASES": "bases.example",
        "NOPEA_GIT_NETWORKS": "public",
        "NOPEA_CROSS_NAMESPACE_REFS": "true",
        "NOPEA_MIN_INTERVAL": "30s",
        "NOPEA_MAX_TIMEOUT": "10m",
        "NOPEA_MAX_OBJECTS": "100000",
        "NOPEA_NOTIFY_URL": "https://a.example,https://b.example",
        "NOPEA_NOTIFY_SECRET": {"secretKeyRef": KEY},
        "NOPEA_SLACK_URL": {"secretKeyRef": KEY},
        "NOPEA_TEAMS_URL": {"secretKeyRef": KEY},
        "NOPEA_DISCORD_URL": {"secretKeyRef": KEY},
        "NOPEA_ALERTMANAGER_URL": "http://alertmanager.monitoring.svc:9093",
        "NOPEA_NOTIFY_EVENTS": "deployment,failure",
        "NOPEA_NOTIFY_SEVERITY": "warning",
        "NOPEA_NOTIFY_AFTER": "5m",
        "NOPEA_NOTIFY_PER_MINUTE": "10000",
        "NOPEA_CLUSTER_NAME": "production",
        "NOPEA_COMMIT_STATUS": "true",
        "NOPEA_COMMIT_STATUS_URL": "https://status.example",
        "NOPEA_PULL_REQUEST_PLANS": "true",
        "NOPEA_CDEVENTS_SINK": "https://events.example",
        "NOPEA_CDEVENTS_SOURCE": "https://nopea.example",
        "NOPEA_CDEVENTS_MODE": "structured",
        "NOPEA_CDEVENTS_VERSION": "0.4.1",
        "NOPEA_CDEVENTS_DRIFT": "custom",
        "NOPEA_ENVIRONMENT": "production",
        "NOPEA_LOG_LEVEL": "debug",
        "NOPEA_LOG_FORMAT": "console",
        "NOPEA_GIT_CHILDREN": "4",
        "NOPEA_GIT_MEMORY": "1Gi",
        "NOPEA_GIT_DISK": "12Gi",
        "NOPEA_SHUTDOWN_SECONDS": "40",
        **{name: value if isinstance(value, str) else {**value} for name, value in EVERYTHING["env"].items()},
    }
    assert container["image"] == f"registry.example/acme/nopea@sha256:{'0' * 64}"
    assert container["args"] == ["run", "--allow-http-credentials"]
    assert container["resources"]["limits"] == {"memory": "4Gi"}
    assert container["volumeMounts"][-1] == {"name": "ca", "mountPath": "/etc/nopea/ca"}
    assert pod["volumes"][0] == {"name": "cache", "persistentVolumeClaim": {"claimName": "mirrors"}}
    assert pod["volumes"][-1] == {"name": "ca", "configMap": {"name": "ca"}}
    assert pod["terminationGracePeriodSeconds"] == 45
    assert pod["imagePullSecrets"] == [{"name": "registry"}]
    for name in ("nodeSelector", "tolerations", "affinity", "priorityClassName"):
        assert pod[name] == EVERYTHING[name]


def test_a_tag_and_the_default_tag() -> None:
    """A tag replaces the version of the application."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))
    named = {"repository": "registry.example/nopea"}

    assert (
        pod_of(render(image=named))["containers"][0]["image"]
        == f"{named['repository']}:{chart['appVersion']}"
    )
    assert (
        pod_of(render(image={**named, "tag": "v9"}))["containers"][0]["image"] == f"{named['repository']}:v9"
    )


def test_a_variable_takes_precedence_over_a_value() -> None:
    """No variable is there twice, which a server-side apply refuses, and secrets win over texts."""
    values: dict[str, Any] = {
        "log": {"level": "info"},
        "env": {"NOPEA_LOG_LEVEL": "debug", "NOPEA_MAX_OBJECTS": 5000, "A": True},
        "cdevents": {"sinks": ["https://events.example"], "sinkSecret": KEY},
    }

    found = variables_of(render(**values))

    assert (found["NOPEA_LOG_LEVEL"], found["NOPEA_MAX_OBJECTS"], found["A"]) == ("debug", "5000", "true")
    assert found["NOPEA_CDEVENTS_SINK"] == {"secretKeyRef": KEY}


def test_one_namespace_has_no_rights_on_others() -> None:
    """With watchNamespace, the ClusterRole has CRDs and Namespaces only; all else is a Role there."""
    objects = render(profile="any-namespace", watchNamespace="shop")
    cluster = [one for one in objects if one["kind"] == "ClusterRole" and one["metadata"]["name"] == "nopea"]
    roles = {one["metadata"]["name"]: one for one in objects if one["kind"] == "Role"}

    (own,) = cluster
    assert {resource for rule in own["rules"] for resource in rule["resources"]} == {
        "customresourcedefinitions",
        "namespaces",
    }
    assert set(roles) == {"nopea", "nopea-heartbeat", "nopea-any-namespace"}
    assert {role["metadata"]["namespace"] for role in roles.values()} == {"shop"}
    bound = [one for one in objects if one["kind"] == "RoleBinding"]
    assert {one["metadata"]["namespace"] for one in bound} == {"shop"}
    subjects = [one["subjects"] for one in bound if "heartbeat" not in one["metadata"]["name"]]
    assert subjects == [[{"kind": "ServiceAccount", "name": "nopea", "namespace": NAMESPACE}]] * 2


def test_parts_can_be_left_out() -> None:
    """What a second release shares with the first, and what a cluster does not want."""
    off = {"enabled": False}
    objects = render(crds=off, tenantPolicy=off, operatorRole=off, networkPolicy=off, name="two")

    kinds = {one["kind"] for one in objects}
    assert not kinds & {"CustomResourceDefinition", "ValidatingAdmissionPolicy", "NetworkPolicy"}
    assert {one["metadata"]["name"].partition("-")[0] for one in objects} == {"two"}


@pytest.mark.parametrize(
    ("values", "place"),
    [
        ({"profil": "tenants"}, "profil"),
        ({"profile": "admin"}, "profile"),
        ({"profile": ""}, "profile"),
        ({"image": "nopea"}, "image"),
        ({"image": {"digest": "sha256:1"}}, "digest"),
        ({"image": {"name": "nopea"}}, "name"),
        ({"allowedHosts": "git.example"}, "allowedHosts"),
        ({"allowedHosts": ["a,b"]}, "allowedHosts"),
        ({"gitNetworks": "all"}, "gitNetworks"),
        ({"limits": {"minInterval": "30"}}, "minInterval"),
        ({"limits": {"maxObjects": "many"}}, "maxObjects"),
        ({"notifications": {"signingSecret": {"name": "x"}}}, "signingSecret"),
        ({"notifications": {"urls": ["a.example"]}}, "urls"),
        ({"cdevents": {"version": 0.5}}, "version"),
        ({"git": {"children": 0}}, "children"),
        ({"git": {"memory": "1GB"}}, "memory"),
        ({"env": {"NOPEA_LOG_LEVEL": ["debug"]}}, "NOPEA_LOG_LEVEL"),
        ({"env": {"X": {"secretKeyRef": {"name": "x"}}}}, "X"),
        ({"env": {"NOPEA_APPLY_AS_CONTROLLER": "true"}}, "NOPEA_APPLY_AS_CONTROLLER"),
        ({"env": {"NOPEA_NAMESPACE": "shop"}}, "NOPEA_NAMESPACE"),
        ({"args": ["--apply-as-controller"]}, "args"),
        ({"args": ["--namespace=shop"]}, "args"),
        ({"shutdownSeconds": 0}, "shutdownSeconds"),
        ({"podLabels": {"a": 1}}, "podLabels"),
        ({"operatorRole": {"aggregateTo": ["view"]}}, "aggregateTo"),
        ({"monitoring": True}, "monitoring"),
        ({"name": "Nopea"}, "name"),
    ],
    ids=str,
)
def test_the_schema_refuses(values: dict[str, Any], place: str) -> None:
    """Unknown names and wrong types are refused before anything is rendered, with the value's name."""
    error = refuse(**values)

    assert error["kind"] == "values_schema", error
    assert place in f"{error['message']} {error.get('detail', '')}"
