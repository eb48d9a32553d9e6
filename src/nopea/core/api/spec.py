"""The model of `GitRepository.spec`. The schema of the CRD is generated from it.

The API server enforces the constraints in `Meta`, also the rules in `rules.py` (CEL).
Descriptions are what `kubectl explain` prints.
"""

from __future__ import annotations

import enum
from typing import Annotated

from msgspec import Meta

from nopea.core import duration
from nopea.core.api.helm import Helm
from nopea.core.api.kustomize import Kustomize
from nopea.core.api.model import Model
from nopea.core.api.notify import NotifyReceiver
from nopea.core.api.references import Name, SecretReference, ValuesReference
from nopea.core.api.rules import (
    GRACE_RULES,
    HELM_RULES,
    IGNORE_RULES,
    INTERVAL_RULES,
    PATH_RULES,
    REF_RULES,
    RULES,
    TIMEOUT_RULES,
    URL_RULES,
)

# Patterns end in \Z, not $: Python's $ also matches before a last newline, the API server's does not.
NAMESPACE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z"

Namespace = Annotated[str, Meta(min_length=1, max_length=63, pattern=NAMESPACE)]
Duration = Annotated[str, Meta(max_length=32, pattern=duration.PATTERN)]
Percentage = Annotated[str, Meta(max_length=4, pattern=r"^(100|[1-9]?[0-9])%\Z")]
Variable = Annotated[str, Meta(max_length=256)]
PruneLimit = Annotated[int, Meta(ge=0, le=2**31 - 1)] | Percentage


class HealPolicy(enum.StrEnum):
    """What Nopea does about manual drift."""

    AUTO = "auto"
    MANUAL = "manual"
    NOTIFY = "notify"


class DeletionPolicy(enum.StrEnum):
    """What happens to the applied objects when the GitRepository is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class Provider(enum.StrEnum):
    """The Git hosting service that sends the webhook."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET_CLOUD = "bitbucket-cloud"
    BITBUCKET_DATA_CENTER = "bitbucket-data-center"
    AZURE_DEVOPS = "azure-devops"
    GENERIC = "generic"


class DecryptionProvider(enum.StrEnum):
    """What encrypted the files."""

    SOPS = "sops"


class Decryption(Model, frozen=True, kw_only=True):
    """How encrypted files are decrypted."""

    provider: Annotated[DecryptionProvider, Meta(description="What encrypted the files: sops.")]
    secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="Secret with the private keys: of age in keys that end in .agekey, of OpenPGP in "
                "keys that end in .asc; or with logins: sops.vault-token, sops.aws-kms."
            ),
        ]
        | None
    ) = None


class GitReference(Model, frozen=True, kw_only=True):
    """A branch, a tag, a range of versions, any ref or a commit."""

    branch: Annotated[str, Meta(min_length=1, max_length=244, description="Branch to follow.")] | None = None
    tag: Annotated[str, Meta(min_length=1, max_length=244, description="Tag to follow.")] | None = None
    semver: (
        Annotated[
            str,
            Meta(
                min_length=1,
                max_length=128,
                description="Range of versions, such as >=1.2 <2. Nopea follows the highest tag in it.",
            ),
        ]
        | None
    ) = None
    name: (
        Annotated[
            str,
            Meta(
                pattern=r"^refs/[^\s~^:?*\[\\]+\Z",
                max_length=255,
                description="Full name of the ref to follow, such as refs/pull/420/head.",
            ),
        ]
        | None
    ) = None
    commit: (
        Annotated[
            str,
            Meta(
                pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z",
                max_length=64,
                description="Full id of the commit to apply. It may be set together with branch, "
                "which is then not followed.",
            ),
        ]
        | None
    ) = None


class RepositoryReference(Model, frozen=True, kw_only=True):
    """Another GitRepository."""

    name: Annotated[Name, Meta(description="Name of the GitRepository.")]
    namespace: (
        Annotated[
            Namespace,
            Meta(description="Namespace of the GitRepository. Defaults to the namespace of this one."),
        ]
        | None
    ) = None


class IgnoreRule(Model, frozen=True, kw_only=True):
    """Differences to ignore in the objects that match all given selectors."""

    group: (
        Annotated[
            str,
            Meta(max_length=253, description="API group of the objects. An empty string is the core group."),
        ]
        | None
    ) = None
    kind: Annotated[str, Meta(min_length=1, max_length=63, description="Kind of the objects.")] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=253, description="Name of the object.")] | None = None
    namespace: (
        Annotated[str, Meta(min_length=1, max_length=63, description="Namespace of the objects.")] | None
    ) = None
    json_pointers: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=512, pattern="^/")], ...],
            Meta(
                min_length=1,
                max_length=16,
                description="Fields to ignore, as JSON pointers (RFC 6901), such as /spec/replicas.",
            ),
        ]
        | None
    ) = None
    managers: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...],
            Meta(min_length=1, max_length=16, description="Field managers whose changes are ignored."),
        ]
        | None
    ) = None


class Webhook(Model, frozen=True, kw_only=True):
    """How a Git hosting service notifies Nopea of a push."""

    secret_ref: Annotated[
        SecretReference, Meta(description="Secret whose key `token` verifies the signature of the webhook.")
    ]
    provider: (
        Annotated[
            Provider,
            Meta(description="Git hosting service that sends the webhook; by default its headers tell."),
        ]
        | None
    ) = None


class GitRepositorySpec(Model, frozen=True, kw_only=True):
    """The desired state of the GitRepository."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="URL of the repository: https, http, ssh or scp-like (git@host:path). "
            "file is allowed only if the controller permits it. Must not contain credentials; use secretRef.",
            extra_json_schema={RULES: URL_RULES},
        ),
    ]
    ref: (
        Annotated[
            GitReference,
            Meta(
                description="What to follow. Defaults to the default branch of the repository (HEAD).",
                extra_json_schema={RULES: REF_RULES},
            ),
        ]
        | None
    ) = None
    path: Annotated[
        str,
        Meta(
            max_length=1024,
            description="Folder with the manifests, including its subfolders. Defaults to the root. With a "
            "kustomization.yaml or Chart.yaml in it, it is rendered.",
            extra_json_schema={RULES: PATH_RULES},
        ),
    ] = ""
    kustomize: (
        Annotated[
            Kustomize,
            Meta(description="Changes on top of the kustomization in path, as in a Kustomization of Flux."),
        ]
        | None
    ) = None
    helm: (
        Annotated[Helm, Meta(description="How a chart is rendered.", extra_json_schema={RULES: HELM_RULES})]
        | None
    ) = None
    decryption: (
        Annotated[Decryption, Meta(description="How encrypted files are decrypted, as in Flux.")] | None
    ) = None
    substitute: (
        Annotated[
            dict[str, Variable],
            Meta(max_length=64, description="Values of variables: ${name} in a manifest is replaced."),
        ]
        | None
    ) = None
    substitute_from: Annotated[
        tuple[ValuesReference, ...],
        Meta(
            max_length=8,
            description="ConfigMaps and Secrets whose keys are variables. A later one overrides an earlier "
            "one, and substitute overrides them.",
        ),
    ] = ()
    exclude: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=64, description="Files to exclude, as gitignore patterns relative to path."),
    ] = ()
    interval: Annotated[
        Duration,
        Meta(
            description="Interval at which Nopea checks Git for a new commit.",
            extra_json_schema={RULES: INTERVAL_RULES},
        ),
    ] = "5m"
    retry_interval: (
        Annotated[
            Duration,
            Meta(
                description="Longest wait before a failed sync is retried. The first retry comes after a "
                "second, and every further wait is twice as long. Defaults to interval.",
                extra_json_schema={RULES: INTERVAL_RULES},
            ),
        ]
        | None
    ) = None
    target_namespace: (
        Annotated[
            Namespace,
            Meta(description="Namespace of all namespaced objects; overrides their own."),
        ]
        | None
    ) = None
    secret_ref: (
        Annotated[SecretReference, Meta(description="Secret with the credentials for url.")] | None
    ) = None
    proxy_secret_ref: (
        Annotated[
            SecretReference,
            Meta(
                description="Secret with the address of an HTTP proxy for Git over https, and username and "
                "password if the proxy needs them. It replaces the proxy of the controller."
            ),
        ]
        | None
    ) = None
    suspend: Annotated[bool, Meta(description="Suspends all writes to the cluster.")] = False
    prune: Annotated[bool, Meta(description="Delete objects that were removed from Git.")] = True
    prune_limit: Annotated[
        PruneLimit,
        Meta(
            description="Most objects that one sync deletes without a confirmation: a number, or a "
            "percentage of all applied objects, rounded down and never more than 100."
        ),
    ] = "25%"
    deletion_policy: Annotated[
        DeletionPolicy,
        Meta(
            description="What happens to the applied objects when the GitRepository is deleted: "
            "Orphan leaves them in the cluster, Delete deletes them."
        ),
    ] = DeletionPolicy.ORPHAN
    heal_policy: Annotated[
        HealPolicy,
        Meta(
            description="What to do about manual drift: auto reverts it, manual and notify report it, "
            "and notify also sends a notification."
        ),
    ] = HealPolicy.AUTO
    heal_grace_period: Annotated[
        Duration,
        Meta(
            description="Time to wait before manual drift is reverted.",
            extra_json_schema={RULES: GRACE_RULES},
        ),
    ] = "0s"
    ignore_differences: Annotated[
        tuple[Annotated[IgnoreRule, Meta(extra_json_schema={RULES: IGNORE_RULES})], ...],
        Meta(max_length=32, description="Differences that do not count as drift."),
    ] = ()
    adopt_managers: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...],
            Meta(
                max_length=16,
                description="Field managers whose fields are adopted with an object that Nopea has not "
                "applied before, as shell patterns; what Git omits of them is removed. Defaults to the "
                "managers of Argo CD, Flux, Helm, kapp, Pulumi and Terraform. Those of kubectl are always "
                "adopted.",
            ),
        ]
        | None
    ) = None
    depends_on: Annotated[
        tuple[RepositoryReference, ...],
        Meta(
            max_length=32,
            description="GitRepositories that must be Applied and Healthy before this one is applied.",
        ),
    ] = ()
    wait: Annotated[bool, Meta(description="Ready is True only while all applied objects are healthy.")] = (
        False
    )
    service_account_name: (
        Annotated[
            Name,
            Meta(
                description="ServiceAccount in the namespace of the GitRepository "
                "that Nopea impersonates to apply the objects."
            ),
        ]
        | None
    ) = None
    force: Annotated[
        bool, Meta(description="Delete and create objects again whose immutable fields changed.")
    ] = False
    timeout: Annotated[
        Duration,
        Meta(description="Timeout of one Git operation.", extra_json_schema={RULES: TIMEOUT_RULES}),
    ] = "5m"
    webhook: Annotated[Webhook, Meta(description="Webhook that triggers a sync after a push.")] | None = None
    plan_pull_requests: Annotated[
        bool,
        Meta(
            description="Comment on pull requests what a merge would change, if the controller permits it. "
            "Needs a webhook for pull requests, and a token in secretRef."
        ),
    ] = False
    notify: Annotated[
        tuple[NotifyReceiver, ...],
        Meta(max_length=8, description="Who is notified of what happens to this GitRepository."),
    ] = ()
