"""Where an operator says that key services are."""

from __future__ import annotations

from nopea.core.decryption.endpoints import IN_PUBLIC, KMS, STS, Endpoints, endpoints_of


def test_the_variables_of_awss_own_tools() -> None:
    """That of a service wins over that of all."""
    found = endpoints_of({"AWS_ENDPOINT_URL": "https://all", "AWS_ENDPOINT_URL_KMS": "https://kms"})
    assert found == Endpoints({KMS: "https://kms", STS: "https://all"})
    assert endpoints_of({}) == IN_PUBLIC


def test_what_nobody_names_is_in_public() -> None:
    """Rules for tenants hold there, and not at an address that an operator chose."""
    found = Endpoints({KMS: "https://vpce.example/"})

    assert (found.at(KMS, "https://public"), found.names(KMS)) == ("https://vpce.example/", True)
    assert (found.at(STS, "https://public"), found.names(STS)) == ("https://public", False)
