"""Deliveries of custom senders."""

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


def test_a_generic_sender_may_omit_fields() -> None:
    """Without a ref the delivery is bare; without a commit the change has none."""
    assert generic(b"{}").receive().bare
    assert changes(generic({"ref": "refs/tags/v1"})) == [RefChange(TAG, "v1", None)]
    refused(generic({"ref": "main"}))


def test_a_generic_delivery_by_standard_webhooks_has_their_id() -> None:
    """The id is the same if the delivery is sent again."""
    body = json.dumps(generic_push()).encode()

    assert Sent(headers=standard_headers(body), body=body, secret=TOKEN).receive().id == "msg_1"


def test_a_body_with_an_event_type_comes_from_azure() -> None:
    """Azure DevOps sends no headers that identify it."""
    assert generic({"eventType": "git.push"}).receive().provider is Provider.AZURE_DEVOPS
