"""Rules for which differences count as drift: the tools of people, and `ignoreDifferences`.

Never finds differences; `core/drift/find.py` and `core/apply/projection.py` do.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from types import MappingProxyType
from typing import Any, Final

from nopea.core.api.spec import GitRepositorySpec, IgnoreRule
from nopea.core.apply.fieldset import MAX_DEPTH, Fields, Path
from nopea.core.apply.list_items import positions
from nopea.core.objects import ObjectKey


@dataclass(frozen=True, slots=True)
class ManagerPatterns:
    """Field managers by shell patterns (`kubectl*`), in any case."""

    patterns: tuple[str, ...]

    def matches(self, manager: Any) -> bool:
        """Whether the name of a manager matches one of the patterns."""
        return isinstance(manager, str) and _compiled(self.patterns).fullmatch(manager) is not None


@lru_cache(maxsize=256)
def _compiled(patterns: tuple[str, ...]) -> re.Pattern[str]:
    alternatives = "|".join(f"(?:{fnmatch.translate(pattern)})" for pattern in patterns)
    return re.compile(alternatives or r"(?!)", re.IGNORECASE)


INTERACTIVE_TOOLS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "kubectl": "kubectl",  # also kubectl-edit, kubectl-patch, kubectl-client-side-apply, …
        "k9s": "k9s",
        "rancher": "rancher",
        "mozilla": "browser",  # dashboards that pass on the browser's user agent
        "lens": "lens",
        "openlens": "lens",
        "freelens": "lens",
        "node-fetch": "lens",  # the HTTP client of Lens
        "headlamp": "headlamp",
    }
)
"""How the managers of the tools that people use start, and the tool; any other manager is a controller."""

PEOPLE: Final = ManagerPatterns(tuple(f"{start}*" for start in INTERACTIVE_TOOLS))
"""The managers whose additions to an object count as drift."""


DEPLOYERS: Final = (
    "argocd-application-controller",
    "argocd-controller",
    "flux*",
    "hashicorp*",
    "helm*",
    "kapp*",
    "kustomize-controller",
    "opentofu*",
    "pulumi-*",
    "terraform*",
)
"""The managers of tools that apply manifests, from which objects are migrated to Nopea."""


_MARKS: Final = (
    "argocd.argoproj.io/",
    "helm.toolkit.fluxcd.io/",
    "kustomize.toolkit.fluxcd.io/",
    "meta.helm.sh/",
)
"""The prefixes of the labels and annotations by which these tools know their objects."""


def is_mark(path: Path) -> bool:
    """Return whether a field is such a label or annotation: what it says ends with the migration."""
    is_of_map = len(path) == 3 and path[:2] in (("f:metadata", "f:labels"), ("f:metadata", "f:annotations"))
    return is_of_map and path[2].removeprefix("f:").startswith(_MARKS)


def deployers_of(spec: GitRepositorySpec) -> ManagerPatterns:
    """Return the managers whose claims a repository adopts with an object that it has not applied before."""
    return ManagerPatterns(DEPLOYERS if spec.adopt_managers is None else spec.adopt_managers)


RESTARTS: Final[Fields] = {
    "f:spec": {
        "f:template": {
            "f:metadata": {
                "f:annotations": {
                    "f:kubectl.kubernetes.io/restartedAt": {},  # also k9s, Lens, Headlamp
                    "f:openshift.openshift.io/restartedAt": {},
                    "f:cattle.io/timestamp": {},  # Rancher
                }
            }
        }
    }
}
"""The annotations by which people restart a workload; removing one would undo the restart."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IgnoreRules:
    """The differences to ignore in one object: fields by JSON pointers (RFC 6901), changes by manager.

    A pointer covers the field and everything below it, with `-` and `~1` as in the RFC, and list items by
    index.
    """

    pointers: tuple[str, ...] = ()
    managers: tuple[str, ...] = ()

    def ignores_manager(self, manager: Any) -> bool:
        """Whether the changes of this manager are ignored; managers are shell patterns."""
        return bool(self.managers) and ManagerPatterns(self.managers).matches(manager)


NO_RULES: Final = IgnoreRules()


def rules_for(spec_rules: Iterable[IgnoreRule], key: ObjectKey) -> IgnoreRules:
    """Return the rules of `ignoreDifferences` for one object: those whose selectors all match.

    An absent selector matches everything; an empty group is the core group.
    """
    pointers: list[str] = []
    managers: list[str] = []
    for rule in spec_rules:
        selectors = (
            (rule.group, key.group),
            (rule.kind, key.kind),
            (rule.name, key.name),
            (rule.namespace, key.namespace),
        )
        if all(wanted is None or wanted == actual for wanted, actual in selectors):
            pointers.extend(rule.json_pointers or ())
            managers.extend(rule.managers or ())
    return IgnoreRules(pointers=tuple(dict.fromkeys(pointers)), managers=tuple(dict.fromkeys(managers)))


def without_pointers(value: Any, pointers: Iterable[str]) -> Any:
    """Return the value without the fields at the pointers; changed parts are copied.

    A pointer to an absent field has no effect. A list item becomes null, so that the others keep their
    indexes.
    """
    for tokens in _tokens(pointers):
        value = _without(value, tokens)
    return value


def fields_without(fields: Fields, value: Any, pointers: Iterable[str]) -> Fields:
    """Return a field set of the value without the fields at and below the pointers."""
    for tokens in _tokens(pointers):
        fields = _node_without(fields, value, tokens)
    return fields


def _tokens(pointers: Iterable[str]) -> Iterator[list[str]]:
    for pointer in pointers:
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer[1:].split("/")]
        if pointer.startswith("/") and len(tokens) <= MAX_DEPTH:
            yield tokens


def _node_without(node: Any, value: Any, tokens: list[str]) -> Any:
    """Remove one path from a set, and nodes that become empty: an empty node would mean all of it."""
    if not isinstance(node, dict):
        return node
    token, *rest = tokens
    key: str | None = f"f:{token}"
    child: Any = value.get(token) if isinstance(value, Mapping) else None
    if isinstance(value, list) and _is_index(token):
        index = int(token)
        key = next((key for key, place in positions(value, node).items() if place == index), None)
        child = value[index] if index < len(value) else None
    if key is None or key not in node:
        return node
    left = _node_without(node[key], child, rest) if rest else None
    if left or (rest and node[key] == {}):
        return {**node, key: left}
    return {name: other for name, other in node.items() if name != key}


def _without(value: Any, tokens: list[str]) -> Any:
    """Copy the collections on the way, then remove the last step."""
    root = [value]
    holder: Any = root
    place: Any = 0
    for token in tokens:
        child = holder[place]
        step: Any
        if isinstance(child, Mapping) and token in child:
            child, step = dict(child), token
        elif isinstance(child, list) and _is_index(token) and int(token) < len(child):
            child, step = list(child), int(token)
        else:
            return value
        holder[place] = child
        holder, place = child, step
    if isinstance(holder, dict):
        del holder[place]
    else:
        holder[place] = None
    return root[0]


def _is_index(token: str) -> bool:
    return token.isascii() and token.isdecimal() and len(token) < 8 and (token == "0" or token[0] != "0")
