"""Where an operator says that key services are."""

from __future__ import annotations

import pytest

from nopea.core.decryption.endpoints import CLOUD_KMS, ENTRA, IN_PUBLIC, KMS, STS, Endpoints, endpoints_of


def test_the_variables_of_awss_own_tools() -> None:
    """That of a service wins over that of all."""
    found = endpoints_of({"AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_KMS": "https://kms"})
    assert found == Endpoints({KMS: "https://kms", STS: "https://all"})
    assert endpoints_of({}) == IN_PUBLIC


@pytest.mark.parametrize(
    "address", ["kms.acme.example", "https://kms.acme.example", "https://kms.acme.example/"]
)
def test_the_variable_of_sops_for_google_cloud(address: str) -> None:
    """It has a host, or a URL."""
    found = endpoints_of({"SOPS_GCP_KMS_ENDPOINT": address})
    assert found == Endpoints({CLOUD_KMS: "https://kms.acme.example"})


def test_the_variable_of_azures_own_tools() -> None:
    """Workload Identity sets it."""
    found = endpoints_of({"AZURE_AUTHORITY_HOST": "https://login.microsoftonline.us/"})
    assert found == Endpoints({ENTRA: "https://login.microsoftonline.us"})


def test_what_nobody_names_is_in_public() -> None:
    """Rules for tenants hold there, and not at an address that an operator chose."""
    found = Endpoints({KMS: "https://vpce.example/"})

    assert (found.at(KMS, "https://public"), found.names(KMS)) == ("https://vpce.example/", True)
    assert (found.at(STS, "https://public"), found.names(STS)) == ("https://public", False)
