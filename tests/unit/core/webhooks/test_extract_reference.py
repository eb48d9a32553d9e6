"""The 20 reference deliveries: accepted as expected, and refused after any byte is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.webhooks.sent import OWN, REFERENCE, Sent, reference

from nopea.core.webhooks.delivery import PushedRefKind, RefChange
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import DIAGNOSTICS_PING, is_unsigned_ping

FILES = reference()
EVERY = {**FILES, **{name: sent for name, (_, sent) in OWN.items()}}
PROOFS = (
    "x-hub-signature-256", "x-gitlab-token", "webhook-signature", "x-forgejo-signature", "x-gitea-signature",
    "x-hub-signature", "authorization", "x-signature",
)  # fmt: skip
UNPROTECTED = ("x-gitlab-token", "authorization")  # these send the secret itself; the body is not protected


def every() -> list[Any]:
    """Return all deliveries by name, except the unsigned ping."""
    return [
        pytest.param(sent, id=name)
        for name, sent in EVERY.items()
        if sent.headers.get("x-event-key") != DIAGNOSTICS_PING
    ]


def proof_of(sent: Sent) -> str:
    """Return the name of the header that is verified."""
    if "x-gitea-event" in sent.headers or "x-gitlab-event" in sent.headers:
        return next(name for name in PROOFS[1:] if name in sent.headers)
    return next(name for name in PROOFS if name in sent.headers)


@pytest.mark.skipif(not FILES, reason=f"the reference is not at {REFERENCE}")
def test_the_reference_has_20_deliveries() -> None:
    """All reference deliveries are tested below."""
    assert len(FILES) == 20


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in FILES.items()])
def test_a_delivery_has_the_expected_content(sent: Sent) -> None:
    """Kind, name, commit and deletion of every ref match the index; a ping has no changes."""
    if is_unsigned_ping(sent.headers):
        assert sent.expect.get("kind") == "ping"
        return  # the endpoint answers it before it looks for a secret
    delivery = sent.receive()

    if sent.expect.get("kind") == "ping":
        assert delivery.ignored == "ping"
        assert delivery.changes == ()
        return
    expected = sent.expect.get("changes", [sent.expect])
    assert [replace(change, paths=None) for change in delivery.changes] == [
        RefChange(
            PushedRefKind(raw["kind"]), raw["name"], raw.get("commit"), deleted=raw.get("deleted", False)
        )
        for raw in expected
    ]
    assert delivery.ignored == ""
    assert delivery.urls


@pytest.mark.parametrize("sent", [one for one in every() if proof_of(one.values[0]) not in UNPROTECTED])
def test_a_changed_byte_of_the_body_is_refused(sent: Sent) -> None:
    """Plain tokens and Basic are excluded, because they do not protect the body."""
    for position in range(len(sent.body)):
        body = bytearray(sent.body)
        body[position] ^= 1
        with pytest.raises(RefusedError):
            replace(sent, body=bytes(body)).receive()


@pytest.mark.parametrize("sent", every())
def test_a_changed_byte_of_the_secret_is_refused(sent: Sent) -> None:
    """A longer or shorter secret is refused as well."""
    for position, letter in enumerate(sent.secret):
        secret = sent.secret[:position] + chr(ord(letter) ^ 1) + sent.secret[position + 1 :]
        with pytest.raises(RefusedError):
            replace(sent, secret=secret).receive()
    for secret in (sent.secret[:-1], sent.secret + "A", sent.secret + "\n", ""):
        with pytest.raises(RefusedError):
            replace(sent, secret=secret).receive()


@pytest.mark.parametrize("sent", every())
def test_a_changed_byte_of_the_proof_is_refused(sent: Sent) -> None:
    """Any change of the signature or token is refused, even of the case of a letter."""
    name = proof_of(sent)
    proof = sent.headers[name]
    for position, letter in enumerate(proof):
        for other in {chr(ord(letter) ^ 1), letter.swapcase(), "", " ", "ü"} - {letter}:
            changed = sent.with_header(name, proof[:position] + other + proof[position + 1 :])
            if name == "authorization" and _same_password(changed, sent):
                continue
            with pytest.raises(RefusedError):
                changed.receive()


def _same_password(changed: Sent, sent: Sent) -> bool:
    """Return whether only the user or the case of the scheme changed, as only the password matters."""
    scheme, _, given = changed.headers["authorization"].partition(" ")
    _, _, right = sent.headers["authorization"].partition(" ")
    user = len("bm9wZWE6")  # `nopea:` is exactly these base64 characters
    return scheme.lower() == "basic" and given[user:] == right[user:]


@pytest.mark.parametrize("sent", every())
def test_a_missing_proof_is_refused(sent: Sent) -> None:
    """A missing or empty signature or token is refused."""
    name = proof_of(sent)
    for value in (None, ""):
        with pytest.raises(RefusedError):
            sent.with_header(name, value).receive()


def test_an_unsigned_ping_is_always_a_ping() -> None:
    """With any other body or header it remains a ping or is refused."""
    ping = Sent(headers={"x-event-key": DIAGNOSTICS_PING, "x-request-id": "d-1"}, body=b'{"test":true}')
    variants = [replace(ping, body=sent.body) for sent in EVERY.values()]
    variants += [
        replace(ping, headers={**ping.headers, name: value}, body=sent.body)
        for sent in EVERY.values()
        for name, value in {**sent.headers, "x-signature": "", "x-hub-signature": "sha256=0"}.items()
        if name not in PROOFS or value != sent.headers.get(name)
    ]
    for variant in variants:
        try:
            delivery = variant.receive()
        except RefusedError:
            continue
        assert (delivery.ignored, delivery.changes, delivery.urls) == ("ping", (), ())
        assert not delivery.bare
