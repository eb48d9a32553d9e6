"""Key services, which the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.downloads.serving import Tls
from tests.keys.servers import Kms, Vault


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Tls:
    """The certificate of servers of this folder; a client trusts `tls.ca_crt`."""
    return Tls.issued(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="session")
def kms(tmp_path_factory: pytest.TempPathFactory, tls: Tls) -> Iterator[Kms]:
    """A KMS."""
    with Kms(tmp_path_factory.mktemp("kms"), tls) as running:
        yield running


@pytest.fixture(scope="session")
def vault(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Vault]:
    """A Vault."""
    with Vault(tmp_path_factory.mktemp("vault")) as running:
        yield running
