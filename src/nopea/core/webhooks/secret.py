"""From a Kubernetes Secret to the secret of a webhook, and whether it protects anything. Pure."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from nopea.core.problem import Code, Problem
from nopea.core.secret import Secret
from nopea.core.webhooks.schemes import SIGNING_TOKEN, is_signing_token

KEY = "token"
SHORTEST = 16
"""Characters of a secret that nobody can guess; a shorter one still works."""


def token_of(secret: Mapping[str, Any], *, where: str) -> Secret | Problem:
    """Return the token, stripped, because a trailing newline is the most common mistake."""
    try:
        value = base64.b64decode((secret.get("data") or {}).get(KEY) or "", validate=True).strip()
    except (binascii.Error, ValueError, TypeError):
        value = b""
    if not value:
        return no_secret(f"{where} has no key `{KEY}`.", f"Put the webhook's secret into the key `{KEY}`.")
    return Secret(value)


def weakness(token: Secret, *, where: str) -> Problem | None:
    """Return why deliveries that this token authenticates prove little, or cannot be checked."""
    text = token.reveal()
    if text.startswith(SIGNING_TOKEN) and not is_signing_token(token):
        return no_secret(
            f"The signing token in {where} is not valid base64 after whsec_.", "Copy it from GitLab again."
        )
    if len(text) < SHORTEST:
        return no_secret(
            f"The key `{KEY}` in {where} has fewer than {SHORTEST} characters, so it can be guessed.",
            "Replace it there and at the provider; `openssl rand -hex 32` makes one.",
        )
    return None


def no_secret(message: str, hint: str) -> Problem:
    """Return why deliveries to an address cannot be authenticated."""
    return Problem(code=Code.WEBHOOK_NO_SECRET, message=message, hint=hint)
