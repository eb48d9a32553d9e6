"""Ask a server of the lab over TLS, one request per connection: for readiness, set-up and tests.

Not Nopea's client of Kubernetes: no watches, no retries, no speed.
"""

from __future__ import annotations

import http.client
import json
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_JSON_LIMIT = 64 * 2**20


@dataclass(frozen=True, slots=True)
class ApiAnswer:
    """A status and the body: parsed when it is JSON, else text."""

    status: int
    body: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks whom. `token` is sent as bearer where given, else the certificate says who asks."""

    port: int
    authority: Path
    certificate: Path | None = None
    key: Path | None = None
    token: str = ""

    def request(
        self, method: str, path: str, body: Any = None, *, content_type: str = "application/json"
    ) -> ApiAnswer:
        """Send one request and return the answer, whatever its status. Raises OSError when nobody answers.

        Waits at most 10 s for each step of the exchange.
        """
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=10, context=self._context())
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None if body is None else json.dumps(body)
        if data is not None:
            headers["Content-Type"] = content_type
        try:
            connection.request(method, path, body=data, headers=headers)
            response = connection.getresponse()
            return ApiAnswer(response.status, _parse(response.read(_JSON_LIMIT)))
        except http.client.HTTPException as error:
            raise ConnectionError(f"{method} {path}: {error!r}") from error
        finally:
            connection.close()

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority))
        if self.certificate is not None and not self.token:
            context.load_cert_chain(self.certificate, self.key)
        return context


def _parse(data: bytes) -> Any:
    try:
        return json.loads(data)
    except ValueError:
        return data.decode(errors="replace")
