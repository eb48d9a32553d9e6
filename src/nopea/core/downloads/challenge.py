"""What a registry asks for with a 401: the header WWW-Authenticate (RFC 9110, section 11.6.1). Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit, urlunsplit

# Bounded, and at the start of a word: a header is a server's to write.
_PARAMETER = re.compile(r'(?<![A-Za-z])([A-Za-z]{1,32})\s{0,8}=\s{0,8}(?:"([^"]*)"|([^",\s]+))')
_MAX_HEADER = 2048


@dataclass(frozen=True, slots=True)
class TokenChallenge:
    """The registry wants a token from `realm`, by the token authentication of the Distribution project."""

    realm: str
    service: str
    scope: str

    def url(self) -> str:
        """Return the address of the token. Raises ValueError for a realm that is not a URL."""
        parts = urlsplit(self.realm)
        asked = {"service": self.service, "scope": self.scope}
        query = urlencode({name: value for name, value in asked.items() if value})
        return urlunsplit(parts._replace(query="&".join(filter(None, (parts.query, query))), fragment=""))


def token_challenge(headers: Sequence[str], *, scope: str) -> TokenChallenge | None:
    """Return the token that is asked for, or None where it is a plain login.

    A registry that does not say for what the token is gets `scope`.
    """
    for header in headers:
        scheme, _, rest = header[:_MAX_HEADER].strip().partition(" ")
        if scheme.lower() == "bearer":
            found = {name.lower(): quoted or plain for name, quoted, plain in _PARAMETER.findall(rest)}
            return TokenChallenge(
                found.get("realm", ""), found.get("service", ""), found.get("scope", "") or scope
            )
    return None
