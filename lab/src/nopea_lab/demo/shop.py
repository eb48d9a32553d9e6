"""The sample repository: a small shop of the invented company acme, and the changes that the demo pushes.

Values only; nothing here touches Git or a cluster.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

NAMESPACE = "shop"
"""Where the objects are."""
NAME = "shop"
"""The GitRepository's name, in the namespace `default`."""
WEBHOOK_SECRET = "shop-webhook"
"""The Secret, beside the GitRepository, with which pushes are signed."""
KINDS = "configmap,deployment,service,discounts.acme.example"
"""What the demo lists; the namespace and the definition of Discount are objects of the repository too."""

_NAMESPACE_FILE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: shop
"""

_DEFINITION_FILE = """\
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata:
  name: discounts.acme.example
spec:
  group: acme.example
  names: {kind: Discount, plural: discounts, singular: discount}
  scope: Namespaced
  versions:
    - name: v1
      served: true
      storage: true
      schema:
        openAPIV3Schema:
          type: object
          properties:
            spec:
              type: object
              required: [percent]
              properties:
                percent: {type: integer, minimum: 0, maximum: 50}
"""

_DISCOUNT_FILE = """\
apiVersion: acme.example/v1
kind: Discount
metadata:
  name: spring
  namespace: shop
spec:
  percent: 10
"""

_CONFIG_FILE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: web
  namespace: shop
data:
  greeting: Welcome to the acme shop
"""

_WEB_FILE = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  replicas: 2
  selector:
    matchLabels: {app: web}
  template:
    metadata:
      labels: {app: web}
    spec:
      containers:
        - name: web
          image: registry.acme.example/shop/web:1.4.0
          envFrom:
            - configMapRef: {name: web}
---
apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
spec:
  selector: {app: web}
  ports:
    - port: 80
      targetPort: 8080
"""

WEB = "web.yaml"
DISCOUNT = "discount.yaml"
DEPLOYMENT_PATH = f"/apis/apps/v1/namespaces/{NAMESPACE}/deployments/web"
DISCOUNT_PATH = f"/apis/acme.example/v1/namespaces/{NAMESPACE}/discounts/spring"


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoCommit:
    """One commit: whole files by their path, those that it removes, and a message."""

    message: str
    files: Mapping[str, str] = field(default_factory=dict)
    removed: tuple[str, ...] = ()


FIRST = DemoCommit(
    message="Open the shop",
    files={
        "namespace.yaml": _NAMESPACE_FILE,
        "crd.yaml": _DEFINITION_FILE,
        DISCOUNT: _DISCOUNT_FILE,
        "config.yaml": _CONFIG_FILE,
        WEB: _WEB_FILE,
    },
)
SCALED_WEB = _WEB_FILE.replace("replicas: 2", "replicas: 4")
SCALED = DemoCommit(message="Expect more visitors", files={WEB: SCALED_WEB})
BROKEN = DemoCommit(
    message="Start the sale",
    files={
        WEB: SCALED_WEB.replace("replicas: 4", "replica: 6"),
        DISCOUNT: _DISCOUNT_FILE.replace("percent: 10", "percent: 30"),
    },
)
FIXED = DemoCommit(message="Fix the typo", files={WEB: SCALED_WEB.replace("replicas: 4", "replicas: 6")})
CLOSED = DemoCommit(message="End the sale", removed=(DISCOUNT,))
GROWN = DemoCommit(message="Grow again", files={WEB: SCALED_WEB.replace("replicas: 4", "replicas: 8")})
_STAGE_FILE = """\
namePrefix: stage-
namespace: shop
resources: [greeting.yaml]
patches: [{path: patch.yaml}]
"""
_GREETING_FILE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: greeting
data:
  text: Welcome
"""
_PATCH_FILE = _GREETING_FILE.replace("Welcome", "Welcome to the stage")
_CHART_FILE = "apiVersion: v2\nname: banner\nversion: 1.0.0\n"
_BANNER_FILE = """\
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}-banner
data:
  text: {{ .Values.text | quote }}
"""
RENDERED = DemoCommit(
    message="Add an overlay and a chart",
    files={
        ".nopeaignore": "/stage/\n/chart/\n",
        "stage/kustomization.yaml": _STAGE_FILE,
        "stage/greeting.yaml": _GREETING_FILE,
        "stage/patch.yaml": _PATCH_FILE,
        "chart/Chart.yaml": _CHART_FILE,
        "chart/templates/banner.yaml": _BANNER_FILE,
    },
)
STAGE, CHART = "shop-stage", "shop-chart"
"""The GitRepositories that render the two folders."""
EDITED_REPLICAS = 1
"""What somebody sets by hand, past Git."""


def rendered_repositories(url: str) -> str:
    """Return the manifests that make Nopea follow the overlay and the chart."""
    head = "apiVersion: nopea.io/v1alpha1\nkind: GitRepository\nmetadata:\n  namespace: default\n"
    spec = f"spec:\n  url: {url}\n  targetNamespace: {NAMESPACE}\n"
    values = "  helm: {values: {text: Sale}}\n"
    return f"""\
{head}  name: {STAGE}
{spec}  path: stage
---
{head}  name: {CHART}
{spec}  path: chart
{values}"""


def git_repository(url: str, *, webhook_token: str) -> str:
    """Return the manifests that make Nopea follow the repository, and trust who signs with the token."""
    return f"""\
apiVersion: v1
kind: Secret
metadata:
  name: {WEBHOOK_SECRET}
  namespace: default
stringData:
  token: {webhook_token}
---
apiVersion: nopea.io/v1alpha1
kind: GitRepository
metadata:
  name: {NAME}
  namespace: default
spec:
  url: {url}
  ref:
    branch: main
  webhook:
    provider: generic
    secretRef:
      name: {WEBHOOK_SECRET}
"""
