"""Signatures are those of AWS' public test suite and of the example in its documentation."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from nopea.core.decryption.sigv4 import AwsLogin, signed
from nopea.core.secret import Secret

LOGIN = AwsLogin(access_key="AKIDEXAMPLE", secret_key=Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
NOW = datetime(2015, 8, 30, 12, 36, 0, tzinfo=UTC)
HOST = "https://example.amazonaws.com/"
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("method", "url", "headers", "body", "signature"),
    [
        ("GET", HOST, {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", HOST, {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        (
            "POST",
            HOST,
            {"My-Header1": "value1"},
            b"",
            "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c",
        ),
        (
            "POST",
            HOST,
            FORM,
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
        (
            "GET",
            f"{HOST}?Param2=value2&Param1=value1",
            {},
            b"",
            "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
        ),
    ],
)
def test_signatures_are_those_of_the_suite(
    method: str, url: str, headers: dict[str, str], body: bytes, signature: str
) -> None:
    """Each case is one of the suite: get-vanilla, post-vanilla, headers, a form, a query out of order."""
    result = signed(
        url, body, headers, method=method, login=LOGIN, region="us-east-1", service="service", now=NOW
    )

    assert result["X-Amz-Date"] == "20150830T123600Z"
    assert result["Authorization"].endswith(f"Signature={signature}")
    assert "Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request" in result["Authorization"]


def test_the_example_of_the_documentation() -> None:
    """A query, and a content type that is signed."""
    result = signed(
        "https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08",
        b"",
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        method="GET",
        login=LOGIN,
        region="us-east-1",
        service="iam",
        now=NOW,
    )

    assert result["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date, "
        "Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7"
    )


def test_the_host_is_signed_as_it_is_sent() -> None:
    """An operator may write the default port."""
    spellings = (HOST, "https://Example.amazonaws.com:443/", "https://example.amazonaws.com")
    found = {
        signed(url, b"", {}, login=LOGIN, region="us-east-1", service="kms", now=NOW)["Authorization"]
        for url in spellings
    }
    assert len(found) == 1


def test_a_session_token_is_signed_and_nothing_prints() -> None:
    """Temporary credentials, as the suite's post-sts-header-before has them."""
    token = Secret(
        "AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBuFqwAeMicRXmxfpSPfIeo"
        "IYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmUpp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5V"
        "SXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yj"
        "c8fPOLn9FX9KSYvKTr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="
    )
    login = AwsLogin(access_key=LOGIN.access_key, secret_key=LOGIN.secret_key, session_token=token)

    result = signed(HOST, b"", {}, login=login, region="us-east-1", service="service", now=NOW)

    assert "SignedHeaders=host;x-amz-date;x-amz-security-token," in result["Authorization"]
    assert result["Authorization"].endswith(
        "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"
    )
    assert "wJalr" not in repr(login) + result["Authorization"]
    assert "AQoD" not in repr(login)
