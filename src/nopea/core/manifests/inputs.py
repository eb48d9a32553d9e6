"""What a rendering gets from the cluster: keys, variables, values, and what it can do."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from nopea.core.api.references import ReferenceKind
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.decryption.logins import NO_KEY_LOGINS, KeyLogins
from nopea.core.downloads.logins import NO_LOGINS, Logins
from nopea.core.problem import Code, Problem

_VARIABLE = re.compile("[_A-Za-z][_A-Za-z0-9]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What templates may know: a version such as `v1.36.0`, and `apps/v1` and `apps/v1/Deployment`, sorted.

    Empty where no cluster was asked: then the renderer's own defaults count.
    """

    kube_version: str = ""
    api_versions: tuple[str, ...] = ()


UNKNOWN = Capabilities()


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInputs:
    """Private keys, merged variables (None: nothing is substituted), values of charts in YAML, and logins.

    Nothing in it prints. The name of each text of values says where it is from. With `private`, variables
    are from Secrets: what libraries say of them is not told.
    """

    age: tuple[str, ...] = field(default=(), repr=False)
    pgp: tuple[str, ...] = field(default=(), repr=False)
    variables: Mapping[str, str] | None = field(default=None, repr=False)
    private: bool = False
    values: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    logins: Logins = NO_LOGINS
    decrypts: bool = False
    """Whether encrypted files are decrypted, by these keys or by those that these logins open."""
    key_logins: KeyLogins = NO_KEY_LOGINS


NO_INPUTS = RenderInputs()


@dataclass(frozen=True, slots=True)
class InputReference:
    """A ConfigMap or Secret that a rendering reads; `is_key` if Nopea reads it with its own rights."""

    kind: ReferenceKind
    name: str
    is_key: bool = False


def has_secrets(inputs: RenderInputs) -> bool:
    """Return whether what is rendered with them may hold something of a Secret or of an encrypted file."""
    return inputs.private or inputs.decrypts or bool(inputs.values)


def references_of(spec: GitRepositorySpec) -> frozenset[InputReference]:
    """Return what the rendering reads in the namespace of the repository."""
    values = spec.helm.values_from if spec.helm is not None else ()
    found = {InputReference(each.kind, each.name) for each in (*values, *spec.substitute_from)}
    keys = []
    if spec.decryption is not None and spec.decryption.secret_ref is not None:
        keys.append(spec.decryption.secret_ref)
    if spec.helm is not None and spec.helm.secret_ref is not None:
        keys.append(spec.helm.secret_ref)
    found |= {InputReference(ReferenceKind.SECRET, key.name, is_key=True) for key in keys}
    return frozenset(found)


def refers_to_cluster(spec: GitRepositorySpec) -> bool:
    """Return whether the rendering depends on ConfigMaps or Secrets, which may change without a commit."""
    return bool(references_of(spec))


def problem_of_names(names: Iterable[str], object_: str) -> Problem | None:
    """Return the problem of a ConfigMap or Secret with keys that are not names of variables."""
    wrong = sorted(name for name in names if not _VARIABLE.fullmatch(name))
    if not wrong:
        return None
    more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
    return Problem(
        code=Code.SUBSTITUTION_INVALID,
        message=f"The key {wrong[0]}{more} of {object_} cannot be the name of a variable: letters, digits "
        "and _ are allowed, a digit not first.",
        hint="Rename it, or have spec.substituteFrom refer to an object with variables only.",
        object=object_,
    )


def transforms(spec: GitRepositorySpec) -> bool:
    """Return whether plain manifests go through the renderer too."""
    options = (spec.decryption, spec.substitute, spec.kustomize)
    return any(option is not None for option in options) or bool(spec.substitute_from)
