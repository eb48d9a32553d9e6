"""The objects that `nopea create` makes, and making them. What exists already is never changed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import orjson

from nopea.cli.cluster import CommandError
from nopea.cli.repository import MANAGER, missing
from nopea.core.api import names
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.objects import RepoKey, Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import AlreadyExistsError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES, SECRETS, repository_target
from nopea.kube.live import LiveObject
from nopea.kube.requests import Preconditions

Manifest = dict[str, Any]


def repository_manifest(key: RepoKey, spec: Mapping[str, Any]) -> Manifest:
    """Return the GitRepository; fields of the spec without a value are left out."""
    return {
        "apiVersion": names.API_VERSION,
        "kind": names.KIND,
        "metadata": {"name": key.name, "namespace": key.namespace},
        "spec": {field: value for field, value in spec.items() if value},
    }


def secret_manifest(name: str, namespace: str, data: Mapping[str, bytes]) -> Manifest:
    """Return the Secret with the credentials."""
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name, "namespace": namespace},
        "type": "Opaque",
        "data": {key: base64.b64encode(value).decode() for key, value in data.items()},
    }


def planned_repository(manifest: Manifest) -> Repository:
    """Return the GitRepository as if it existed, without a uid: nothing is its own yet."""
    metadata = {**manifest["metadata"], "uid": "", "resourceVersion": ""}
    return parse_repository({**manifest, "metadata": metadata}, policy=AS_CALLER)


def with_secret(manifest: Manifest, name: str) -> Manifest:
    """Return the GitRepository with a reference to the Secret."""
    return {**manifest, "spec": {**manifest["spec"], "secretRef": {"name": name}}}


async def refuse_existing(client: KubeClient, key: RepoKey, secret: str) -> None:
    """Raise CommandError if one of the objects exists."""
    for target in (repository_target(key), SECRETS.at(name=secret, namespace=key.namespace)):
        try:
            await client.get(target, metadata_only=True)
        except NotFoundError:
            continue
        is_secret = target.resource == SECRETS
        hint = "Choose another name with --secret, or delete it." if is_secret else "Choose another name."
        raise CommandError(f"{target.resource.kind} {key.namespace}/{target.name} exists already.", hint)


async def try_repository(client: KubeClient, manifest: Manifest) -> None:
    """Ask the API server whether it would take the GitRepository; raises CommandError, ApiError."""
    key = RepoKey(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
    try:
        await client.apply_as(repository_target(key), orjson.dumps(manifest), manager=MANAGER, dry_run=True)
    except NotFoundError as error:
        if f'namespaces "{key.namespace}"' in error.message:
            hint = f"`kubectl create namespace {key.namespace}`, or choose another one with -n."
            raise CommandError(f"Namespace {key.namespace} does not exist.", hint) from error
        raise missing(error, key) from error


async def make(client: KubeClient, repository: Manifest, secret: Manifest | None) -> None:
    """Create the Secret, if there is one, and the GitRepository; without the second, the first is removed.

    Raises CommandError, ApiError.
    """
    made = None if secret is None else await _create(client, SECRETS, secret)
    try:
        await _create(client, GIT_REPOSITORIES, repository)
    except BaseException:
        if made is not None:
            target = SECRETS.at(name=made.meta.name, namespace=made.meta.namespace)
            await client.delete(target, only_if=Preconditions(uid=made.meta.uid))
        raise


async def _create(client: KubeClient, resource: Resource, manifest: Manifest) -> LiveObject:
    """Create an object, never change one; raises CommandError if somebody was faster."""
    metadata = manifest["metadata"]
    try:
        return await client.create(
            resource, orjson.dumps(manifest), namespace=metadata["namespace"], manager=MANAGER
        )
    except AlreadyExistsError as error:
        name = f"{metadata['namespace']}/{metadata['name']}"
        raise CommandError(f"{resource.kind} {name} was created meanwhile.", "Look at it first.") from error
