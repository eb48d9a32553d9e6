"""Build the TLS contexts for the API server: its authority, and our client certificate where there is one."""

from __future__ import annotations

import ssl
import tempfile
from pathlib import Path

from nopea.core.secret import Secret
from nopea.kube.config import ClusterConfig, ConfigError


def tls_context(config: ClusterConfig, *, certificate: Secret, key: Secret) -> ssl.SSLContext:
    """Return a context that trusts the cluster's authority alone and shows the certificate, if not empty.

    Raises ConfigError when a PEM cannot be read. The key is on disk only while OpenSSL reads it, in a file
    that nobody else may open: the ssl module takes no bytes.
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
        return ssl.create_default_context(cadata=pem)
    except OSError as error:  # ssl.SSLError is an OSError as well
        where = f" ({ca})" if isinstance(ca, Path) else ""
        raise ConfigError(
            f"{config.origin}: certificate-authority{where}: no PEM certificate can be read"
        ) from error
    except ValueError as error:
        raise ConfigError(f"{config.origin}: certificate-authority: not a PEM file") from error


def _show(context: ssl.SSLContext, config: ClusterConfig, *, certificate: Secret, key: Secret) -> None:
    with tempfile.NamedTemporaryFile(prefix="nopea-") as file:  # made with mode 0600, gone at the end
        file.write(certificate.reveal() + b"\n" + key.reveal() + b"\n")
        file.flush()
        try:
            context.load_cert_chain(file.name)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigError(
                f"{config.origin}: client certificate and key: not a matching, unencrypted PEM pair"
            ) from error
