"""Ask the API server what templates of charts may know of it."""

from __future__ import annotations

import orjson

from nopea.core.manifests.capabilities import Capabilities
from nopea.core.problem import TransientError
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError
from nopea.kube.problems import to_problem


class ClusterCapabilities:
    """The capabilities of one cluster; the version is read once, what is served comes from discovery."""

    def __init__(self, client: KubeClient, discovery: Discovery) -> None:
        self._client = client
        self._discovery = discovery
        self._version = ""

    async def __call__(self) -> Capabilities:
        """Return them; raises TransientError when the API server does not answer."""
        try:
            if not self._version:
                self._version = orjson.loads((await self._client.read("/version")).body)["gitVersion"]
            resources = await self._discovery.all()
        except ApiError as error:
            raise TransientError(to_problem(error)) from error
        served = {each.api_version for each in resources}
        kinds = {f"{each.api_version}/{each.kind}" for each in resources}
        return Capabilities(kube_version=self._version, api_versions=tuple(sorted(served | kinds)))
