"""The TLS context: whom it trusts, and what it presents."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from nopea.core.secret import Secret
from nopea.kube.config import ClusterConfig, ConfigError
from nopea.kube.tls import tls_context
from nopea_lab.certificates import CertificateFolder

NOTHING = Secret(b"")


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """An authority and certificates that it signed."""
    folder = CertificateFolder(tmp_path_factory.mktemp("certificates"))
    folder.make()
    return folder


def _context(config: ClusterConfig, certificate: Secret = NOTHING, key: Secret = NOTHING) -> ssl.SSLContext:
    return tls_context(config, certificate=certificate, key=key)


def test_servers_are_verified() -> None:
    """Without an authority of the cluster the system's are trusted; names are checked."""
    context = _context(ClusterConfig(server="https://a"))

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_insecure_verifies_nothing() -> None:
    """insecure-skip-tls-verify of the kubeconfig is obeyed."""
    context = _context(ClusterConfig(server="https://a", insecure=True))

    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)


def test_only_the_clusters_authority_is_trusted(certificates: CertificateFolder) -> None:
    """An authority, from a file or from data, replaces the system's."""
    path = certificates.certificate("ca")

    for ca in (path, Secret(path.read_bytes())):
        (trusted,) = _context(ClusterConfig(server="https://a", ca=ca)).get_ca_certs()
        assert trusted["issuer"] == trusted["subject"]


@pytest.mark.parametrize("ca", [b"", b"\n", b"rubbish", b"\xff"])
def test_an_authority_that_is_not_pem(ca: bytes, tmp_path: Path) -> None:
    """An empty one too is an error, not the system's authorities; the error names the configuration."""
    with pytest.raises(ConfigError, match="the test: certificate-authority"):
        _context(ClusterConfig(server="https://a", ca=Secret(ca), origin="the test"))
    file = tmp_path / "ca.pem"
    file.write_bytes(ca)
    with pytest.raises(ConfigError, match="certificate-authority"):
        _context(ClusterConfig(server="https://a", ca=file, origin="the test"))


def test_a_client_certificate_is_loaded_and_leaves_no_file(
    certificates: CertificateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL takes files only; the one with the key is gone when the context is there."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = ClusterConfig(server="https://a")
    certificate = Secret(certificates.certificate("admin").read_bytes())

    _context(config, certificate, Secret(certificates.key("admin").read_bytes()))

    assert not list(tmp_path.iterdir())


def test_a_key_of_another_certificate_is_refused(certificates: CertificateFolder) -> None:
    """A certificate and a key that do not belong together are an error of the configuration."""
    certificate = Secret(certificates.certificate("admin").read_bytes())

    with pytest.raises(ConfigError, match="not a matching, unencrypted PEM pair"):
        _context(
            ClusterConfig(server="https://a"), certificate, Secret(certificates.key("apiserver").read_bytes())
        )
