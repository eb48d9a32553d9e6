"""Read the Secrets that a spec names for Git. What they hold leaves this file only as a `Remote`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy, proxy_violation
from nopea.core.git.credentials import missing_secret, parse_credentials, parse_proxy
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
    client: KubeClient, key: RepoKey, spec: GitRepositorySpec, policy: TenancyPolicy
) -> Remote:
    """Return the spec's URL with what its Secrets hold; raises SyncError if they cannot be used."""
    credentials, proxy = NO_CREDENTIALS, None
    if spec.secret_ref is not None:
        name = spec.secret_ref.name
        secret = await _secret(client, key, name, field="spec.secretRef")
        credentials = _usable(parse_credentials(secret, name=name, url=spec.url))
    if spec.proxy_secret_ref is not None:
        name = spec.proxy_secret_ref.name
        secret = await _secret(client, key, name, field="spec.proxySecretRef")
        proxy = _usable(parse_proxy(secret, name=name, url=spec.url))
        if (refused := proxy_violation(proxy, policy)) is not None:
            raise StalledError(refused)
    return Remote(spec.url, credentials, owner=key, proxy=proxy)


async def _secret(client: KubeClient, key: RepoKey, name: str, *, field: str) -> Mapping[str, Any]:
    try:
        return (await client.get(SECRETS.at(name=name, namespace=key.namespace))).json()
    except NotFoundError as error:
        raise StalledError(missing_secret(name, key.namespace, field=field)) from error
    except ApiError as error:
        raise to_sync_error(error, object=f"Secret {key.namespace}/{name}") from error


def _usable(parsed: T | Problem) -> T:
    if isinstance(parsed, Problem):
        raise StalledError(parsed)
    return parsed
