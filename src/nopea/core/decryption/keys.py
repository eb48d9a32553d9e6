"""What a file that is encrypted with SOPS needs of key services, as somebody wrote it into Git. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from nopea.core.secret import mask_url

MAX_OPENINGS = 500
MAX_KEYS = 64
"""Of a file. The renderer has the same bounds."""
_MAX_SHOWN = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class KmsKey:
    """A data key, or a part of one, that a key of AWS KMS encrypted; `id` is how the renderer names it."""

    id: str
    arn: str
    role: str = ""
    """A role to assume first."""
    context: Mapping[str, str] = field(default_factory=dict)
    ciphertext: str = field(repr=False)
    """In base64."""

    @property
    def uri(self) -> str:
        """The key as `sops` prints it: ARN or ARN+ROLE."""
        return f"{self.arn}+{self.role}" if self.role else self.arn

    def __str__(self) -> str:
        return _shown(self.uri)


@dataclass(frozen=True, slots=True, kw_only=True)
class VaultKey:
    """The same of a key of Vault's transit engine."""

    id: str
    address: str
    mount: str
    name: str
    ciphertext: str = field(repr=False)

    @property
    def uri(self) -> str:
        """The key as `sops` prints it."""
        return f"{self.address}/v1/{self.mount}/keys/{self.name}"

    def __str__(self) -> str:
        return _shown(mask_url(self.uri))


@dataclass(frozen=True, slots=True, kw_only=True)
class GcpKey:
    """The same of a key of Google Cloud KMS."""

    id: str
    resource: str
    ciphertext: str = field(repr=False)
    """In base64."""

    @property
    def uri(self) -> str:
        """The key as `sops` prints it."""
        return self.resource

    def __str__(self) -> str:
        return _shown(self.resource)


@dataclass(frozen=True, slots=True, kw_only=True)
class AzureKey:
    """The same of a key of Azure Key Vault."""

    id: str
    vault: str
    """Its URL."""
    name: str
    version: str
    ciphertext: str = field(repr=False)
    """In base64 for URLs."""

    @property
    def uri(self) -> str:
        """The key as `sops` prints it."""
        return f"{self.vault}/keys/{self.name}/{self.version}"

    def __str__(self) -> str:
        return _shown(mask_url(self.uri))


WrappedKey: TypeAlias = KmsKey | VaultKey | GcpKey | AzureKey


@dataclass(frozen=True, slots=True)
class Opening:
    """What a file needs: so many of the groups, each opened by any of its keys."""

    file: str
    needed: int
    groups: tuple[tuple[WrappedKey, ...], ...]


def openings_of(raw: Sequence[Mapping[str, Any]]) -> tuple[Opening, ...]:
    """Read what the renderer asks for. Raises KeyError, TypeError or ValueError for anything else."""
    if len(raw) > MAX_OPENINGS:
        raise ValueError("too many keys are asked for")
    return tuple(map(_opening, raw))


def _opening(raw: Mapping[str, Any]) -> Opening:
    if sum(map(len, raw["groups"])) > MAX_KEYS:
        raise ValueError("too many keys are asked for")
    groups = tuple(tuple(map(_key, group)) for group in raw["groups"])
    return Opening(file=str(raw["file"]), needed=int(raw["needed"]), groups=groups)


def _key(raw: Mapping[str, Any]) -> WrappedKey:
    """Read a key. What it does not have is empty, and no service takes that for a key."""

    def text(name: str) -> str:
        return str(raw.get(name) or "")

    id_, ciphertext = str(raw["id"]), str(raw["ciphertext"])
    match raw["kind"]:
        case "kms":
            context = {str(name): str(value) for name, value in (raw.get("context") or {}).items()}
            return KmsKey(id=id_, arn=text("arn"), role=text("role"), context=context, ciphertext=ciphertext)
        case "vault":
            return VaultKey(
                id=id_,
                address=text("address").rstrip("/"),
                mount=text("mount").strip("/"),
                name=text("name"),
                ciphertext=ciphertext,
            )
        case "gcp":
            return GcpKey(id=id_, resource=text("resource"), ciphertext=ciphertext)
        case "azure":
            return AzureKey(
                id=id_,
                vault=text("address").rstrip("/"),
                name=text("name"),
                version=text("version"),
                ciphertext=ciphertext,
            )
        case kind:
            raise ValueError(f"{kind!r} is not a kind of key")


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN else f"{text[: _MAX_SHOWN - 1]}…"
