"""The certificate of the endpoint: for its hosts, until it expires."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime

import pytest

from nopea.core.secret import Secret
from nopea.web.certificate import (
    RENEWED_BEFORE,
    VALID_FOR,
    Certificate,
    UnusableCertificateError,
    make_certificate,
)

NOW = datetime.now(UTC)
HOSTS = ["127.0.0.1", "nopea-users.nopea-system.svc"]


def test_a_certificate_is_good_for_its_hosts_until_it_is_old() -> None:
    """It is renewed long before it expires, and when the Service has another name."""
    made = make_certificate(HOSTS, now=NOW)

    assert made.is_good(HOSTS, now=NOW)
    assert made.is_good(HOSTS[:1], now=NOW)
    assert not made.is_good([*HOSTS, "other.shop.svc"], now=NOW)
    assert not made.is_good(HOSTS, now=NOW + VALID_FOR - RENEWED_BEFORE)
    assert "PRIVATE" not in repr(made)


@pytest.mark.parametrize("pem", ["", "x", "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"])
def test_what_is_no_certificate_is_not_good(pem: str) -> None:
    """A damaged Secret is replaced."""
    assert not Certificate(pem, Secret("")).is_good(HOSTS, now=NOW)


def test_only_a_matching_pair_is_shown() -> None:
    """A certificate with the key of another one is refused."""
    one, other = make_certificate(HOSTS, now=NOW), make_certificate(HOSTS, now=NOW)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)

    one.load_into(context)
    with pytest.raises(UnusableCertificateError):
        Certificate(one.pem, other.key).load_into(context)
