"""Read the Secrets that a spec names for Git. What they hold leaves this file only as a `Remote`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy, proxy_violation
from nopea.core.git.credentials import missing_secret, parse_credentials, parse_proxy, why_no_proxy
from nopea.core.git.source import Credentials, Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import SECRETS
from nopea.kube.problems import to_sync_error

T = TypeVar("T")
NO_CREDENTIALS = Credentials()


async def remote_of(
    client: KubeClient,
    key: RepoKey,
    spec: GitRepositorySpec,
    policy: TenancyPolicy,
    *,
    versions: dict[str, str] | None = None,
) -> Remote:
    """Return the spec's URL with what its Secrets hold; raises SyncError if they cannot be used.

    `versions` gets the version of each Secret that was read, by name: empty for one that does not exist.
    """
    versions = {} if versions is None else versions
    credentials, proxy = NO_CREDENTIALS, None
    if spec.secret_ref is not None:
        name = spec.secret_ref.name
        secret = await _secret(client, key, name, versions, field="spec.secretRef")
        credentials = _usable(parse_credentials(secret, name=name, url=spec.url))
    if spec.proxy_secret_ref is not None:
        name = spec.proxy_secret_ref.name
        if (problem := why_no_proxy(spec.url, name=name)) is not None:
            raise StalledError(problem)
        secret = await _secret(client, key, name, versions, field="spec.proxySecretRef")
        proxy = _usable(parse_proxy(secret, name=name))
        if (refused := proxy_violation(proxy, policy)) is not None:
            raise StalledError(refused)
    return Remote(spec.url, credentials, owner=key, proxy=proxy)


async def have_changed(client: KubeClient, key: RepoKey, versions: Mapping[str, str]) -> bool:
    """Return whether a Secret has another version now; False if that cannot be said."""
    for name, version in versions.items():
        try:
            secret = await client.get(SECRETS.at(name=name, namespace=key.namespace))
        except NotFoundError:
            now = ""
        except ApiError:
            return False
        else:
            now = secret.meta.resource_version
        if now != version:
            return True
    return False


async def _secret(
    client: KubeClient, key: RepoKey, name: str, versions: dict[str, str], *, field: str
) -> Mapping[str, Any]:
    try:
        secret = await client.get(SECRETS.at(name=name, namespace=key.namespace))
        versions[name] = secret.meta.resource_version
        return secret.json()
    except NotFoundError as error:
        versions[name] = ""
        raise StalledError(missing_secret(name, key.namespace, field=field)) from error
    except ApiError as error:
        raise to_sync_error(error, object=f"Secret {key.namespace}/{name}") from error


def _usable(parsed: T | Problem) -> T:
    if isinstance(parsed, Problem):
        raise StalledError(parsed)
    return parsed
