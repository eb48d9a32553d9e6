"""Random requests from a seed, as bytes for a socket.

Many are genuine deliveries of a provider with a piece of the body replaced and a new signature, so that
they reach the code that parses bodies; the others break HTTP in every part of a request.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from random import Random
from typing import Any
from urllib.parse import quote_plus

from tests.unit.core.webhooks import sent
from tests.unit.core.webhooks.sent import Sent

PATHS = (
    "/webhook", "/webhook/own", "/webhook/shop/own", "/webhook/shop/token", "/webhook/shop/shared",
    "/webhook/shop/gitlab", "/webhook/shop/missing", "/webhook/shop/tags", "/webhook/shop/asleep",
    "/webhook/twice", "/webhook/nobody", "/webhook/shop/broken", "/health", "/ready",
)  # fmt: skip
METHODS = ("GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "CONNECT", "BREW", "post")
NAMES = (
    "X-GitHub-Event", "X-Hub-Signature-256", "X-Hub-Signature", "X-Gitlab-Event", "X-Gitlab-Token",
    "X-Gitea-Event", "X-Gitea-Signature", "X-Forgejo-Event", "X-Event-Key", "X-Request-UUID", "Authorization",
    "webhook-id", "webhook-timestamp", "webhook-signature", "X-Signature", "Content-Type", "Content-Encoding",
    "Content-Length", "Transfer-Encoding", "Expect", "Host", "Connection", "Upgrade", "Cookie", "Range",
    "X-GitHub-Delivery", "Idempotency-Key", "Accept",
)  # fmt: skip
CLOSE = b"Connection: close\r\n"
_BOMB = gzip.compress(b"\0" * 20_000_000)
_SENDERS: tuple[tuple[Callable[[Any], Sent], Callable[[], dict[str, Any]]], ...] = (
    (sent.github, sent.github_push), (sent.gitlab, sent.gitlab_push), (sent.gitlab_signed, sent.gitlab_push),
    (sent.gitea, sent.github_push), (sent.cloud, sent.cloud_push), (sent.azure, sent.azure_push),
    (sent.data_center, sent.data_center_push), (sent.generic, sent.generic_push),
)  # fmt: skip


class Rubbish:
    """An endless supply of random requests; equal seeds give equal requests."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)
        self._kinds = (
            self._signed, self._signed, self._signed, self._headers, self._body, self._method, self._path,
            self._noise, self._half, self._chunks, self._huge, self._bomb, self._pipelined,
        )  # fmt: skip

    def next(self) -> bytes:
        """Return the bytes to write to a new connection."""
        return self._random.choice(self._kinds)()

    def _signed(self) -> bytes:
        sign, make = self._random.choice(_SENDERS)
        spoilt = self._spoilt(make())
        delivery = sign(json.dumps(spoilt).encode() if self._random.random() < 0.9 else self._bytes(200))
        headers = {**delivery.headers}
        for name in headers:
            if (
                name.endswith(("-delivery", "-uuid", "-key", "-id"))
                and "event" not in name
                and "hook" not in name
            ):
                headers[name] = self._text(40)
        body = delivery.body
        if self._random.random() < 0.2:  # Gitea's signature is still valid then
            headers["Content-Type"] = "application/x-www-form-urlencoded"
            body = (
                b"payload="
                + quote_plus(body).encode()
                + self._random.choice((b"", b"%", b"&x=%4", b"&payload="))
            )
        return self._request(headers=headers, body=body)

    def _headers(self) -> bytes:
        headers = {
            self._random.choice(NAMES): self._text(self._random.choice((0, 5, 50, 500)))
            for _ in range(self._random.randrange(20))
        }
        return self._request(headers=headers, body=self._bytes(100))

    def _body(self) -> bytes:
        return self._request(
            headers={"X-GitHub-Event": "push"}, body=self._bytes(self._random.choice((0, 9, 99_999)))
        )

    def _method(self) -> bytes:
        headers = {self._random.choice(NAMES): self._text(50) for _ in range(3)}
        return self._request(method=self._random.choice(METHODS), headers=headers, body=self._bytes(10))

    def _path(self) -> bytes:
        parts = (
            "webhook",
            "shop",
            "..",
            "%00",
            "%ff",
            "%2f",
            "",
            "a" * 300,
            "é",
            "?x=1",
            "#",
            "{name}",
            "own",
        )
        path = "/" + "/".join(self._random.choice(parts) for _ in range(self._random.randrange(1, 6)))
        return self._request(path=path, headers={self._random.choice(NAMES): self._text(50)}, body=b"{}")

    def _noise(self) -> bytes:
        return self._random.choice(
            (b"", b"\x16\x03\x01", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"POST ")
        ) + self._bytes(300)

    def _half(self) -> bytes:
        whole = self._signed()
        return whole[: self._random.randrange(len(whole))]

    def _chunks(self) -> bytes:
        sizes = (
            b"5\r\nabcde\r\n",
            b"zz\r\n",
            b"-1\r\n",
            b"FFFFFFFFFFFFFFFFF\r\n",
            b"0\r\n\r\n",
            b"5;x=y\r\nab",
        )
        chunks = b"".join(self._random.choice(sizes) for _ in range(self._random.randrange(6)))
        head = self._request(headers={"Transfer-Encoding": "chunked", "X-GitHub-Event": "push"}, length=False)
        return head + chunks

    def _huge(self) -> bytes:
        headers: dict[str, str] = {
            f"X-{number}": "v" for number in range(self._random.choice((10, 127, 1000)))
        }
        headers["X-Hub-Signature-256"] = "a" * self._random.choice((10, 8_000, 100_000))
        return self._request(headers=headers, body=self._bytes(10))

    def _bomb(self) -> bytes:
        encoding = self._random.choice(("gzip", "deflate", "br", "gzip, gzip", "x"))
        return self._request(headers={"Content-Encoding": encoding, "X-GitHub-Event": "push"}, body=_BOMB)

    def _pipelined(self) -> bytes:
        many = [self._signed().replace(CLOSE, b"") for _ in range(self._random.randrange(1, 30))]
        return b"".join(many) + self._signed()

    def _request(
        self, *, method: str = "POST", path: str = "", headers: Mapping[str, str] | None = None,
        body: bytes = b"", length: bool = True,
    ) -> bytes:  # fmt: skip
        lines = [
            f"{method} {path or self._random.choice(PATHS)} HTTP/1.1",
            "Host: nopea",
            "Connection: close",
        ]
        lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
        if length:
            lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("utf-8", "surrogateescape") + body

    def _spoilt(self, value: Any) -> Any:
        """Replace pieces of a value at random."""
        if self._random.random() < 0.06:
            return self._thing()
        if isinstance(value, dict):
            return {key: self._spoilt(inner) for key, inner in value.items() if self._random.random() < 0.98}
        if isinstance(value, list | tuple):
            return [self._spoilt(inner) for inner in value] * self._random.choice((1, 1, 1, 0, 3))
        return value

    def _thing(self) -> Any:
        things: tuple[Any, ...] = (
            None, True, -1, 1e308, 10**30, [], {}, [[]], {"a": {"a": {}}}, "", "refs/heads/",
            "refs/tags/v1.0.0", "refs/heads/é\u0000", "0" * 40, "0" * 64, "://", "git@:", "http://[",
            "x" * 3_000, "\ud800", "a/../b",
        )  # fmt: skip
        return self._random.choice(things)

    def _text(self, longest: int) -> str:
        alphabet = "abcXYZ019-_=,;:/+. \té\udc80\"'\\%"
        if self._random.random() < 0.03:
            alphabet += "\x00\x0b\x7f"
        return "".join(self._random.choice(alphabet) for _ in range(self._random.randrange(longest + 1)))

    def _bytes(self, longest: int) -> bytes:
        return self._random.randbytes(self._random.randrange(longest + 1))
