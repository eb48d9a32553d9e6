"""The TLS context: trusted authorities and client certificates."""

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
    """Return a CA and certificates that it signed."""
    folder = CertificateFolder(tmp_path_factory.mktemp("certificates"))
    folder.make()
    return folder


def _context(config: ClusterConfig, certificate: Secret = NOTHING, key: Secret = NOTHING) -> ssl.SSLContext:
    return tls_context(config, certificate=certificate, key=key)


def test_servers_are_verified() -> None:
    """Without a CA in the configuration, those of the system are trusted; host names are checked."""
    context = _context(ClusterConfig(server="https://a"))

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version >= ssl.TLSVersion.TLSv1_2


def test_insecure_verifies_nothing() -> None:
    """The setting insecure-skip-tls-verify disables verification."""
    context = _context(ClusterConfig(server="https://a", insecure=True))

    assert (context.check_hostname, context.verify_mode) == (False, ssl.CERT_NONE)


def test_only_the_clusters_authority_is_trusted(certificates: CertificateFolder) -> None:
    """A CA from a file or from data replaces those of the system."""
    path = certificates.certificate("ca")

    for ca in (path, Secret(path.read_bytes())):
        (trusted,) = _context(ClusterConfig(server="https://a", ca=ca)).get_ca_certs()
        assert trusted["issuer"] == trusted["subject"]


@pytest.mark.parametrize("ca", [b"", b"\n", b"rubbish", b"\xff"])
def test_an_authority_that_is_not_pem(ca: bytes, tmp_path: Path) -> None:
    """An invalid or empty CA is an error that names the configuration."""
    with pytest.raises(ConfigError, match="the test: certificate-authority"):
        _context(ClusterConfig(server="https://a", ca=Secret(ca), origin="the test"))
    file = tmp_path / "ca.pem"
    file.write_bytes(ca)
    with pytest.raises(ConfigError, match="certificate-authority"):
        _context(ClusterConfig(server="https://a", ca=file, origin="the test"))


def test_a_client_certificate_is_loaded_and_leaves_no_file(
    certificates: CertificateFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """OpenSSL loads only files; the temporary file with the key is deleted."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    config = ClusterConfig(server="https://a")
    certificate = Secret(certificates.certificate("admin").read_bytes())

    _context(config, certificate, Secret(certificates.key("admin").read_bytes()))

    assert not list(tmp_path.iterdir())


def test_a_key_of_another_certificate_is_refused(certificates: CertificateFolder) -> None:
    """A key that does not match the certificate is an error."""
    certificate = Secret(certificates.certificate("admin").read_bytes())

    with pytest.raises(ConfigError, match="not a matching, unencrypted PEM pair"):
        _context(
            ClusterConfig(server="https://a"), certificate, Secret(certificates.key("apiserver").read_bytes())
        )
