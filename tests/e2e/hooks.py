"""Send webhook deliveries to a controller's port, as a forge does."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from tests.e2e.process import Nopea
from tests.fakes.deliveries import Sent


@dataclass(frozen=True, slots=True)
class Answer:
    """The controller's response to a delivery."""

    status: int
    body: dict[str, Any]


def deliver(nopea: Nopea, path: str, sent: Sent) -> Answer:
    """Send a delivery and return the response."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{nopea.port}{path}", data=sent.body, headers=dict(sent.headers), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, json.load(error))
