"""Key services, which the tests of this folder share."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.downloads.serving import Tls
from tests.keys.clouds import Agent, AzureCloud, CloudKms, Sts
from tests.keys.servers import Kms, Vault

from nopea.core.git.networks import Networks
from nopea.keys.http import KeyWeb


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


@pytest.fixture(scope="session")
def cloud_kms(tls: Tls) -> Iterator[CloudKms]:
    """A Google Cloud KMS."""
    with CloudKms(tls) as running:
        yield running


@pytest.fixture(scope="session")
def azure(tls: Tls) -> Iterator[AzureCloud]:
    """An Azure."""
    with AzureCloud(tls) as running:
        yield running


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, kms: Kms, vault: Vault) -> None:
    """Nopea's own requests trust the authorities of the system, which are those of the servers here."""
    (tmp_path / "ca.crt").write_text(kms.ca_crt + vault.ca_crt)
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.crt"))


@pytest.fixture
def sts(tls: Tls) -> Iterator[Sts]:
    """STS."""
    with Sts(tls) as running:
        yield running


@pytest.fixture
def agent() -> Iterator[Agent]:
    """The agent."""
    with Agent() as running:
        yield running


@pytest_asyncio.fixture
async def web_(trusted: None) -> AsyncIterator[KeyWeb]:
    """Connections, which are limited to public addresses for tenants."""
    del trusted
    async with KeyWeb(Networks.PUBLIC, {}) as opened:
        yield opened
