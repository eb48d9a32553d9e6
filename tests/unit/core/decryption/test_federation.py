"""Files of Workload Identity Federation, and what is asked by them. Servers: tests/keys/test_gcp.py."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qs

import pytest

from nopea.core.decryption import federation, oauth
from nopea.core.decryption.federation import ExternalAccount
from nopea.core.decryption.wire import Lent
from nopea.core.secret import Secret

FILE: dict[str, Any] = {
    "type": "external_account",
    "audience": "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/a/providers/b",
    "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
    "token_url": "https://sts.googleapis.com/v1/token",
    "credential_source": {"file": "/var/run/token"},
}
URL = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@b:generateAccessToken"
NOW = datetime(2026, 11, 1, tzinfo=UTC)


def _account(**more: Any) -> ExternalAccount:
    found = federation.external_account_of({**FILE, **more})
    assert isinstance(found, ExternalAccount)
    return found


def test_a_token_is_exchanged() -> None:
    """It does not print."""
    account = _account()
    call = federation.exchange(account, federation.token_in(b" to.ken\n", account))

    fields = parse_qs(call.body.decode())
    assert call.url == "https://sts.googleapis.com/v1/token"
    assert fields["subject_token"] == ["to.ken"]
    assert fields["audience"] == [FILE["audience"]]
    assert "to.ken" not in repr(call)


def test_a_service_account_is_impersonated() -> None:
    """Where the file says so."""
    account = _account(service_account_impersonation_url=URL)
    call = federation.impersonate(account, Secret("ya29.x"))

    assert (call.url, call.headers["Authorization"]) == (URL, "Bearer ya29.x")
    answer = b'{"accessToken": "ya29.y", "expireTime": "2026-11-01T01:00:00Z"}'
    assert federation.impersonated(200, answer, now=NOW) == Lent(Secret("ya29.y"), 3600.0)
    for wrong in (b"{}", b"[]", b'{"accessToken": "a b", "expireTime": "2026-11-01T01:00:00Z"}'):
        assert federation.impersonated(200, wrong, now=NOW) == oauth.NO_TOKEN
    assert federation.impersonated(403, b"", now=NOW) != oauth.NO_TOKEN


def test_a_file_of_json_has_the_token_in_a_field() -> None:
    """As the file of credentials says."""
    format_ = {"type": "json", "subject_token_field_name": "jwt"}
    account = _account(credential_source={"file": "/var/run/token", "format": format_})

    assert federation.token_in(b'{"jwt": "to.ken"}', account) == Secret("to.ken")
    for wrong in (b"{}", b"[]", b"{"):
        with pytest.raises(ValueError, match=r".+"):
            federation.token_in(wrong, account)


@pytest.mark.parametrize(
    "more",
    [
        {"credential_source": {"executable": {"command": "/bin/sh"}}},
        {"credential_source": {"url": "http://169.254.169.254/"}},
        {"credential_source": None},
        {"credential_source": {"file": "/a", "format": 1}},
        {"audience": None},
        {"token_url": 1},
        {"token_url": "http://sts.example"},
        {"service_account_impersonation_url": "http://iam.example"},
        {"service_account_impersonation_url": 1},
    ],
    ids=str,
)
def test_other_files_are_refused(more: dict[str, Any]) -> None:
    """No program is started, and no other server asked for the token."""
    assert isinstance(federation.external_account_of({**FILE, **more}), str)
