"""What key services have in common."""

from __future__ import annotations

from typing import get_args

from nopea.core.api.tenancy import TenancyPolicy
from nopea.core.decryption.keys import WrappedKey
from nopea.core.decryption.logins import LOGINS
from nopea.keys.port import KeyServices


def test_every_sort_of_key_has_a_service_and_a_login_of_its_own() -> None:
    """A login for one service is nothing for another."""
    services = KeyServices(TenancyPolicy()).services

    assert set(services) == set(get_args(WrappedKey))
    assert sorted(service.secret_key for service in services.values()) == sorted(LOGINS)
