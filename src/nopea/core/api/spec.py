"""`GitRepository.spec` as the API server stores it: the one model; the CRD's schema is generated from it.

Constraints that the API server enforces stand in `Meta`; rules over several fields in `SPEC_RULES` (CEL).
"""

from __future__ import annotations

import enum
from typing import Annotated, Any

import msgspec
from msgspec import Meta

from nopea.core import duration

# Patterns end in \Z, not $: Python's $ also matches before a last newline, the API server's does not.
NAME = r"^[a-z0-9]([-a-z0-9.]*[a-z0-9])?\Z"
NAMESPACE = r"^[a-z0-9]([-a-z0-9]*[a-z0-9])?\Z"

RULES = "x-kubernetes-validations"

Name = Annotated[str, Meta(min_length=1, max_length=253, pattern=NAME)]
Namespace = Annotated[str, Meta(min_length=1, max_length=63, pattern=NAMESPACE)]
Duration = Annotated[str, Meta(max_length=32, pattern=duration.PATTERN)]


class HealPolicy(enum.StrEnum):
    """What to do about manual drift."""

    AUTO = "auto"
    MANUAL = "manual"
    NOTIFY = "notify"


class DeletionPolicy(enum.StrEnum):
    """What happens to the objects when the GitRepository is deleted."""

    DELETE = "Delete"
    ORPHAN = "Orphan"


class Provider(enum.StrEnum):
    """Who sends the webhook."""

    GITHUB = "github"
    GITLAB = "gitlab"
    GITEA = "gitea"
    BITBUCKET_CLOUD = "bitbucket-cloud"
    BITBUCKET_DATA_CENTER = "bitbucket-data-center"
    AZURE_DEVOPS = "azure-devops"
    GENERIC = "generic"


class Model(msgspec.Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Settings that every part of the API shares: immutable, camelCase on the wire."""


class SecretReference(Model, frozen=True, kw_only=True):
    """A Secret in the GitRepository's own namespace."""

    name: Annotated[Name, Meta(description="The Secret's name.")]


class RepositoryReference(Model, frozen=True, kw_only=True):
    """Another GitRepository."""

    name: Annotated[Name, Meta(description="The GitRepository's name.")]
    namespace: Annotated[Namespace, Meta(description="Its namespace; by default this one's own.")] | None = (
        None
    )


class IgnoreRule(Model, frozen=True, kw_only=True):
    """Fields that are left to others: every given selector must match."""

    group: (
        Annotated[
            str, Meta(max_length=253, description="The objects' API group; empty means the core group.")
        ]
        | None
    ) = None
    kind: Annotated[str, Meta(min_length=1, max_length=63, description="The objects' kind.")] | None = None
    name: Annotated[str, Meta(min_length=1, max_length=253, description="The object's name.")] | None = None
    namespace: (
        Annotated[str, Meta(min_length=1, max_length=63, description="The objects' namespace.")] | None
    ) = None
    json_pointers: (
        Annotated[
            tuple[Annotated[str, Meta(max_length=512, pattern="^/")], ...],
            Meta(
                min_length=1, max_length=32, description="The fields, as RFC 6901 pointers: /spec/replicas."
            ),
        ]
        | None
    ) = None
    managers: (
        Annotated[
            tuple[Annotated[str, Meta(min_length=1, max_length=128)], ...],
            Meta(min_length=1, max_length=16, description="The field managers whose changes are left alone."),
        ]
        | None
    ) = None


IGNORE_RULES = (
    {
        "rule": "has(self.jsonPointers) || has(self.managers)",
        "message": "give jsonPointers, managers or both: a rule without them ignores nothing",
    },
)


class Webhook(Model, frozen=True, kw_only=True):
    """How a push is announced."""

    secret_ref: Annotated[SecretReference, Meta(description="The Secret whose key `token` signs the push.")]
    provider: (
        Annotated[Provider, Meta(description="Who sends the push; by default its headers tell.")] | None
    ) = None


class GitRepositorySpec(Model, frozen=True, kw_only=True):
    """What to keep in the cluster, and how."""

    url: Annotated[
        str,
        Meta(
            min_length=1,
            max_length=2048,
            description="Where the repository is: https, http, ssh or scp-like (git@host:path); "
            "file only where the controller allows it. No credentials in it: use secretRef.",
        ),
    ]
    branch: Annotated[str, Meta(min_length=1, max_length=244, description="The branch to follow.")] | None = (
        None
    )
    tag: Annotated[str, Meta(min_length=1, max_length=244, description="The tag to follow.")] | None = None
    semver: (
        Annotated[
            str, Meta(min_length=1, max_length=128, description="A range; the highest tag in it is followed.")
        ]
        | None
    ) = None
    commit: (
        Annotated[
            str,
            Meta(pattern=r"^([0-9a-f]{40}|[0-9a-f]{64})\Z", max_length=64, description="A full commit id."),
        ]
        | None
    ) = None
    path: Annotated[
        str, Meta(max_length=1024, description="The folder with the manifests, recursive; empty is the root.")
    ] = ""
    exclude: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=256)], ...],
        Meta(max_length=64, description="Files to leave out, as gitignore patterns relative to path."),
    ] = ()
    interval: Annotated[Duration, Meta(description="How often Git is asked for a new commit.")] = "5m"
    target_namespace: (
        Annotated[Namespace, Meta(description="The namespace of all namespaced objects, whatever Git says.")]
        | None
    ) = None
    secret_ref: (
        Annotated[SecretReference, Meta(description="The Secret with the credentials for url.")] | None
    ) = None
    suspend: Annotated[bool, Meta(description="Stops every write, whatever the trigger.")] = False
    prune: Annotated[bool, Meta(description="Delete objects that are gone from Git.")] = True
    deletion_policy: (
        Annotated[
            DeletionPolicy,
            Meta(description="The objects' fate when this is deleted: Delete when prune, else Orphan."),
        ]
        | None
    ) = None
    heal_policy: Annotated[HealPolicy, Meta(description="What to do about manual drift.")] = HealPolicy.AUTO
    heal_grace_period: Annotated[
        Duration, Meta(description="How long manual drift may stay before it is healed.")
    ] = "0s"
    ignore_differences: Annotated[
        tuple[Annotated[IgnoreRule, Meta(extra_json_schema={RULES: IGNORE_RULES})], ...],
        Meta(max_length=32, description="Fields that are left to others."),
    ] = ()
    depends_on: Annotated[
        tuple[RepositoryReference, ...],
        Meta(max_length=32, description="GitRepositories that must be Ready before this one is applied."),
    ] = ()
    service_account_name: (
        Annotated[
            Name, Meta(description="The service account of this namespace that the objects are applied as.")
        ]
        | None
    ) = None
    force: Annotated[bool, Meta(description="Recreate objects whose immutable fields changed.")] = False
    timeout: Annotated[Duration, Meta(description="The longest that one Git operation may take.")] = "5m"
    webhook: Annotated[Webhook, Meta(description="How a push is announced to Nopea.")] | None = None


URL_RULE = (
    r"self.url.matches('^(https?|ssh|file)://[^\\s]+$') "
    r"|| self.url.matches('^[A-Za-z0-9._-]+@[A-Za-z0-9.-]+:[^\\s]+$')"
)
SPEC_RULES: tuple[dict[str, Any], ...] = (
    {
        "rule": "[has(self.branch), has(self.tag), has(self.semver), has(self.commit)]"
        ".filter(given, given).size() == 1",
        "message": "give exactly one of branch, tag, semver and commit",
    },
    {
        "rule": URL_RULE,
        "fieldPath": ".url",
        "message": "must be an https, http, ssh or file URL, or scp-like: user@host:path",
    },
    {
        # a user without a password is how SSH URLs are written; everywhere else userinfo is a credential
        "rule": "!self.url.matches('^(https?|file)://[^/]*@') && !self.url.matches('^ssh://[^/]*:[^/]*@')",
        "fieldPath": ".url",
        "message": "must not hold credentials; put them into a Secret and name it in secretRef",
    },
    {
        "rule": r"!self.path.startsWith('/') && !self.path.matches('(^|/)\\.\\.(/|$)')",
        "fieldPath": ".path",
        "message": "must be relative to the repository's root and must not contain '..'",
    },
    {
        "rule": "duration(self.interval) >= duration('1s') && duration(self.interval) <= duration('8760h')",
        "fieldPath": ".interval",
        "message": "must be between 1s and 8760h (a year)",
    },
    {
        "rule": "duration(self.timeout) >= duration('1s') && duration(self.timeout) <= duration('1h')",
        "fieldPath": ".timeout",
        "message": "must be between 1s and 1h",
    },
    {
        "rule": "duration(self.healGracePeriod) <= duration('8760h')",
        "fieldPath": ".healGracePeriod",
        "message": "must be at most 8760h (a year)",
    },
)
