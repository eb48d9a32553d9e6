"""Where key services are: in public, or where an operator says so by variables of their own tools. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

KMS, STS = "kms", "sts"
"""Of AWS."""
CLOUD_KMS = "cloudkms"
"""Of Google Cloud; the variable is that of sops."""

ENTRA = "entra"
"""Where Azure's clients log in."""


@dataclass(frozen=True, slots=True)
class Endpoints:
    """URLs by service, where an operator says so."""

    urls: Mapping[str, str] = field(default_factory=dict)

    def at(self, service: str, public: str) -> str:
        """Return the URL of a service, which is `public` where nobody says anything else."""
        return self.urls.get(service) or public

    def names(self, service: str) -> bool:
        """Return whether an operator chose the address of a service."""
        return bool(self.urls.get(service))


IN_PUBLIC = Endpoints()


def endpoints_of(environment: Mapping[str, str]) -> Endpoints:
    """Read the variables."""
    of_aws = environment.get("AWS_ENDPOINT_URL", "")
    found = {
        KMS: environment.get("AWS_ENDPOINT_URL_KMS") or of_aws,
        STS: environment.get("AWS_ENDPOINT_URL_STS") or of_aws,
        ENTRA: environment.get("AZURE_AUTHORITY_HOST", "").rstrip("/"),
        CLOUD_KMS: _with_scheme(environment.get("SOPS_GCP_KMS_ENDPOINT", "")).rstrip("/"),
    }
    return Endpoints({service: url for service, url in found.items() if url})


def _with_scheme(address: str) -> str:
    return address if "://" in address or not address else f"https://{address}"
