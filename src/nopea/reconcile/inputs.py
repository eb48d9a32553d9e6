"""Read from the cluster what a rendering needs: keys, variables, values, and what templates may know.

The values of ConfigMaps and Secrets get into objects, so they are read with the rights of the account that
writes the objects. Private keys are read as the credentials for Git are.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import orjson

from nopea.core.api.references import ReferenceKind, ValuesReference
from nopea.core.api.spec import Decryption, GitRepositorySpec
from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.logins import LOGINS, NO_KEY_LOGINS, KeyLogins, parse_key_logins
from nopea.core.downloads.logins import NO_LOGINS, Logins, parse_logins
from nopea.core.manifests.inputs import Capabilities, RenderInputs, problem_of_names
from nopea.core.objects import ObjectKey, RepoKey
from nopea.core.problem import Code, Problem, StalledError, TransientError
from nopea.kube.client import KubeClient
from nopea.kube.discovery import Discovery
from nopea.kube.errors import ApiError, NotFoundError
from nopea.kube.kinds import CONFIG_MAPS, SECRETS
from nopea.kube.problems import to_problem, to_sync_error
from nopea.reconcile.accounts import service_account

_RESOURCES = {ReferenceKind.CONFIG_MAP: CONFIG_MAPS, ReferenceKind.SECRET: SECRETS}


def _tell_nobody(owner: RepoKey, object_: ObjectKey, version: str) -> None:
    del owner, object_, version


class ClusterInputs:
    """Reads the inputs of repositories from one cluster."""

    def __init__(
        self,
        client: KubeClient,
        discovery: Discovery,
        policy: TenancyPolicy,
        *,
        was_read: Callable[[RepoKey, ObjectKey, str], None] = _tell_nobody,
    ) -> None:
        """`was_read` is told which version of an object was read for a repository, empty if it is missing."""
        self._client = client
        self._discovery = discovery
        self._policy = policy
        self._was_read = was_read
        self._version = ""

    async def capabilities(self) -> Capabilities:
        """Return what templates may know of the cluster; raises TransientError without an API server."""
        try:
            if not self._version:
                self._version = orjson.loads((await self._client.read("/version")).body)["gitVersion"]
            resources = await self._discovery.all()
        except ApiError as error:
            raise TransientError(to_problem(error)) from error
        served = {each.api_version for each in resources}
        kinds = {f"{each.api_version}/{each.kind}" for each in resources}
        return Capabilities(kube_version=self._version, api_versions=tuple(sorted(served | kinds)))

    async def of(self, owner: RepoKey, spec: GitRepositorySpec) -> RenderInputs:
        """Return what the spec refers to. Raises SyncError with what is missing."""
        keys, key_logins = await self._keys(owner, spec.decryption)
        variables: dict[str, str] | None = None
        if spec.substitute is not None or spec.substitute_from:
            variables = {}
            for reference in spec.substitute_from:
                data = await self._data(self._as_account(owner, spec), owner, reference)
                if (problem := problem_of_names(data, _what(owner, reference))) is not None:
                    raise StalledError(problem)
                variables |= {name: value.decode(errors="replace") for name, value in data.items()}
            variables |= spec.substitute or {}
        return RenderInputs(
            age=tuple(text for name, text in keys.items() if name.endswith(".agekey")),
            pgp=tuple(text for name, text in keys.items() if name.endswith(".asc")),
            variables=variables,
            private=any(each.kind is ReferenceKind.SECRET for each in spec.substitute_from),
            values=await self._values(owner, spec),
            logins=await self._logins(owner, spec),
            decrypts=spec.decryption is not None,
            key_logins=key_logins,
        )

    async def _logins(self, owner: RepoKey, spec: GitRepositorySpec) -> Logins:
        """Return the logins for charts, read as the credentials for Git are: nothing of them is applied."""
        if spec.helm is None or spec.helm.secret_ref is None:
            return NO_LOGINS
        name = spec.helm.secret_ref.name
        reference = ValuesReference(kind=ReferenceKind.SECRET, name=name)
        secret = await self._object(self._client, owner, reference)
        logins = parse_logins(secret, name=name, chart=spec.helm.chart or "")
        if isinstance(logins, Problem):
            raise StalledError(logins)
        return logins

    async def _values(self, owner: RepoKey, spec: GitRepositorySpec) -> dict[str, bytes]:
        values: dict[str, bytes] = {}
        for reference in spec.helm.values_from if spec.helm is not None else ():
            data = await self._data(self._as_account(owner, spec), owner, reference)
            if (text := data.get(reference.values_key)) is not None:
                values[f"{reference.kind} {reference.name}, key {reference.values_key}"] = text
            elif not reference.optional:
                raise StalledError(_no_key(owner, reference, reference.values_key))
        return values

    async def _keys(self, owner: RepoKey, decryption: Decryption | None) -> tuple[dict[str, str], KeyLogins]:
        """Return the private keys by name, and the logins at key services."""
        if decryption is None or decryption.secret_ref is None:
            return {}, NO_KEY_LOGINS
        reference = ValuesReference(kind=ReferenceKind.SECRET, name=decryption.secret_ref.name)
        data = await self._data(self._client, owner, reference)
        logins = parse_key_logins(data, name=reference.name)
        if isinstance(logins, Problem):
            raise StalledError(logins)
        keys = {
            name: value.decode(errors="replace")
            for name, value in data.items()
            if name.endswith((".agekey", ".asc"))
        }
        if not keys and not data.keys() & set(LOGINS):
            raise StalledError(
                _no_key(owner, reference, f"that ends in .agekey or .asc, nor {' or '.join(LOGINS)}")
            )
        return keys, logins

    def _as_account(self, owner: RepoKey, spec: GitRepositorySpec) -> KubeClient:
        return self._client.on_behalf(str(owner), of=service_account(self._policy, owner, spec))

    async def _data(
        self, client: KubeClient, owner: RepoKey, reference: ValuesReference
    ) -> Mapping[str, bytes]:
        """Return the decoded data of a ConfigMap or Secret; empty for an optional one that is missing."""
        data = (await self._object(client, owner, reference)).get("data") or {}
        if reference.kind is ReferenceKind.CONFIG_MAP:
            return {name: text.encode() for name, text in data.items()}
        return {name: base64.b64decode(value or "") for name, value in data.items()}

    async def _object(
        self, client: KubeClient, owner: RepoKey, reference: ValuesReference
    ) -> Mapping[str, Any]:
        """Return a ConfigMap or Secret; empty for an optional one that is missing."""
        what = _what(owner, reference)
        target = _RESOURCES[reference.kind].at(name=reference.name, namespace=owner.namespace)
        try:
            live = await client.get(target)
            self._was_read(owner, target.key, live.meta.resource_version)
            return live.json()
        except NotFoundError as error:
            self._was_read(owner, target.key, "")
            if reference.optional:
                return {}
            raise StalledError(_missing(what)) from error
        except ApiError as error:
            raise to_sync_error(error, object=what) from error


def _missing(what: str) -> Problem:
    return Problem(
        code=Code.INPUT_MISSING,
        message=f"The spec refers to {what}, which does not exist.",
        hint="Create it, correct the spec, or set optional: true where that is possible.",
        object=what,
    )


def _what(owner: RepoKey, reference: ValuesReference) -> str:
    return f"{reference.kind} {owner.namespace}/{reference.name}"


def _no_key(owner: RepoKey, reference: ValuesReference, key: str) -> Problem:
    what = _what(owner, reference)
    return Problem(
        code=Code.INPUT_MISSING,
        message=f"{what} has no key {key}.",
        hint="Add the key, or correct the spec.",
        object=what,
    )
