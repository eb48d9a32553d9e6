"""The objects of an installation, by profile: those of `deploy/`, from the package. Never asks a cluster."""

from __future__ import annotations

import enum
from importlib import resources
from typing import TYPE_CHECKING, Any

from nopea import __version__
from nopea.core.api.crds import git_repository_crd, inventory_crd

if TYPE_CHECKING:
    from nopea.kube.client import ServiceAccount

Manifest = dict[str, Any]

DEFAULT_IMAGE = f"nopea:{__version__}"
IMAGE_NAME = "nopea"
AS_CONTROLLER = "NOPEA_APPLY_AS_CONTROLLER"
"""The variable by which Nopea applies with its own rights what names no service account."""
READ_ONLY = "NOPEA_READ_ONLY"
"""The variable by which Nopea only plans."""
_BASE = (
    "namespace", "service-account", "rbac", "tenant-policy", "operator", "network-policy", "service",
    "deployment",
)  # fmt: skip


class Profile(enum.StrEnum):
    """With whose rights Nopea applies what is in Git."""

    TENANTS = "tenants"
    ANY_NAMESPACE = "any-namespace"
    CLUSTER_ADMIN = "cluster-admin"
    READ_ONLY = "read-only"


def definitions() -> list[Manifest]:
    """Return the CustomResourceDefinitions."""
    return [git_repository_crd(), inventory_crd()]


def objects(profile: Profile, *, image: str = DEFAULT_IMAGE) -> list[Manifest]:
    """Return all objects of a profile, definitions first and the Deployment last."""
    found = [*definitions(), *(each for name in _BASE for each in packaged(f"base-{name}"))]
    deployment = found.pop()
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    container["image"] = image
    if profile is Profile.ANY_NAMESPACE:
        found += packaged("any-namespace-rbac")
    if profile is Profile.CLUSTER_ADMIN:
        found += packaged("cluster-admin-binding")
    if profile is Profile.READ_ONLY:
        fewer = {named(each): each["rules"] for each in packaged("read-only-own")}
        for each in found:
            each |= {"rules": fewer[named(each)]} if named(each) in fewer else {}
        found += packaged("read-only-rbac")
    container["env"] += [{"name": name, "value": "true"} for name in variables_of(profile)]
    return [*found, deployment]


def variables_of(profile: Profile) -> tuple[str, ...]:
    """Return which of the variables above a profile sets."""
    match profile:
        case Profile.CLUSTER_ADMIN:
            return (AS_CONTROLLER,)
        case Profile.READ_ONLY:
            return (READ_ONLY, AS_CONTROLLER)
        case _:
            return ()


def tenant_roles(namespace: str, *, accounts: list[str], controller: ServiceAccount) -> list[Manifest]:
    """Return what Nopea must be allowed to do in a tenant's namespace: act as accounts, read Secrets."""
    found = [each for each in packaged("tenant-rbac") if each["metadata"]["name"] == "nopea"]
    for each in found:
        each["metadata"]["namespace"] = namespace
        if "rules" in each:  # a rule without names would be about all accounts
            each["rules"] = [rule for rule in each["rules"] if accounts or "impersonate" not in rule["verbs"]]
        for rule in each.get("rules", ()):
            if "impersonate" in rule["verbs"]:
                rule["resourceNames"] = accounts
        for subject in each.get("subjects", ()):
            subject |= {"name": controller.name, "namespace": controller.namespace}
    return found


def packaged(name: str) -> list[Manifest]:
    """Return the documents of a file in the package, as they are in `deploy/`."""
    import yaml

    file = resources.files("nopea.cli.installation").joinpath("manifests", f"{name}.yaml")
    return [each for each in yaml.safe_load_all(file.read_text(encoding="utf-8")) if each]


def named(manifest: Manifest) -> str:
    """Return kind and name of an object, as messages name it."""
    metadata = manifest["metadata"]
    where = f"{metadata['namespace']}/" if "namespace" in metadata else ""
    return f"{manifest['kind']} {where}{metadata['name']}"
