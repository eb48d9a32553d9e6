"""What is asked of AWS, and what its answers mean. Signatures: test_sigv4.py; a real KMS: tests/keys."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from urllib.parse import parse_qs

import pytest

from nopea.core.decryption import aws
from nopea.core.decryption.aws import AwsPlace
from nopea.core.decryption.keys import KmsKey
from nopea.core.decryption.sigv4 import AwsLogin
from nopea.core.decryption.wire import Declined, Lent
from nopea.core.secret import Secret

KEY = KmsKey(id="1", arn="arn:aws:kms:eu-west-2:111122223333:key/a", context={"b": "1"}, ciphertext="AQIC")
ROLE = "arn:aws:iam::111122223333:role/team/sops"
LOGIN = AwsLogin(access_key="AKIASHOP", secret_key=Secret("secret-of-the-shop"))
NOW = datetime(2026, 11, 1, tzinfo=UTC)
IRELAND = AwsPlace("aws", "eu-west-1")


@pytest.mark.parametrize(
    ("arn", "host"),
    [
        ("arn:aws:kms:eu-west-2:111122223333:key/a", "kms.eu-west-2.amazonaws.com"),
        ("arn:aws:kms:us-east-1:111122223333:alias/team/a", "kms.us-east-1.amazonaws.com"),
        ("arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/mrk-1", "kms.us-gov-west-1.amazonaws.com"),
        ("arn:aws-cn:kms:cn-north-1:111122223333:key/a", "kms.cn-north-1.amazonaws.com.cn"),
    ],
)
def test_the_region_is_that_of_the_key(arn: str, host: str) -> None:
    """And so is the host."""
    place = aws.place_of(replace(KEY, arn=arn))

    assert place is not None
    assert aws.public_url("kms", place) == f"https://{host}/"


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:kms:evil.example/:111122223333:key/a",
        "arn:aws:kms:eu-west-2.evil.example:111122223333:key/a",
        "arn:aws-evil:kms:eu-west-2:111122223333:key/a",
        "arn:aws:s3:eu-west-2:111122223333:key/a",
        "arn:aws:kms:eu-west-2:111122223333:key/a\n",
    ],
)
def test_what_is_no_key_has_no_region(arn: str) -> None:
    """It would be part of a host name."""
    assert aws.place_of(replace(KEY, arn=arn)) is None


def test_requests() -> None:
    """The context goes with the ciphertext; nothing of a login prints."""
    call = aws.decrypt(KEY, IRELAND, "https://kms.example/", LOGIN, NOW)
    assert json.loads(call.body) == {
        "KeyId": KEY.arn,
        "CiphertextBlob": "AQIC",
        "EncryptionContext": {"b": "1"},
    }
    assert call.headers["X-Amz-Target"] == "TrentService.Decrypt"
    assert "/20261101/eu-west-1/kms/aws4_request" in call.headers["Authorization"]
    assert "AKIASHOP" not in repr(call)

    call = aws.assume_role(ROLE, IRELAND, "https://sts.example/", LOGIN, NOW)
    assert parse_qs(call.body.decode())["RoleArn"] == [ROLE]
    assert "/sts/aws4_request" in call.headers["Authorization"]


STS = b"""<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<SessionToken>tok/en==</SessionToken><SecretAccessKey>sec+ret</SecretAccessKey>
<Expiration>2026-11-01T01:00:00Z</Expiration><AccessKeyId>ASIAROLE</AccessKeyId></Credentials></AssumeRoleResult>
</AssumeRoleResponse>"""


def test_a_login_of_sts() -> None:
    """Its answers are XML."""
    assert aws.login_of(200, STS) == AwsLogin(
        access_key="ASIAROLE", secret_key=Secret("sec+ret"), session_token=Secret("tok/en==")
    )
    refused = aws.login_of(403, b"<ErrorResponse><Error><Code>AccessDenied</Code></Error></ErrorResponse>")
    assert refused == Declined("the service answered HTTP 403, AccessDenied")
    assert isinstance(aws.login_of(200, b"<html>"), Declined)


@pytest.mark.parametrize(
    ("status", "text", "why", "is_busy"),
    [
        (400, '{"__type":"AccessDeniedException","Message":"x"}', "HTTP 400, AccessDeniedException", False),
        (400, '{"__type":"com.amazonaws.kms#DisabledException"}', "HTTP 400, DisabledException", False),
        (400, '{"__type":"ThrottlingException"}', "HTTP 400, ThrottlingException", True),
        (500, "", "HTTP 500", True),
        (400, '{"__type":"<a page>"}', "HTTP 400", False),
        (200, '{"Plaintext": 1}', "without a data key", False),
        (200, "[]", "without a data key", False),
    ],
)
def test_answers_that_are_no_key(status: int, text: str, why: str, is_busy: bool) -> None:
    """Only names of errors are quoted."""
    found = aws.decrypted(status, text.encode())

    assert isinstance(found, Declined)
    assert found.is_busy is is_busy
    assert found.why.endswith(why)


def test_requests_for_a_login_of_the_pod() -> None:
    """The token is the proof: nothing signs the request."""
    call = aws.assume_role_by_token(ROLE, Secret("to+ken"), "https://sts.example/")

    assert parse_qs(call.body.decode())["WebIdentityToken"] == ["to+ken"]
    assert list(call.headers) == ["Content-Type"]
    assert "ken" not in repr(call)


def test_a_login_of_the_environment() -> None:
    """Both parts are needed."""
    keys = {"AWS_ACCESS_KEY_ID": "AKIASHOP", "AWS_SECRET_ACCESS_KEY": "secret-of-the-shop"}
    assert aws.login_in(keys) == LOGIN
    assert aws.login_in({"AWS_ACCESS_KEY_ID": "AKIASHOP"}) is None


@pytest.mark.parametrize(
    "url",
    [
        "http://169.254.170.23/v1/credentials",
        "http://[fd00:ec2::23]/v1/credentials",
        "http://127.0.0.1:8080/x",
        "http://[::1]/x",
        "https://credentials.acme.example/x",
    ],
)
def test_the_agent_of_a_pod_is_asked(url: str) -> None:
    """With the token of the service account, which does not print."""
    call = aws.ask_agent(url, Secret("to.ken"))

    assert call is not None
    assert (call.method, call.url, call.headers) == ("GET", url, {"Authorization": "to.ken"})
    assert "to.ken" not in repr(call)


@pytest.mark.parametrize(
    "url",
    [
        "http://credentials.acme.example/x",
        "http://169.254.169.254/latest",
        "http://10.0.0.1/x",
        "http://169.254.170.23@10.0.0.1/x",
        "http://[fd00:ec2::24]/",
        "ftp://127.0.0.1/",
        "//127.0.0.1/",
        "http://[x",
        "",
    ],
)
def test_other_addresses_get_no_token(url: str) -> None:
    """Nor do they from AWS's own tools."""
    assert aws.ask_agent(url, Secret("to.ken")) is None


AGENT = {
    "AccessKeyId": "ASIAPOD",
    "SecretAccessKey": "sec+ret",
    "Token": "tok/en==",
    "Expiration": "2026-11-01T06:00:00Z",
}


def test_a_login_of_the_agent() -> None:
    """It is good until it expires."""
    found = aws.login_of_agent(200, json.dumps(AGENT).encode(), now=NOW)

    login = AwsLogin(access_key="ASIAPOD", secret_key=Secret("sec+ret"), session_token=Secret("tok/en=="))
    assert found == Lent(login, 6 * 3600.0)
    assert "sec+" not in repr(found)


@pytest.mark.parametrize(
    "answer",
    [
        "[]",
        "{",
        json.dumps({**AGENT, "Expiration": "soon"}),
        json.dumps({**AGENT, "Expiration": "2026-11-01T06:00:00"}),
        json.dumps({**AGENT, "Expiration": None}),
        json.dumps({**AGENT, "Token": "a\r\nX-Evil: 1"}),
        json.dumps({**AGENT, "AccessKeyId": ""}),
    ],
)
def test_what_is_no_login_of_the_agent(answer: str) -> None:
    """And a status says whether time mends it."""
    assert aws.login_of_agent(200, answer.encode(), now=NOW) == Declined(
        "the service answered without a login"
    )
    assert aws.login_of_agent(503, b"", now=NOW) == Declined("the service answered HTTP 503", is_busy=True)
