"""The chart as Helm itself installs, upgrades and uninstalls it on a real API server."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from nopea.core.api import names
from nopea_lab.lab import Lab

CHART = Path(__file__).parents[2] / "charts" / "nopea"
LOCAL = ("image.repository=nopea", "image.tag=dev", "image.pullPolicy=Never", "profile=cluster-admin")
"""The values of docs/howto/local-clusters.md."""
_NAMESPACE = ("--namespace", "nopea-system")


@dataclass(frozen=True, slots=True)
class Helm:
    """The program helm, on a lab of its own."""

    program: Path
    lab: Lab

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """Run helm and return what it prints."""
        done = subprocess.run(
            [self.program, *arguments, "--kubeconfig", str(self.lab.kubeconfig)],
            env={"HOME": str(self.lab.kubeconfig.parent), "PATH": os.defpath},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    def values(self, *values: str) -> list[str]:
        """Return the flags that set values."""
        return [word for value in values for word in ("--set", value)]


@pytest.fixture
def helm(private_lab: Lab) -> Helm:
    """Return the helm that `make test-programs` builds."""
    place = Path(os.environ.get("NOPEA_TEST_HELM") or Path(sys.executable).parent / "nopea-test-helm")
    if not place.exists():
        pytest.skip("helm is not built; run `make test-programs`")
    return Helm(place, private_lab)


def test_a_release_from_its_install_to_its_end(helm: Helm) -> None:
    """It is installed and upgraded, and when it is uninstalled, the kinds and all GitRepositories stay."""
    kubectl = helm.lab.run_kubectl
    installed = helm("install", "nopea", str(CHART), *_NAMESPACE, "--create-namespace", *helm.values(*LOCAL))
    assert "Nopea dev is installed with the profile cluster-admin" in installed
    image = ("-n", "nopea-system", "get", "deployment", "nopea", "-o")
    container = "jsonpath={.spec.template.spec.containers[0]['image','imagePullPolicy']}"
    assert kubectl(*image, container) == "nopea:dev Never"

    kubectl("create", "namespace", "team-shop")
    repository = (
        f"apiVersion: {names.API_VERSION}\nkind: {names.KIND}\n"
        "metadata: {name: shop, namespace: team-shop}\nspec: {url: https://git.acme.example/shop.git}\n"
    )
    kubectl("apply", "-f", "-", stdin=repository)
    helm("upgrade", "nopea", str(CHART), *_NAMESPACE, "--reuse-values", *helm.values("image.tag=next"))
    assert kubectl(*image, container) == "nopea:next Never"

    helm("uninstall", "nopea", *_NAMESPACE)
    left = kubectl("get", "gitrepositories.nopea.io", "-A", "-o", "name")
    assert left == "gitrepository.nopea.io/shop\n"
    for kind in ("deployments", "services", "serviceaccounts"):
        found = kubectl("-n", "nopea-system", "get", kind, "-o", "name", "--ignore-not-found")
        assert "nopea" not in found
    kinds = "clusterroles,clusterrolebindings,validatingadmissionpolicies"
    assert "/nopea" not in kubectl("get", kinds, "-o", "name")


def test_lint_and_the_schema(helm: Helm) -> None:
    """`helm lint` finds nothing, and a misspelled value stops an install before anything is created."""
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *helm.values(*LOCAL))

    refused = helm("install", "nopea", str(CHART), *_NAMESPACE, *helm.values("profil=cluster-admin"), code=1)

    assert "profil" in refused
    namespaces = helm.lab.run_kubectl("get", "namespaces", "-o", "name")
    assert "nopea-system" not in namespaces
