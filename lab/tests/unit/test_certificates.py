"""The lab's certificates open what they should, and nothing else."""

from __future__ import annotations

import socket
import ssl
import stat
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from cryptography.x509.oid import NameOID

from nopea_lab.certificates import CLUSTER_SUBJECTS, ETCD_SUBJECTS, CertificateFolder


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> CertificateFolder:
    """A folder of certificates."""
    folder = CertificateFolder(tmp_path_factory.mktemp("lab") / "certificates")
    assert not folder.is_complete()
    folder.make()
    return folder


def test_keys_are_private(files: CertificateFolder) -> None:
    """The folder is 0700 and every file in it 0600."""
    assert files.is_complete()
    assert stat.S_IMODE(files.path.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in files.path.iterdir()} == {0o600}


def test_the_administrator_is_a_master(files: CertificateFolder) -> None:
    """Kubernetes reads the user from the common name and the groups from the organization."""
    subject = x509.load_pem_x509_certificate(files.certificate("admin").read_bytes()).subject

    assert subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)[0].value == "system:masters"
    assert subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "nopea-lab-admin"


def test_service_account_keys_belong_together(files: CertificateFolder) -> None:
    """What one signs the other verifies."""
    private = x509.load_pem_x509_certificate(files.certificate("ca").read_bytes()).public_key()
    public = load_pem_public_key(files.service_account_public_key.read_bytes())

    assert public != private
    assert files.key("service-account").read_text().startswith("-----BEGIN EC PRIVATE KEY-----")


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "kubernetes.default.svc"])
def test_the_api_server_is_trusted_by_its_names(files: CertificateFolder, name: str) -> None:
    """A strict client accepts the server, and the server knows the client."""
    assert _meet(files, server="apiserver", client="admin", authority="ca", name=name) == "nopea-lab-admin"


def test_a_certificate_of_the_cluster_does_not_open_etcd(files: CertificateFolder) -> None:
    """etcd has an authority of its own, so that no user of the cluster can read its secrets there."""
    assert _meet(files, server="etcd-server", client="etcd-client", authority="etcd-ca") == "kube-apiserver"
    with pytest.raises(ssl.SSLError):
        _meet(files, server="etcd-server", client="admin", authority="etcd-ca")


def test_each_subject_has_a_file(files: CertificateFolder) -> None:
    """The table and the folder agree."""
    for subject in (*CLUSTER_SUBJECTS, *ETCD_SUBJECTS):
        assert files.certificate(subject.file).exists()
        assert files.key(subject.file).exists()


def _meet(
    files: CertificateFolder, *, server: str, client: str, authority: str, name: str = "localhost"
) -> str:
    """Do a TLS handshake with both certificates; return the client's name as the server sees it."""
    serving = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=str(files.certificate(authority)))
    serving.verify_mode = ssl.CERT_REQUIRED
    serving.load_cert_chain(files.certificate(server), files.key(server))
    asking = ssl.create_default_context(cafile=str(files.certificate(authority)))
    asking.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    asking.load_cert_chain(files.certificate(client), files.key(client))
    ours, theirs = socket.socketpair()
    with ours, theirs:
        caller = threading.Thread(target=_call, args=(asking, theirs, name))
        caller.start()
        try:
            with serving.wrap_socket(ours, server_side=True) as secure:
                certificate = secure.getpeercert() or {}
                secure.sendall(b"x")
        finally:
            ours.close()
            caller.join()
    names = {key: value for ((key, value),) in certificate["subject"]}  # type: ignore[misc,str-unpack]
    return str(names["commonName"])


def _call(asking: ssl.SSLContext, theirs: socket.socket, name: str) -> None:
    try:
        with asking.wrap_socket(theirs, server_hostname=name) as secure:
            secure.recv(1)
    except (ssl.SSLError, ConnectionError):
        theirs.close()
