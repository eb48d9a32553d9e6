"""A forge for end-to-end tests: it signs deliveries and sends them to a controller's port."""

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
    """What the forge is told."""

    status: int
    body: dict[str, Any]


def deliver(nopea: Nopea, path: str, sent: Sent) -> Answer:
    """Send a delivery as the forge would."""
    request = urllib.request.Request(
        f"http://127.0.0.1:{nopea.port}{path}", data=sent.body, headers=dict(sent.headers), method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return Answer(answer.status, json.load(answer))
    except urllib.error.HTTPError as error:
        with error:
            return Answer(error.code, json.load(error))
