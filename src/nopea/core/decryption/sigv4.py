"""Sign a request to AWS: Signature Version 4, as AWS documents it. Pure."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

from nopea.core.secret import Secret

_NO_TOKEN = Secret(b"")
_ALGORITHM = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True, kw_only=True)
class AwsLogin:
    """An access key; temporary ones have a session token."""

    access_key: str
    secret_key: Secret
    session_token: Secret = _NO_TOKEN


def signed(
    url: str,
    body: bytes,
    headers: Mapping[str, str],
    *,
    method: str = "POST",
    login: AwsLogin,
    region: str,
    service: str,
    now: datetime,
) -> dict[str, str]:
    """Return the headers with those that sign the request. `now` is in UTC; the URL's path is normal."""
    parts = urlsplit(url)
    moment = f"{now:%Y%m%dT%H%M%SZ}"
    result = {**headers, "X-Amz-Date": moment}
    if login.session_token:
        result["X-Amz-Security-Token"] = login.session_token.reveal().decode("latin-1")
    counted = {name.lower(): " ".join(value.split()) for name, value in result.items()}
    counted["host"] = parts.netloc.lower().removesuffix(":443")  # as HTTP clients name the default port
    names = ";".join(sorted(counted))
    canonical = "\n".join(
        (
            method,
            quote(parts.path or "/", safe="/-_.~"),
            _query(parts.query),
            *(f"{name}:{counted[name]}" for name in sorted(counted)),
            "",
            names,
            hashlib.sha256(body).hexdigest(),
        )
    )
    scope = f"{now:%Y%m%d}/{region}/{service}/aws4_request"
    text = "\n".join((_ALGORITHM, moment, scope, hashlib.sha256(canonical.encode()).hexdigest()))
    key = b"AWS4" + login.secret_key.reveal()
    for part in scope.split("/"):
        key = hmac.digest(key, part.encode(), "sha256")
    signature = hmac.digest(key, text.encode(), "sha256").hex()
    result["Authorization"] = (
        f"{_ALGORITHM} Credential={login.access_key}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return result


def _query(text: str) -> str:
    pairs = parse_qsl(text, keep_blank_values=True)
    encoded = sorted((quote(name, safe="-_.~"), quote(value, safe="-_.~")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
