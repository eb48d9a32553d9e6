"""What an authenticated delivery says. Each provider has its own file; this one picks it.

Only ever called after `verify.authenticate`; gives a Delivery or raises Refused, whatever the bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from nopea.core.api.spec import Provider
from nopea.core.webhooks import azure, bitbucket, generic, gitea, github, gitlab
from nopea.core.webhooks.delivery import Delivery

_EXTRACTORS: dict[Provider, Callable[[Mapping[str, str], bytes], Delivery]] = {
    Provider.GITHUB: github.extract,
    Provider.GITLAB: gitlab.extract,
    Provider.GITEA: gitea.extract,
    Provider.BITBUCKET_CLOUD: bitbucket.extract_cloud,
    Provider.BITBUCKET_DATA_CENTER: bitbucket.extract_data_center,
    Provider.AZURE_DEVOPS: azure.extract,
    Provider.GENERIC: generic.extract,
}


def extract(provider: Provider, headers: Mapping[str, str], body: bytes) -> Delivery:
    """Return what the delivery says; raises Refused for a body of another shape. Header names are lower-case.

    The result's provider is Azure DevOps where GENERIC was given and the body is Azure's.
    """
    return _EXTRACTORS[provider](headers, body)
