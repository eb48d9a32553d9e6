"""Certificates as servers and Secrets hold them: authorities, intermediate ones, leaves, expired ones."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate with its key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def pem(self) -> str:
        """The certificate alone."""
        return self.certificate.public_bytes(_PEM).decode()

    def files(self, folder: Path, *chain: Issued) -> tuple[Path, Path]:
        """Write what a server serves: the certificate with the chain, and the key."""
        certificate, key = folder / "served.crt", folder / "served.key"
        certificate.write_text("".join(each.pem for each in (self, *chain)))
        plain = serialization.NoEncryption()
        key.write_bytes(self.key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))
        return certificate, key


def issue(
    name: str,
    *,
    by: Issued | None = None,
    hosts: tuple[str, ...] = (),
    days: float = 1,
    since_days: float = 2,
) -> Issued:
    """Issue a certificate: for hosts, or for an authority without them; by itself without another one."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(tz=UTC)
    builder = (
        x509.CertificateBuilder().subject_name(subject)
        .issuer_name(by.certificate.subject if by else subject).public_key(key.public_key())
        .serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=since_days))
        .not_valid_after(now + timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=not hosts, path_length=None), critical=True)
    )  # fmt: skip
    if hosts:
        names = [
            x509.IPAddress(ip_address(host)) if host[0].isdigit() else x509.DNSName(host) for host in hosts
        ]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return Issued(builder.sign(by.key if by else key, hashes.SHA256()), key)
