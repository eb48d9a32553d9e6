"""What is asked of AWS KMS and STS, and what their answers mean. Pure."""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlencode, urlsplit

import orjson

from nopea.core.decryption.keys import KmsKey
from nopea.core.decryption.sigv4 import AwsLogin, signed
from nopea.core.decryption.wire import OK, Call, Declined, Lent, data_key, declined, seconds_until
from nopea.core.secret import Secret

_ARN = re.compile(
    r"arn:(aws|aws-us-gov|aws-cn):kms:([a-z]{2}(?:-[a-z]+)+-[0-9]{1,2}):[0-9]{12}:"
    r"(?:key|alias)/[A-Za-z0-9/_-]+"
)
_ROLE = re.compile(r"arn:(?:aws|aws-us-gov|aws-cn):iam::[0-9]{12}:role/[A-Za-z0-9+=,.@_/-]+")
_SUFFIXES = {"aws": "amazonaws.com", "aws-us-gov": "amazonaws.com", "aws-cn": "amazonaws.com.cn"}
_AGENTS = frozenset(("169.254.170.2", "169.254.170.23", "fd00:ec2::23"))
_PRINTED = re.compile(r"[!-~]+")
_REASON = re.compile(r"[A-Za-z]{1,64}")
_BUSY = frozenset(
    (
        "ThrottlingException", "Throttling", "LimitExceededException", "KMSInternalException",
        "DependencyTimeoutException",
    )
)  # fmt: skip
_FORM = "application/x-www-form-urlencoded; charset=utf-8"
_VERSION = "2011-06-15"
_SESSION = "nopea"
SESSION_SECONDS = 3600
"""What every role allows."""


@dataclass(frozen=True, slots=True)
class AwsPlace:
    """The partition and the region of a key."""

    partition: str
    region: str


def public_url(service: str, place: AwsPlace) -> str:
    """Return where a service, `kms` or `sts`, is in public."""
    return f"https://{service}.{place.region}.{_SUFFIXES[place.partition]}/"


def place_of(key: KmsKey) -> AwsPlace | None:
    """Return where a key is; None if it or its role is not written as one: nobody is asked for it then."""
    found = _ARN.fullmatch(key.arn)
    if found is None or (key.role and not _ROLE.fullmatch(key.role)):
        return None
    return AwsPlace(found[1], found[2])


def decrypt(key: KmsKey, place: AwsPlace, url: str, login: AwsLogin, now: datetime) -> Call:
    """Ask KMS for a data key."""
    asked = {"KeyId": key.arn, "CiphertextBlob": key.ciphertext, "EncryptionContext": dict(key.context)}
    body = orjson.dumps(asked)
    headers = {"Content-Type": "application/x-amz-json-1.1", "X-Amz-Target": "TrentService.Decrypt"}
    headers = signed(url, body, headers, login=login, region=place.region, service="kms", now=now)
    return Call(url=url, headers=headers, body=body)


def assume_role(role: str, place: AwsPlace, url: str, login: AwsLogin, now: datetime) -> Call:
    """Ask STS for a login as a role."""
    fields = {"Action": "AssumeRole", "Version": _VERSION, "RoleArn": role, "RoleSessionName": _SESSION}
    body, headers = urlencode(fields).encode(), {"Content-Type": _FORM}
    headers = signed(url, body, headers, login=login, region=place.region, service="sts", now=now)
    return Call(url=url, headers=headers, body=body)


def assume_role_by_token(role: str, token: Secret, url: str) -> Call:
    """Ask STS for a login as a role, for a token of a service account; nothing signs the request."""
    fields = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": _VERSION,
        "RoleArn": role,
        "RoleSessionName": _SESSION,
        "DurationSeconds": str(SESSION_SECONDS),
        "WebIdentityToken": token.reveal().decode("latin-1"),
    }
    return Call(url=url, headers={"Content-Type": _FORM}, body=urlencode(fields).encode())


def ask_agent(url: str, token: Secret) -> Call | None:
    """Ask the agent of EKS Pod Identity for a login; None if AWS's own tools would not ask this address.

    The token of a service account is sent: over https, or to this host, or to an agent of AWS on it.
    """
    try:
        parts = urlsplit(url)
        address = ipaddress.ip_address(parts.hostname or "")
        is_safe = parts.scheme == "https" or (
            parts.scheme == "http" and (address.is_loopback or str(address) in _AGENTS)
        )
    except ValueError:  # a name
        is_safe = url.startswith("https://")
    if not is_safe:
        return None
    return Call(method="GET", url=url, headers={"Authorization": token.reveal().decode("latin-1")})


def login_of_agent(status: int, body: bytes, *, now: datetime) -> Lent[AwsLogin] | Declined:
    """Read the login from the answer of an agent."""
    if status != OK:
        return _declined(status, "")
    try:
        found = orjson.loads(body)
        login = AwsLogin(
            access_key=str(found["AccessKeyId"]),
            secret_key=Secret(str(found["SecretAccessKey"])),
            session_token=Secret(str(found["Token"])),
        )
        seconds = seconds_until(found["Expiration"], now)
    except (ValueError, KeyError, TypeError):
        return Declined("the service answered without a login")
    if not all(map(_PRINTED.fullmatch, (login.access_key, login.session_token.reveal().decode()))):
        return Declined("the service answered without a login")
    return Lent(login, seconds)


def login_in(environment: Mapping[str, str]) -> AwsLogin | None:
    """Read the access key in the variables of AWS' own tools."""
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        return None
    token = Secret(environment.get("AWS_SESSION_TOKEN", ""))
    return AwsLogin(access_key=access_key, secret_key=Secret(secret_key), session_token=token)


def decrypted(status: int, body: bytes) -> Secret | Declined:
    """Read the data key from an answer of KMS."""
    if status == OK:
        return data_key(body, "Plaintext")
    name = ""
    with contextlib.suppress(ValueError, KeyError, TypeError):
        name = str(orjson.loads(body)["__type"]).rpartition("#")[2]
    return _declined(status, name)


def login_of(status: int, body: bytes) -> AwsLogin | Declined:
    """Read the login from an answer of STS."""
    text = body.decode(errors="replace")
    if status != OK:
        return _declined(status, _element(text, "Code"))
    access_key, secret_key = _element(text, "AccessKeyId"), _element(text, "SecretAccessKey")
    if not access_key or not secret_key:
        return Declined("the service answered without a login")
    return AwsLogin(
        access_key=access_key,
        secret_key=Secret(secret_key),
        session_token=Secret(_element(text, "SessionToken")),
    )


def _element(text: str, name: str) -> str:
    """Return the text of an element of XML; those that are read occur once, and have no entities."""
    found = re.search(rf"<{name}>\s*([!-;=?-~]+)\s*</{name}>", text)
    return found[1] if found else ""


def _declined(status: int, name: str) -> Declined:
    return declined(status, name if _REASON.fullmatch(name) else "", is_busy=name in _BUSY)
