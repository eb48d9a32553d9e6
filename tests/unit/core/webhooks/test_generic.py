"""Deliveries of senders of one's own."""

from __future__ import annotations

import json

from tests.unit.core.webhooks.sent import (
    TOKEN,
    Sent,
    changes,
    generic,
    generic_push,
    refused,
    standard_headers,
)

from nopea.core.api.spec import Provider
from nopea.core.webhooks.delivery import PushedRefKind, RefChange

TAG = PushedRefKind.TAG


def test_a_generic_sender_may_leave_out_what_it_does_not_know() -> None:
    """Without a ref it is a bare hint, without a commit the ref has none."""
    assert generic(b"{}").receive().bare
    assert changes(generic({"ref": "refs/tags/v1"})) == [RefChange(TAG, "v1", None)]
    refused(generic({"ref": "main"}))


def test_a_generic_delivery_by_standard_webhooks_has_their_id() -> None:
    """It is the same when it is sent again."""
    body = json.dumps(generic_push()).encode()

    assert Sent(headers=standard_headers(body), body=body, secret=TOKEN).receive().id == "msg_1"


def test_a_body_with_an_event_type_comes_from_azure() -> None:
    """Azure DevOps sends no headers that tell."""
    assert generic({"eventType": "git.push"}).receive().provider is Provider.AZURE_DEVOPS
