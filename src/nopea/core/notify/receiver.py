"""From a Kubernetes Secret to a receiver of `spec.notify`. Pure; error messages name keys, never values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from nopea.core.api.notify import ReceiverType
from nopea.core.api.tenancy import TenancyPolicy, receiver_violation
from nopea.core.git.credentials import values_of
from nopea.core.notify.address import InvalidAddressError, ReceiverAddress
from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret

ALERTS_PATH: Final = "/api/v2/alerts"
_KEYS: Final = "url, and if needed token or secret"
_URL_IS_SECRET: Final = frozenset((ReceiverType.SLACK, ReceiverType.TEAMS, ReceiverType.DISCORD))
"""Whoever knows the URL may write to the channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where messages go, and the key that signs them, if any."""

    address: ReceiverAddress
    signing: Secret | None = None


def parse_receiver(
    secret: Mapping[str, Any], *, type_: ReceiverType, where: str, policy: TenancyPolicy
) -> Endpoint | Problem:
    """Read the keys that Nopea knows; a Secret that cannot be used is a Problem."""
    kind = secret.get("type") or "Opaque"
    if kind != "Opaque":
        return receiver_problem(
            f"{where} has the type {kind}, so it was not made for this, and nothing of it is sent.",
            f"Create a Secret of the type Opaque with these keys: {_KEYS}.",
        )
    try:
        values = {
            key: value.strip()
            for key, value in values_of(secret).items()
            if key in ("url", "token", "secret")
        }
        url = values.get("url", b"").decode()
    except (ValueError, TypeError):
        return receiver_problem(
            f"{where} has a value that is not valid base64 or not UTF-8.", "Create it again."
        )
    if not url:
        return receiver_problem(
            f"{where} has no key `url`.", "Put the URL of the receiver into the key `url`."
        )
    token = values.get("token", b"")
    if not all(0x21 <= byte <= 0x7E for byte in token):
        unfit = f"The token in {where} has spaces or non-ASCII characters."
        return receiver_problem(unfit, "Correct the key `token`.")
    try:
        address = alerts_address(url) if type_ is ReceiverType.ALERTMANAGER else ReceiverAddress.parse(url)
    except InvalidAddressError as error:
        return receiver_problem(f"The key `url` in {where} cannot be used.", str(error))
    if token:
        address = replace(address, authorization=Secret(b"Bearer " + token))
    refused = receiver_violation(
        f"The url in {where}",
        address.url.reveal().decode("ascii"),
        policy,
        is_secret=type_ in _URL_IS_SECRET or address.authorization is not None,
    )
    if refused is not None:
        return receiver_problem(refused.message, refused.hint)
    return Endpoint(address=address, signing=Secret(values["secret"]) if values.get("secret") else None)


def alerts_address(url: str) -> ReceiverAddress:
    """Return where an Alertmanager takes alerts, from its base URL. Raises InvalidAddressError."""
    bare, mark, query = url.partition("?")
    path = bare.rstrip("/")
    return ReceiverAddress.parse(f"{path if path.endswith(ALERTS_PATH) else path + ALERTS_PATH}{mark}{query}")


def receiver_problem(message: str, hint: str) -> Problem:
    """Return why a receiver gets nothing."""
    return Problem(code=Code.NOTIFY_RECEIVER, message=message, hint=hint)
