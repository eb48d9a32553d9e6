"""The objects that `nopea create` makes, and making them. What exists already is never changed."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import orjson

from nopea.cli.cluster import CommandError
from nopea.cli.repository import MANAGER, missing
from nopea.core.api import names
from nopea.core.api.repository import Repository, parse_repository
from nopea.core.api.tenancy import AS_CALLER
from nopea.core.objects import RepoKey, Resource
from nopea.kube.client import KubeClient
from nopea.kube.errors import AlreadyExistsError, ApiError, InvalidError, NotFoundError
from nopea.kube.kinds import GIT_REPOSITORIES, SECRETS
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


async def try_repository(client: KubeClient, manifest: Manifest) -> None:
    """Ask the API server whether it would create the GitRepository; raises CommandError, ApiError."""
    key = RepoKey(manifest["metadata"]["namespace"], manifest["metadata"]["name"])
    try:
        await _create(client, GIT_REPOSITORIES, manifest, dry_run=True)
    except AlreadyExistsError as error:
        raise CommandError(f"GitRepository {key} exists already.", "Choose another name.") from error
    except NotFoundError as error:
        if f'namespaces "{key.namespace}"' in error.message:
            hint = f"`kubectl create namespace {key.namespace}`, or choose another one with -n."
            raise CommandError(f"Namespace {key.namespace} does not exist.", hint) from error
        raise missing(error, key) from error


async def try_secret(client: KubeClient, manifest: Manifest) -> None:
    """Ask the API server whether it would create the Secret; raises CommandError, ApiError.

    That needs no right to read Secrets, which not all have who may create one.
    """
    metadata = manifest["metadata"]
    try:
        await _create(client, SECRETS, manifest, dry_run=True)
    except AlreadyExistsError as error:
        raise CommandError(
            f"Secret {metadata['namespace']}/{metadata['name']} exists already.",
            "Choose another name with --secret, or delete it.",
        ) from error
    except InvalidError as error:
        if error.code != HTTPStatus.BAD_REQUEST:
            raise
        # An admission webhook that knows no dry runs; whether it takes the Secret is seen later.


@dataclass(slots=True)
class Made:
    """What `make` has created, or may have created because no answer came, also when it raises."""

    secret: bool = False
    repository: bool = False


async def make(client: KubeClient, repository: Manifest, secret: Manifest | None, *, made: Made) -> None:
    """Create the Secret, if there is one, and the GitRepository; without the second, the first is removed.

    Where that cannot be done, or nobody knows whether the second exists, `made` says so. Raises CommandError,
    ApiError.
    """
    stored: LiveObject | None = None
    try:
        if secret is not None:
            made.secret = True
            stored = await _create(client, SECRETS, secret)
        made.repository = True
        await _create(client, GIT_REPOSITORIES, repository)
    except ApiError as error:
        if not _is_refusal(error):
            raise
        if made.repository and stored is not None:
            target = SECRETS.at(name=stored.meta.name, namespace=stored.meta.namespace)
            with suppress(ApiError):
                await client.delete(target, only_if=Preconditions(uid=stored.meta.uid))
                stored = None
        made.repository, made.secret = False, stored is not None
        if isinstance(error, AlreadyExistsError):
            raise CommandError("One of the objects was created meanwhile.", "Look at it first.") from error
        raise


def _is_refusal(error: ApiError) -> bool:
    """Return whether the API server has answered that it did not create the object."""
    return 400 <= error.code < 500


async def _create(
    client: KubeClient, resource: Resource, manifest: Manifest, *, dry_run: bool = False
) -> LiveObject:
    """Create an object, never change one; raises AlreadyExistsError if there is one of its name."""
    return await client.create(
        resource,
        orjson.dumps(manifest),
        namespace=manifest["metadata"]["namespace"],
        manager=MANAGER,
        dry_run=dry_run,
    )
