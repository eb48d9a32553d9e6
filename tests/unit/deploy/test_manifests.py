"""The manifests in deploy/ and the Dockerfile match the settings and the version of the code."""

from __future__ import annotations

import ipaddress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from nopea import __version__
from nopea.core.git.networks import METADATA
from nopea.render.process import RenderSettings
from nopea.settings import Settings

ROOT = Path(__file__).parents[3]
BASE = ROOT / "deploy" / "base"
MIB = 1024 * 1024


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    """Return the Pod spec of the Deployment."""
    deployment = yaml.safe_load((BASE / "deployment.yaml").read_text(encoding="utf-8"))
    spec: dict[str, Any] = deployment["spec"]["template"]["spec"]
    return spec


@pytest.mark.parametrize(
    "folder", ["base", "tenant", "tenants", "any-namespace", "cluster-admin", "read-only", "egress-policy"]
)
def test_kustomization_lists_every_file(folder: str) -> None:
    """`kubectl apply -k` applies every manifest of the folder, and at most the base besides."""
    place = ROOT / "deploy" / folder
    kustomization = yaml.safe_load((place / "kustomization.yaml").read_text(encoding="utf-8"))

    files = {path.relative_to(place).as_posix() for path in place.rglob("*.yaml")}
    patches = {each["path"] for each in kustomization.get("patches", ()) if "path" in each}
    assert {*kustomization["resources"], *patches} - {"../base"} == files - {"kustomization.yaml"}


def test_the_network_policies_agree_with_the_code() -> None:
    """What --git-networks=private refuses outside of the cluster is excluded; ports are the Pod's."""
    egress = yaml.safe_load(
        (ROOT / "deploy" / "egress-policy" / "network-policy.yaml").read_text(encoding="utf-8")
    )
    ingress = yaml.safe_load((BASE / "network-policy.yaml").read_text(encoding="utf-8"))
    blocks = [
        peer["ipBlock"]
        for rule in egress["spec"]["egress"]
        for peer in rule.get("to", ())
        if "ipBlock" in peer
    ]
    excluded = [ipaddress.ip_network(text) for block in blocks for text in block["except"]]
    link_local = {ipaddress.ip_network(text) for text in ("169.254.0.0/16", "fe80::/10")}

    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    assert {network for network in excluded if network.num_addresses > 1} == link_local
    assert {network[0] for network in excluded if network.num_addresses == 1} == METADATA
    assert [port["port"] for rule in ingress["spec"]["ingress"] for port in rule["ports"]] == [
        "webhooks",
        "probes",
    ]
    labels = ingress["spec"]["podSelector"]["matchLabels"]
    assert egress["spec"]["podSelector"]["matchLabels"] == labels == {"app.kubernetes.io/name": "nopea"}


def test_versions_agree(pod: dict[str, Any]) -> None:
    """The image tag is the version of the code in both places."""
    kustomization = yaml.safe_load((BASE / "kustomization.yaml").read_text(encoding="utf-8"))

    assert pod["containers"][0]["image"] == f"nopea:{__version__}"
    assert kustomization["images"] == [{"name": "nopea", "newTag": __version__}]


def test_the_drain_fits_into_the_grace_period(pod: dict[str, Any]) -> None:
    """Nopea ends at least five seconds before the kubelet kills it."""
    grace = timedelta(seconds=pod["terminationGracePeriodSeconds"])

    assert grace - timedelta(seconds=Settings().shutdown_seconds) >= timedelta(seconds=5)


def test_port_and_cache_are_the_defaults(pod: dict[str, Any]) -> None:
    """The manifests set neither, so they must match the defaults of the code."""
    container = pod["containers"][0]

    ports = {port["name"]: port["containerPort"] for port in container["ports"]}
    assert ports == {"webhooks": Settings().port, "probes": Settings().probe_port}
    assert {
        container[f"{name}Probe"]["httpGet"]["port"] for name in ("startup", "liveness", "readiness")
    } == {"probes"}
    exposed = " ".join(str(port) for port in ports.values())
    assert f"EXPOSE {exposed}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert str(Settings().cache_dir) in {mount["mountPath"] for mount in container["volumeMounts"]}


def test_memory_holds_all_child_processes(pod: dict[str, Any]) -> None:
    """The memory limit is enough for the controller and all children at their own limits."""
    limit = pod["containers"][0]["resources"]["limits"]["memory"]
    children = Settings().git_children * Settings().git_memory_bytes
    rendering = RenderSettings(cache_dir=ROOT, program=None).total_memory_bytes

    assert limit.endswith("Gi")
    assert int(limit.removesuffix("Gi")) * 1024 * MIB >= children + rendering + 450 * MIB


def test_the_volume_holds_the_mirrors(pod: dict[str, Any]) -> None:
    """The kubelet evicts a Pod whose volume is over its limit, so it is a quarter bigger than the budget."""
    (size,) = (volume["emptyDir"]["sizeLimit"] for volume in pod["volumes"] if volume["name"] == "cache")

    assert size.endswith("Gi")
    assert int(size.removesuffix("Gi")) * 1024 * MIB >= Settings().git_disk_bytes * 5 // 4


def test_the_image_runs_as_the_pods_user(pod: dict[str, Any]) -> None:
    """The user of the image is that of the Pod, and not root."""
    user = pod["securityContext"]["runAsUser"]

    assert f"USER {user}:{user}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert user != 0


def test_the_image_gets_only_what_it_needs() -> None:
    """The file .dockerignore allows exactly the files that the Dockerfile copies."""
    ignore = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    copied: set[str] = set()
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY ") and "--from" not in line:
            copied.update(line.split()[1:-1])

    assert ignore[1] == "*"
    assert {line[1:] for line in ignore if line.startswith("!")} == copied
