"""The argument that names a GitRepository: NAME, gr/NAME, gitrepository/NAME or NAMESPACE/NAME.

A shell completes it with the names in the cluster; imports that take time are late.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from nopea.core.api import names
from nopea.core.objects import RepoKey

COMPLETION_SECONDS = 2.0
"""After this time the shell gets no names: who presses TAB does not want to wait."""

_KINDS = frozenset({"gr", names.KIND.lower(), names.PLURAL, f"{names.PLURAL}.{names.GROUP}"})
"""What kubectl accepts before a slash."""

_PARTS = 2


def repository_key(key: RepoKey) -> RepoKey:
    """Return the GitRepository that is meant by a name as a user writes it, in a namespace."""
    before, slash, name = key.name.rpartition("/")
    if not slash:
        return key
    return RepoKey(key.namespace if before.lower() in _KINDS else before, name)


class RepositoryName(click.ParamType[str]):
    """A name as `repository_key` reads it."""

    name = "name"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Return the name as it is written; what cannot be one is wrong usage."""
        parts = str(value).split("/")
        if len(parts) > _PARTS or any(part.strip(".") == "" for part in parts):
            self.fail(f"{value!r} is neither NAME nor NAMESPACE/NAME nor gr/NAME.", param, ctx)
        return str(value)

    def shell_complete(
        self, ctx: click.Context, param: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        """Return the names in the chosen namespace, or in the one before the slash."""
        del param
        before, slash, name = incomplete.rpartition("/")
        prefix = f"{before}{slash}"
        is_kind = before.lower() in _KINDS
        found = _names(ctx, namespace=before if slash and not is_kind else None)
        return [CompletionItem(f"{prefix}{each}") for each in found if each.startswith(name)]


def _names(ctx: click.Context, *, namespace: str | None) -> list[str]:
    import asyncio

    from nopea.cli import cluster
    from nopea.kube.config import ConfigError
    from nopea.kube.errors import ApiError
    from nopea.kube.kinds import GIT_REPOSITORIES
    from nopea.kube.requests import Selection

    kubeconfig = ctx.params.get("kubeconfig")
    choice = cluster.ClusterChoice(
        kubeconfig=Path(kubeconfig) if kubeconfig else None,
        context=ctx.params.get("context"),
        namespace=namespace or ctx.params.get("namespace"),
    )

    async def listed() -> list[str]:
        async with asyncio.timeout(COMPLETION_SECONDS), cluster.connect(choice) as (client, chosen):
            found = await client.list(GIT_REPOSITORIES, Selection(namespace=chosen, metadata_only=True))
            return [live.meta.name for live in found.items]

    try:
        return asyncio.run(listed())
    except (ConfigError, ApiError, TimeoutError):
        return []
