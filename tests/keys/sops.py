"""Files that are encrypted with SOPS for key services: that of renderer/testdata, whose data key is known.

What encrypted the data key is not covered by the checksum of a file.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

CLEAR = "hunter2-plain"
"""The value of the key `password` of the Secret `shop`."""
DATA_KEY = b"k" * 32
_FILE = Path(__file__).parents[2] / "renderer" / "testdata" / "secret.yaml"
_SORTS = {"arn": "kms", "vault_address": "hc_vault", "resource_id": "gcp_kms", "vault_url": "azure_kv"}
_CREATED = {"created_at": "2026-11-01T00:00:00Z"}


def encrypted(*keys: dict[str, Any]) -> str:
    """Return a Secret that any of the keys opens, which are of the functions below."""
    file = yaml.safe_load(_FILE.read_text())
    del file["sops"]["age"]
    for key in keys:
        (sort,) = (sort for field, sort in _SORTS.items() if field in key)
        file["sops"].setdefault(sort, []).append({**key, **_CREATED})
    return yaml.safe_dump(file, sort_keys=False)


def kms_key(arn: str, enc: str, *, context: dict[str, str] | None = None, role: str = "") -> dict[str, Any]:
    """Return a key of AWS KMS, as SOPS writes it."""
    more = {**({"context": context} if context else {}), **({"role": role} if role else {})}
    return {"arn": arn, "enc": enc, "aws_profile": "", **more}


def vault_key(address: str, name: str, enc: str) -> dict[str, Any]:
    """Return a key of Vault."""
    return {"vault_address": address, "engine_path": "transit", "key_name": name, "enc": enc}


def gcp_key(resource: str, enc: str) -> dict[str, Any]:
    """Return a key of Google Cloud KMS."""
    return {"resource_id": resource, "enc": enc}


def azure_key(vault_url: str, key: str, enc: str) -> dict[str, Any]:
    """Return a key of Azure Key Vault, which is NAME/VERSION."""
    name, _, version = key.partition("/")
    return {"vault_url": vault_url, "name": name, "version": version, "enc": enc}
