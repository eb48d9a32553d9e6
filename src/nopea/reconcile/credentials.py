"""Read the Secret that a spec names for Git. What it holds leaves this file only as `Credentials`."""

from __future__ import annotations

from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.credentials import missing_secret, parse_credentials
from nopea.core.git.source import Credentials, Remote
from nopea.core.objects import RepoKey
from nopea.core.problem import Problem, StalledError
from nopea.kube.client import KubeClient
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import SECRETS
from nopea.kube.problems import to_sync_error

NO_CREDENTIALS = Credentials()


async def remote_of(client: KubeClient, key: RepoKey, spec: GitRepositorySpec) -> Remote:
    """Return the spec's URL with the credentials of its Secret; raises SyncError if there are none."""
    if spec.secret_ref is None:
        return Remote(spec.url, NO_CREDENTIALS, owner=key)
    name = spec.secret_ref.name
    try:
        secret = await client.get(SECRETS.at(name=name, namespace=key.namespace))
    except NotFoundError as error:
        raise StalledError(missing_secret(name, key.namespace)) from error
    except ApiError as error:
        raise to_sync_error(error, object=f"Secret {key.namespace}/{name}") from error
    parsed = parse_credentials(secret.json(), name=name, url=spec.url)
    if isinstance(parsed, Problem):
        raise StalledError(parsed)
    return Remote(spec.url, parsed, owner=key)
