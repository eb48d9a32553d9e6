"""Eleven broken repositories: the files in Git, the error to expect, and how a user repairs it.

Values only. `NAMESPACE`, `SERVER` and `GUARDED` (a Git server that requires a password) are placeholders
that the test replaces.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.e2e import yamls
from tests.e2e.yamls import Manifest

USERNAME = "acme"
PASSWORD = "opensesame-acme"
ACCOUNT = "porter"
GROUP = "NAMESPACE.acme.example"

_CORE_ROLE = "rbac.authorization.k8s.io/v1 roles"
_CRDS = "apiextensions.k8s.io/v1 customresourcedefinitions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """How a user repairs it: push files, change the spec, or create objects, given by their place."""

    push: Mapping[str, str] = field(default_factory=dict)
    branch: str = "main"
    spec: Mapping[str, Any] = field(default_factory=dict)
    objects: Mapping[str, Manifest] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Broken:
    """A repository whose only error must contain `said`; the ConfigMaps in `rest` are applied anyway.

    `whole` is the number of objects after the repair.
    """

    name: str
    code: str
    reason: str
    said: Mapping[str, str]
    cure: Cure
    files: Mapping[str, str]
    spec: Mapping[str, Any] = field(default_factory=dict)
    rest: tuple[str, ...] = ()
    whole: int = 1


def files(*names: str) -> dict[str, str]:
    """Return one valid file for each name."""
    return {f"{name}.yaml": yamls.text(yamls.config_map(name)) for name in names}


def before() -> dict[str, Manifest]:
    """Return the initial objects of the namespace: a wrong password, and an account with few permissions."""
    rbac = "rbac.authorization.k8s.io/v1"
    return {
        "v1 secrets NAMESPACE/wrong-credentials": _credentials("wrong-credentials", "guess"),
        f"v1 serviceaccounts NAMESPACE/{ACCOUNT}": yamls.service_account(ACCOUNT),
        f"{_CORE_ROLE} NAMESPACE/{ACCOUNT}": yamls.role(ACCOUNT, resources=("configmaps",)),
        f"{rbac} rolebindings NAMESPACE/{ACCOUNT}": yamls.role_binding(
            ACCOUNT, role=ACCOUNT, account=ACCOUNT, namespace="NAMESPACE"
        ),
    }


def _credentials(name: str, password: str) -> Manifest:
    return yamls.secret(name, username=USERNAME, password=password)


def _guarded(name: str) -> dict[str, Any]:
    return {"url": f"GUARDED/NAMESPACE/{name}.git", "secretRef": {"name": name}}


def _with_secret(name: str) -> Cure:
    return Cure(objects={f"v1 secrets NAMESPACE/{name}": _credentials(name, PASSWORD)})


BROKEN = (
    Broken(
        name="unknown-host",
        code="NOPEA-G001",
        reason="GitUnreachable",
        files=files("host"),
        spec={"url": "http://git.acme.invalid/shop.git"},
        said={"message": "http://git.acme.invalid/shop.git", "hint": "network"},
        cure=Cure(spec={"url": "SERVER/NAMESPACE/unknown-host.git"}),
    ),
    Broken(
        name="wrong-credentials",
        code="NOPEA-G002",
        reason="GitAuthentication",
        files=files("wrong"),
        spec=_guarded("wrong-credentials"),
        said={"message": "wrong-credentials.git: the server refused access", "hint": "secretRef"},
        cure=_with_secret("wrong-credentials"),
    ),
    Broken(
        name="missing-secret",
        code="NOPEA-G012",
        reason="GitSecretMissing",
        files=files("secret"),
        spec=_guarded("missing-secret"),
        said={"object": "Secret NAMESPACE/missing-secret", "hint": "Create it"},
        cure=_with_secret("missing-secret"),
    ),
    Broken(
        name="missing-branch",
        code="NOPEA-G003",
        reason="GitRefNotFound",
        files=files("branch"),
        spec={"ref": {"branch": "next"}},
        said={"message": "next", "hint": "Correct spec.ref.branch. The repository has, for example: main."},
        cure=Cure(push=files("branch"), branch="next"),
    ),
    Broken(
        name="missing-path",
        code="NOPEA-G004",
        reason="GitPathNotFound",
        files={"deploy/web/web.yaml": yamls.text(yamls.config_map("path"))},
        spec={"path": "deploy/shop"},
        said={"message": "there is no folder deploy/shop", "hint": "spec.path. Folders in deploy/: web"},
        cure=Cure(push={"deploy/shop/web.yaml": yamls.text(yamls.config_map("path"))}),
    ),
    Broken(
        name="empty",
        code="NOPEA-G005",
        reason="GitEmptyRepository",
        files={},
        said={"message": "empty.git: the repository is empty", "hint": "Push a first commit"},
        cure=Cure(push=files("empty")),
    ),
    Broken(
        name="bad-yaml",
        code="NOPEA-M001",
        reason="YamlSyntax",
        files={**files("yaml-a", "yaml-z"), "yaml.yaml": "apiVersion: v1\nkind: [ConfigMap\nmetadata: {}\n"},
        said={"source": "yaml.yaml:3"},
        rest=("yaml-a", "yaml-z"),
        cure=Cure(push=files("yaml-a", "yaml-z", "yaml")),
        whole=3,
    ),
    Broken(
        name="unknown-kind",
        code="NOPEA-K001",
        reason="KindUnknown",
        files={
            **files("kind-a", "kind-z"),
            "kind.yaml": yamls.text(yamls.custom("Widget", "small", group=GROUP)),
        },
        said={
            "source": "kind.yaml#1",
            "object": f"{GROUP}/Widget small",
            "hint": "install the CustomResourceDefinition",
        },
        rest=("kind-a", "kind-z"),
        cure=Cure(objects={f"{_CRDS} /widgets.{GROUP}": yamls.definition("Widget", group=GROUP)}),
        whole=3,
    ),
    Broken(
        name="forbidden",
        code="NOPEA-K002",
        reason="Forbidden",
        files={**files("rbac-a", "rbac-z"), "rbac.yaml": yamls.text(yamls.service("rbac"))},
        spec={"serviceAccountName": ACCOUNT},
        said={
            "source": "rbac.yaml#1",
            "object": "Service NAMESPACE/rbac",
            "hint": f"Grant system:serviceaccount:NAMESPACE:{ACCOUNT} in a Role in NAMESPACE: "
            'apiGroups: [""], resources: ["services"]',
        },
        rest=("rbac-a", "rbac-z"),
        cure=Cure(
            objects={
                f"{_CORE_ROLE} NAMESPACE/{ACCOUNT}": yamls.role(ACCOUNT, resources=("configmaps", "services"))
            }
        ),
        whole=3,
    ),
    Broken(
        name="invalid",
        code="NOPEA-K003",
        reason="Invalid",
        files={**files("port-a", "port-z"), "port.yaml": yamls.text(yamls.service("port", port=99999))},
        said={
            "source": "port.yaml#1",
            "object": "Service NAMESPACE/port",
            "message": "99999",
            "hint": "Correct spec.ports[0].port",
        },
        rest=("port-a", "port-z"),
        cure=Cure(push={**files("port-a", "port-z"), "port.yaml": yamls.text(yamls.service("port"))}),
        whole=3,
    ),
    Broken(
        name="doubled",
        code="NOPEA-M007",
        reason="DuplicateObject",
        files={
            **files("twin-a", "twin-z"),
            "m.yaml": yamls.text(yamls.config_map("twin", colour="blue")),
            "n.yaml": yamls.text(yamls.config_map("twin", colour="red")),
        },
        said={
            "source": "m.yaml#1",
            "object": "ConfigMap NAMESPACE/twin",
            "message": "m.yaml#1, n.yaml#1",
            "hint": "Keep one of them",
        },
        rest=("twin-a", "twin-z"),
        cure=Cure(push=files("twin-a", "twin-z", "twin")),
        whole=3,
    ),
)
