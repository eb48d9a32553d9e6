"""The certificate of the address to which the API server reports writes: self-signed, for its hosts only."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from nopea.core.secret import Secret

VALID_FOR = timedelta(days=365)
RENEWED_BEFORE = timedelta(days=90)
_CLOCK_SKEW = timedelta(hours=1)


class UnusableCertificateError(Exception):
    """The certificate or the key is damaged, or they do not belong together."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A certificate and its key, as PEM. The certificate is its own authority, and may sign no other."""

    pem: str
    key: Secret

    def is_good(self, hosts: Collection[str], *, now: datetime) -> bool:
        """Return whether it is for all these hosts, and not about to expire."""
        from cryptography import x509

        try:
            found = x509.load_pem_x509_certificate(self.pem.encode())
            names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        except (ValueError, x509.ExtensionNotFound):
            return False
        known = {
            *names.get_values_for_type(x509.DNSName),
            *map(str, names.get_values_for_type(x509.IPAddress)),
        }
        return known >= set(hosts) and now + RENEWED_BEFORE < found.not_valid_after_utc

    def load_into(self, context: ssl.SSLContext) -> None:
        """Have a server show it to all who connect from now on; raises UnusableCertificateError."""
        with tempfile.NamedTemporaryFile(prefix="nopea-") as file:  # created with mode 0600
            file.write(self.pem.encode() + b"\n" + self.key.reveal() + b"\n")
            file.flush()
            try:
                context.load_cert_chain(file.name)
            except (ssl.SSLError, ValueError) as error:
                raise UnusableCertificateError(
                    "The certificate and the key are not a matching, unencrypted PEM pair."
                ) from error


def make_certificate(hosts: Collection[str], *, now: datetime) -> Certificate:
    """Return a new certificate for DNS names and IP addresses."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import ExtendedKeyUsageOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "nopea-users")])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _CLOCK_SKEW)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.SubjectAlternativeName([_general_name(host) for host in hosts]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Certificate(
        certificate.public_bytes(serialization.Encoding.PEM).decode(),
        Secret(
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            )
        ),
    )


def _general_name(host: str):  # type: ignore[no-untyped-def] # noqa: ANN202 - a type of the late import
    from cryptography import x509

    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
