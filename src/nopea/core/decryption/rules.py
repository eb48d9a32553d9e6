"""Which namespaces may have keys opened with Nopea's own identity: those that an operator names. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from nopea.core.decryption import aws, azure, gcp, vault
from nopea.core.decryption.keys import GcpKey, KmsKey, VaultKey, WrappedKey

_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_URI = re.compile(r"(?P<address>https?://[^/]+)/v1/(?P<mount>.+)/keys/(?P<name>[^/]+)")


class InvalidRuleError(Exception):
    """A rule that cannot be read; the text says which and why."""


@dataclass(frozen=True, slots=True)
class KeyRule:
    """A namespace may use a key, which is written as `sops` prints it: nothing in it is a pattern."""

    namespace: str
    uri: str

    def allows(self, namespace: str, key: WrappedKey) -> bool:
        """Return whether it is about this namespace and this key, with this role."""
        return (self.namespace, self.uri) == (namespace, key.uri)


def parse_rules(text: str) -> tuple[KeyRule, ...]:
    """Read `NAMESPACE=KEY`, separated by commas. Raises InvalidRuleError.

    All keys of Vault are of one server, because Nopea's token for one is nothing for another.
    """
    rules = tuple(_rule(part.strip()) for part in text.split(",") if part.strip())
    servers = {found["address"] for rule in rules if (found := _URI.fullmatch(rule.uri))}
    if len(servers) > 1:
        raise InvalidRuleError(f"the keys are on several Vault servers: {', '.join(sorted(servers))}")
    return rules


def _rule(text: str) -> KeyRule:
    namespace, _, uri = text.partition("=")
    if not _NAMESPACE.fullmatch(namespace) or not _is_key(uri):
        raise InvalidRuleError(
            f"{text!r} is not NAMESPACE=KEY, where KEY is the ARN of a KMS key, ARN+ROLE, "
            "https://HOST/v1/MOUNT/keys/NAME, https://NAME.vault.azure.net/keys/NAME/VERSION, "
            "or projects/PROJECT/locations/PLACE/keyRings/RING/cryptoKeys/NAME"
        )
    return KeyRule(namespace, uri)


def _is_key(uri: str) -> bool:
    if (found := _URI.fullmatch(uri)) is not None:
        return vault.is_written_well(VaultKey(id="", ciphertext="", **found.groupdict()))
    if azure.key_of(uri) or gcp.is_written_well(GcpKey(id="", resource=uri, ciphertext="")):
        return True
    arn, _, role = uri.partition("+")
    return aws.place_of(KmsKey(id="", arn=arn, role=role, ciphertext="")) is not None


def any_allows(rules: Sequence[KeyRule], namespace: str, key: WrappedKey) -> bool:
    """Return whether a rule allows it."""
    return any(rule.allows(namespace, key) for rule in rules)
