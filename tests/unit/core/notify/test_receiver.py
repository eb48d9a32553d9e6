"""Secrets of receivers; `tests/unit/notify/test_tenants.py` has those that cannot be used."""

from __future__ import annotations

from base64 import b64encode

import pytest

from nopea.core.api.notify import ReceiverType
from nopea.core.api.tenancy import LEAST
from nopea.core.notify.receiver import Endpoint, alerts_address, parse_receiver
from nopea.core.problem import Problem


def parsed(type_: ReceiverType, **data: str) -> Endpoint | Problem:
    """Return the receiver of a Secret with these values."""
    encoded = {key: b64encode(value.encode()).decode() for key, value in data.items()}
    return parse_receiver({"data": encoded}, type_=type_, where="Secret shop/chat", policy=LEAST)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("http://am.acme.example:9093", "/api/v2/alerts"),
        ("https://am.acme.example/team/", "/team/api/v2/alerts"),
        ("https://am.acme.example/api/v2/alerts", "/api/v2/alerts"),
        ("https://am.acme.example?tenant=a", "/api/v2/alerts?tenant=a"),
    ],
)
def test_the_address_of_an_alertmanager(url: str, path: str) -> None:
    """The base URL is enough."""
    assert alerts_address(url).url.reveal().decode().endswith(path)


def test_plain_http_is_for_what_is_no_secret() -> None:
    """A webhook inside of the cluster may use it without a token; a chat, whose URL is secret, may not."""
    inside = "http://receiver.shop.svc/hook"
    assert isinstance(parsed(ReceiverType.WEBHOOK, url=inside), Endpoint)
    for problem in (
        parsed(ReceiverType.WEBHOOK, url=inside, token="t"),
        parsed(ReceiverType.WEBHOOK, url="http://user:pass@receiver.shop.svc/"),
        parsed(ReceiverType.SLACK, url=inside),
    ):
        assert isinstance(problem, Problem)
        assert "plain http" in problem.message


def test_values_are_stripped() -> None:
    """A newline at the end is the most common mistake."""
    found = parsed(ReceiverType.SLACK, url="https://hooks.acme.example/x\n", token="t\n")
    assert isinstance(found, Endpoint)
    assert found.address.url.reveal() == b"https://hooks.acme.example/x"
    assert found.address.authorization is not None
    assert found.address.authorization.reveal() == b"Bearer t"
