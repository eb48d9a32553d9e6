"""The sample repository's post-receive hook: announces a push to Nopea with a signed webhook.

What a forge does for its repositories. Arguments: the webhook's address, the file with its secret, and the
repository's URL; standard input has Git's lines `OLD NEW REF`. A push never fails because nobody listens.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import urllib.error
import urllib.request
from collections.abc import Iterable
from pathlib import Path

_DEADLINE_SECONDS = 5.0
_LOOPBACK_ONLY = urllib.request.build_opener(urllib.request.ProxyHandler({}))


def main(arguments: list[str], lines: Iterable[str]) -> None:
    """Send one delivery for each ref that the push moved."""
    address, secret_file, repository = arguments
    secret = Path(secret_file).read_bytes()
    for line in lines:
        _, commit, ref = line.split()
        body = json.dumps({"repository": repository, "ref": ref, "commit": commit}).encode()
        try:
            _send(address, body, secret=secret)
        except (urllib.error.URLError, TimeoutError) as error:
            print(f"Nopea was not told: {error}", file=sys.stderr)  # noqa: T201 - git shows it to who pushes


def _send(address: str, body: bytes, *, secret: bytes) -> None:
    signature = hmac.new(secret, body, hashlib.sha256).hexdigest()
    headers = {"Content-Type": "application/json", "X-Signature": f"sha256={signature}"}
    request = urllib.request.Request(address, data=body, headers=headers)  # noqa: S310 - ours, on loopback
    with _LOOPBACK_ONLY.open(request, timeout=_DEADLINE_SECONDS):
        pass


if __name__ == "__main__":
    main(sys.argv[1:], sys.stdin)
