"""What this process allows GitRepositories: the flags that protect tenants from each other. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

import msgspec

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.decryption.rules import KeyRule
from nopea.core.downloads.bases import parse_base
from nopea.core.downloads.items import RemoteItem, RemoteKind, is_remote_chart
from nopea.core.duration import parse_duration
from nopea.core.git.networks import Networks
from nopea.core.git.source import Proxy, host_of, is_ssh
from nopea.core.objects import RepoKey
from nopea.core.problem import Code, Problem

if TYPE_CHECKING:
    from nopea.core.api.repository import Repository


MAX_OBJECTS = 100_000
"""The most that --max-objects may allow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TenancyPolicy:
    """The limits of one process; durations in seconds. The defaults allow the least."""

    apply_as_controller: bool = False
    """Objects of a GitRepository that names no service account are written as Nopea itself."""
    default_service_account: str = ""
    """The service account, in its own namespace, of a GitRepository that names none."""
    cross_namespace_refs: bool = False
    allow_http_credentials: bool = False
    allowed_hosts: tuple[str, ...] = ()
    """Patterns of the hosts of Git servers, the proxies to them, and chart repositories: `*.acme.example`.

    Empty allows all.
    """
    sops_keys: tuple[KeyRule, ...] = ()
    """Which namespaces may have which keys opened with Nopea's own identity. Empty allows none."""
    remote_bases: tuple[str, ...] = ()
    """Patterns of the hosts that kustomizations may refer to. Empty allows none."""
    allow_file_urls: bool = False
    git_networks: Networks = Networks.PRIVATE
    """Where the hosts may be that GitRepositories name."""
    read_only: bool = False
    """Nothing that Git declares is written: a sync ends with its plan."""
    is_command: bool = False
    """A command compares with its user's rights; it decides nothing about the controller's."""
    min_interval: float = 1.0
    max_timeout: float = 3600.0
    max_objects: int = 10_000
    """The most objects that one GitRepository may declare."""


LEAST = TenancyPolicy()
AS_CALLER = TenancyPolicy(
    apply_as_controller=True,
    cross_namespace_refs=True,
    allow_http_credentials=True,
    allow_file_urls=True,
    remote_bases=("*",),
    git_networks=Networks.ANY,
    is_command=True,
    max_objects=MAX_OBJECTS,
)
"""For commands, which act with the rights of their user; what is synced is the controller's decision."""


def account_of(spec: GitRepositorySpec, policy: TenancyPolicy) -> str:
    """Return the service account that writes the objects; empty to write as Nopea, if `may_apply`."""
    return spec.service_account_name or policy.default_service_account


def may_apply(spec: GitRepositorySpec, policy: TenancyPolicy) -> bool:
    """Return whether somebody may write the objects: what is in Git never acts as Nopea by default."""
    return bool(account_of(spec, policy)) or policy.apply_as_controller


def acts_as_controller(spec: GitRepositorySpec, policy: TenancyPolicy) -> bool:
    """Return whether the objects are written with Nopea's own rights."""
    return policy.apply_as_controller and not account_of(spec, policy) and not policy.is_command


def shares_rights(one: Repository, other: Repository, policy: TenancyPolicy) -> bool:
    """Return whether what one repository may write can be left to the other: they are of one tenant.

    That is a namespace, or all namespaces if Nopea writes the objects of both with its own rights.
    """
    if one.key.namespace == other.key.namespace:
        return True
    specs = (one.spec, other.spec)
    return all(isinstance(spec, GitRepositorySpec) and acts_as_controller(spec, policy) for spec in specs)


def within(spec: GitRepositorySpec, policy: TenancyPolicy) -> GitRepositorySpec:
    """Return the spec with durations that the process allows."""
    least, most = f"{policy.min_interval:g}s", f"{policy.max_timeout:g}s"
    changes = {}
    if _seconds(spec.interval) < policy.min_interval:
        changes["interval"] = least
    if spec.retry_interval is not None and _seconds(spec.retry_interval) < policy.min_interval:
        changes["retry_interval"] = least
    if _seconds(spec.timeout) > policy.max_timeout:
        changes["timeout"] = most
    return msgspec.structs.replace(spec, **changes) if changes else spec


def _seconds(duration: str) -> float:
    return parse_duration(duration).total_seconds()


def violations(key: RepoKey, spec: GitRepositorySpec, policy: TenancyPolicy) -> tuple[Problem, ...]:
    """Return everything in the spec that the process does not allow; empty to go ahead."""
    problems = []
    if not may_apply(spec, policy):
        problems.append(_no_account(key))
    elsewhere = [other for other in spec.depends_on if other.namespace not in (None, key.namespace)]
    if elsewhere and not policy.cross_namespace_refs:
        named = ", ".join(f"{other.namespace}/{other.name}" for other in elsewhere)
        problems.append(
            _not_allowed(
                f"spec.dependsOn names GitRepositories of other namespaces: {named}.",
                "Remove them, or run Nopea with --cross-namespace-refs.",
            )
        )
    urls = {"spec.url": spec.url}
    if spec.helm is not None and is_remote_chart(spec.helm.chart):
        urls["spec.helm.chart"] = spec.helm.chart or ""
    violated = (_host_violation(field, url, policy) for field, url in urls.items())
    problems += [problem for problem in violated if problem is not None]
    if (
        spec.secret_ref is not None
        and spec.url.lower().startswith("http:")
        and not policy.allow_http_credentials
    ):
        problems.append(
            _not_allowed(
                "spec.secretRef would be sent over plain http, where anybody can read it.",
                "Use an https URL, or run Nopea with --allow-http-credentials.",
            )
        )
    return tuple(problems)


def proxy_violation(proxy: Proxy, policy: TenancyPolicy) -> Problem | None:
    """Return what the process does not allow about a proxy that a spec names; None to go ahead."""
    return _host_violation("The Secret in spec.proxySecretRef", proxy.address, policy)


def receiver_violation(what: str, url: str, policy: TenancyPolicy, *, is_secret: bool) -> Problem | None:
    """Return what the process does not allow about the address of a receiver; None to go ahead.

    `is_secret` says that whoever reads the request could send messages too.
    """
    if is_secret and url.lower().startswith("http:") and not policy.allow_http_credentials:
        return _not_allowed(
            f"{what} would be sent over plain http, where anybody can read it.",
            "Use an https URL, or run Nopea with --allow-http-credentials.",
        )
    return _host_violation(what, url, policy)


NO_CREDENTIALS = "Nopea fetches remote bases without credentials: commit the files of a private one."


def remote_violation(item: RemoteItem, policy: TenancyPolicy) -> Problem | None:
    """Return what the process does not allow about a chart or a base; None to go ahead."""
    if not item.is_readable:
        return Problem(
            code=Code.REMOTE_REFUSED,
            message=f"{item} is not an oci or https URL of a chart.",
            hint="Correct the repository and the name of the chart.",
        )
    if item.kind is RemoteKind.CHART:
        return _host_violation(str(item), item.place, policy)
    base = parse_base(item.place)
    host = host_of(base.url) if base is not None else ""
    allowed = bool(host) and any(fnmatchcase(host, pattern) for pattern in policy.remote_bases)
    if allowed and base is not None and not is_ssh(base.url):
        return None
    if allowed:
        message, hint = "is reached by ssh, which needs a login", f"Use its https URL. {NO_CREDENTIALS}"
    elif base is None:
        message, hint = "is neither a file by https nor a Git repository", "Correct the reference."
    else:
        message = f"is on the host {host or '(none)'}, from which Nopea may fetch no bases"
        hint = "Commit the files and refer to them by path, or run Nopea with --remote-bases."
    return Problem(code=Code.REMOTE_BASE, message=f"{item} {message}.", hint=hint)


def _host_violation(what: str, url: str, policy: TenancyPolicy) -> Problem | None:
    host = host_of(url)
    if not policy.allowed_hosts or any(fnmatchcase(host, pattern) for pattern in policy.allowed_hosts):
        return None
    return _not_allowed(
        f"{what} names the host {host or '(none)'}, which is not allowed.",
        f"Nopea runs with --allowed-hosts={','.join(policy.allowed_hosts)}.",
    )


def _no_account(key: RepoKey) -> Problem:
    return Problem(
        code=Code.ACCOUNT_MISSING,
        message="Nothing says which service account applies the objects.",
        hint="Set spec.serviceAccountName to a service account in this namespace that may write them: "
        f"`kubectl -n {key.namespace} create serviceaccount deployer` and `kubectl -n {key.namespace} create "
        f"rolebinding deployer --clusterrole=edit --serviceaccount={key.namespace}:deployer`. "
        "Or run Nopea with --default-service-account, or with --apply-as-controller.",
    )


def _not_allowed(message: str, hint: str) -> Problem:
    return Problem(code=Code.NOT_ALLOWED, message=message, hint=hint)
