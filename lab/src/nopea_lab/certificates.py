"""The lab's certificates and keys: made once per lab, readable by their owner only, for loopback alone.

Two authorities: one for the cluster, one for etcd, so that no client certificate of the cluster opens etcd.
Never signs for a name outside this machine.
"""

from __future__ import annotations

import datetime as dt
import ipaddress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from nopea_lab.files import make_private_folder, write_private

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

VALID_FOR = dt.timedelta(days=3650)
_CLOCK_SKEW = dt.timedelta(hours=1)
SERVER_NAMES = (
    "localhost",
    "kubernetes",
    "kubernetes.default",
    "kubernetes.default.svc",
    "kubernetes.default.svc.cluster.local",
)
SERVER_ADDRESSES = ("127.0.0.1", "10.96.0.1")


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """Whom a certificate names: for a client, the user (`name`) and its group."""

    file: str
    name: str
    group: str = ""
    serves: bool = False


CLUSTER_SUBJECTS = (
    Subject(file="apiserver", name="kube-apiserver", serves=True),
    Subject(file="admin", name="nopea-lab-admin", group="system:masters"),
    Subject(file="controller-manager", name="system:kube-controller-manager"),
)
ETCD_SUBJECTS = (
    Subject(file="etcd-server", name="etcd", serves=True),
    Subject(file="etcd-client", name="kube-apiserver"),
)


@dataclass(frozen=True, slots=True)
class CertificateFolder:
    """Where each file is; `make` fills it."""

    path: Path

    def certificate(self, name: str) -> Path:
        """Return the path of a certificate: `ca`, `etcd-ca`, or a subject's file name."""
        return self.path / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Return the path of a private key, or of `service-account`."""
        return self.path / f"{name}.key"

    @property
    def service_account_public_key(self) -> Path:
        """Return the path of the key that verifies service-account tokens."""
        return self.path / "service-account.pub"

    def is_complete(self) -> bool:
        """Say whether `make` ran to its end: it writes this file last."""
        return self.service_account_public_key.exists()

    def make(self) -> None:
        """Make every certificate and key again."""
        make_private_folder(self.path)
        for authority, subjects in (("ca", CLUSTER_SUBJECTS), ("etcd-ca", ETCD_SUBJECTS)):
            certificate, key = _authority(f"nopea-lab-{authority}")
            self._write(authority, certificate, key)
            for subject in subjects:
                self._write(subject.file, *_signed(subject, certificate, key))
        self._write_service_account_keys()

    def _write(self, name: str, certificate: x509.Certificate, key: EllipticCurvePrivateKey) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding

        write_private(self.certificate(name), certificate.public_bytes(Encoding.PEM).decode())
        write_private(self.key(name), _key_pem(key))

    def _write_service_account_keys(self) -> None:
        from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

        key = _new_key()
        public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        write_private(self.key("service-account"), _key_pem(key))
        write_private(self.service_account_public_key, public.decode())


def _new_key() -> EllipticCurvePrivateKey:
    from cryptography.hazmat.primitives.asymmetric import ec

    return ec.generate_private_key(ec.SECP256R1())


def _key_pem(key: EllipticCurvePrivateKey) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    return key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()).decode()


def _name(common_name: str, group: str = "") -> x509.Name:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    organization = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group)] if group else []
    return x509.Name([*organization, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _draft(
    subject: x509.Name, key: EllipticCurvePrivateKey, *, is_authority: bool
) -> x509.CertificateBuilder:
    """Return what every certificate of ours has, still without an issuer."""
    from cryptography import x509

    now = dt.datetime.now(dt.UTC)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=not is_authority,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=is_authority,
        crl_sign=is_authority,
        encipher_only=False,
        decipher_only=False,
    )
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _authority(name: str) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    from cryptography.hazmat.primitives import hashes

    key = _new_key()
    subject = _name(name)
    draft = _draft(subject, key, is_authority=True).issuer_name(subject)
    return draft.sign(key, hashes.SHA256()), key


def _signed(
    subject: Subject, authority: x509.Certificate, authority_key: EllipticCurvePrivateKey
) -> tuple[x509.Certificate, EllipticCurvePrivateKey]:
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = _new_key()
    # etcd's HTTP gateway calls etcd itself with the server's certificate, so a server is a client too.
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH, *([ExtendedKeyUsageOID.SERVER_AUTH] if subject.serves else [])]
    issuer_key = x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key())
    draft = (
        _draft(_name(subject.name, subject.group), key, is_authority=False)
        .issuer_name(authority.subject)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(issuer_key, critical=False)
    )
    if subject.serves:
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in SERVER_NAMES]
        names += [x509.IPAddress(ipaddress.ip_address(address)) for address in SERVER_ADDRESSES]
        draft = draft.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return draft.sign(authority_key, hashes.SHA256()), key
