"""The reference's 20 deliveries: each is taken as its index says, and refused after any byte is changed."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from tests.unit.core.webhooks.sent import OWN, REFERENCE, Sent, reference

from nopea.core.webhooks.delivery import PushedRefKind, RefChange
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import DIAGNOSTICS_PING

FILES = reference()
EVERY = {**FILES, **{name: sent for name, (_, sent) in OWN.items()}}
PROOFS = (
    "x-hub-signature-256", "x-gitlab-token", "webhook-signature", "x-forgejo-signature", "x-gitea-signature",
    "x-hub-signature", "authorization", "x-signature",
)  # fmt: skip
UNPROTECTED = ("x-gitlab-token", "authorization")  # the secret itself is sent: nothing vouches for the body


def every() -> list[Any]:
    """Each delivery by name, without the one ping that comes unsigned."""
    return [
        pytest.param(sent, id=name)
        for name, sent in EVERY.items()
        if sent.headers.get("x-event-key") != DIAGNOSTICS_PING
    ]


def proof_of(sent: Sent) -> str:
    """The header that is verified."""
    if "x-gitea-event" in sent.headers or "x-gitlab-event" in sent.headers:
        return next(name for name in PROOFS[1:] if name in sent.headers)
    return next(name for name in PROOFS if name in sent.headers)


@pytest.mark.skipif(not FILES, reason=f"the reference is not at {REFERENCE}")
def test_the_reference_has_all_20() -> None:
    """None is left out below."""
    assert len(FILES) == 20


@pytest.mark.parametrize("sent", [pytest.param(sent, id=name) for name, sent in FILES.items()])
def test_a_delivery_says_what_the_index_expects(sent: Sent) -> None:
    """Kind, name, commit and deletion of every ref, or a ping and nothing else."""
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
def test_one_other_byte_of_the_body_is_refused(sent: Sent) -> None:
    """Wherever it is, but for a plain token and Basic: they send the secret, and nothing covers the body."""
    for position in range(len(sent.body)):
        body = bytearray(sent.body)
        body[position] ^= 1
        with pytest.raises(RefusedError):
            replace(sent, body=bytes(body)).receive()


@pytest.mark.parametrize("sent", every())
def test_one_other_byte_of_the_secret_is_refused(sent: Sent) -> None:
    """Wherever it is, and one more or less."""
    for position, letter in enumerate(sent.secret):
        secret = sent.secret[:position] + chr(ord(letter) ^ 1) + sent.secret[position + 1 :]
        with pytest.raises(RefusedError):
            replace(sent, secret=secret).receive()
    for secret in (sent.secret[:-1], sent.secret + "A", sent.secret + "\n", ""):
        with pytest.raises(RefusedError):
            replace(sent, secret=secret).receive()


@pytest.mark.parametrize("sent", every())
def test_one_other_byte_of_the_proof_is_refused(sent: Sent) -> None:
    """Wherever it is in the signature or token, capitals for small letters too."""
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
    """Any user may be given, and the scheme's name may be in capitals: the password is the secret."""
    scheme, _, given = changed.headers["authorization"].partition(" ")
    _, _, right = sent.headers["authorization"].partition(" ")
    user = len("bm9wZWE6")  # `nopea:` fills it exactly
    return scheme.lower() == "basic" and given[user:] == right[user:]


@pytest.mark.parametrize("sent", every())
def test_no_proof_is_refused(sent: Sent) -> None:
    """Absent or empty, whatever else the request holds."""
    name = proof_of(sent)
    for value in (None, ""):
        with pytest.raises(RefusedError):
            sent.with_header(name, value).receive()


def test_an_unsigned_ping_never_becomes_anything_else() -> None:
    """Whatever body and headers go with it, it stays a ping or is refused."""
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
