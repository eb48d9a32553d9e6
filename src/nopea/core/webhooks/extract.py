"""Parses an authenticated delivery with the module of its provider.

Call it only after `verify.authenticate`. It returns a Delivery or raises RefusedError, for any bytes.
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
    """Return the delivery. Header names are lower-case. Raises RefusedError for an invalid body.

    The provider of the result is Azure DevOps if GENERIC was given and the body is Azure's.
    """
    return _EXTRACTORS[provider](headers, body)
