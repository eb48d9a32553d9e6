"""Build the TLS context for the API server: the cluster's authority and the client certificate."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from nopea.core.secret import Secret
from nopea.kube.config import ClusterConfig, ConfigError


def tls_context(config: ClusterConfig, *, certificate: Secret, key: Secret) -> ssl.SSLContext:
    """Return a context that trusts only the cluster's authority and presents the certificate, if not empty.

    Raises ConfigError when a PEM cannot be read. The ssl module takes no bytes, so OpenSSL reads the key from
    a file that no other user may open and that is deleted at once.
    """
    context = ssl.create_default_context()
    if config.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    elif config.ca is not None:
        context = _trusting(config)
    if certificate:
        _show(context, config, certificate=certificate, key=key)
    context.set_alpn_protocols(["http/1.1"])
    return context


def _trusting(config: ClusterConfig) -> ssl.SSLContext:
    ca = config.ca
    try:
        pem = ca.read_text() if isinstance(ca, Path) else ca.reveal().decode() if ca is not None else ""
        if not pem:
            raise ssl.SSLError("empty")  # the ssl module would trust the system's authorities in its place
        return ssl.create_default_context(cadata=pem)
    except OSError as error:  # ssl.SSLError is an OSError as well
        where = f" ({ca})" if isinstance(ca, Path) else ""
        raise ConfigError(
            f"{config.origin}: certificate-authority{where} holds no readable PEM certificate."
        ) from error
    except ValueError as error:
        raise ConfigError(f"{config.origin}: certificate-authority is not a PEM file.") from error


def _show(context: ssl.SSLContext, config: ClusterConfig, *, certificate: Secret, key: Secret) -> None:
    with tempfile.NamedTemporaryFile(prefix="nopea-") as file:  # created with mode 0600
        file.write(certificate.reveal() + b"\n" + key.reveal() + b"\n")
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"{config.origin}: the client certificate and key are not a matching, unencrypted PEM pair."
            ) from error
