"""How the sender of a delivery is authenticated: published test vectors, and every scheme."""

from __future__ import annotations

import base64
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.core.webhooks.sent import (
    NOW,
    OWN,
    SECRET,
    TOKEN,
    Sent,
    azure,
    azure_push,
    basic,
    cloud,
    cloud_push,
    data_center,
    data_center_push,
    generic,
    generic_push,
    gitea,
    github,
    github_push,
    gitlab,
    gitlab_push,
    gitlab_signed,
    hex_of,
    standard_headers,
)

from nopea.core.api.spec import Provider
from nopea.core.problem import Code
from nopea.core.secret import Secret
from nopea.core.webhooks.refused import RefusedError
from nopea.core.webhooks.verify import authenticate, detect, is_unsigned_ping

NO_PROOF = (Code.WEBHOOK_UNSIGNED, Code.WEBHOOK_SIGNATURE)


def verified(sent: Sent, provider: Provider | None = None) -> Provider:
    """Authenticate the request and return its provider."""
    return authenticate(sent.headers, sent.body, Secret(sent.secret), provider=provider, now=sent.now)


def refusal(sent: Sent, provider: Provider | None = None) -> Code:
    """Return the code with which the request is refused."""
    with pytest.raises(RefusedError) as caught:
        verified(sent, provider)
    assert SECRET not in str(caught.value)
    return caught.value.problem.code


@pytest.mark.parametrize(
    ("header", "value", "extra", "body"),
    [
        (
            "x-hub-signature-256",
            "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
            {"x-github-event": "push"},
            b"Hello, World!",
        ),
        (
            "x-hub-signature",
            "sha256=a4771c39fbe90f317c7824e83ddef3caae9cb3d976c214ace1f2937e133263c9",
            {"x-event-key": "repo:push", "x-request-uuid": "d-1"},
            b"Hello World!",
        ),
    ],
)
def test_the_published_hmac_vectors_are_accepted(
    header: str, value: str, extra: dict[str, str], body: bytes
) -> None:
    """The examples of GitHub and Bitbucket Cloud are accepted."""
    sent = Sent(headers={header: value, **extra}, body=body, secret="It's a Secret to Everybody")

    assert verified(sent) is detect(sent.headers)
    assert refusal(replace(sent, body=body + b"!")) is Code.WEBHOOK_SIGNATURE


@pytest.mark.parametrize(
    ("secret", "delivery_id", "timestamp", "signature", "body"),
    [
        (
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1614265330,
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
            b'{"test": 2432232314}',
        ),
        (
            TOKEN,
            "f5e5f430-f57b-4e6e-9fac-d9128cd7232f",
            1700000000,
            "v1,JCCeO+s9M5JLQ2wOmuFZJBrvfV5NhVU7EyW/QfyH0jk=",
            b'{"object_kind":"push"}',
        ),
    ],
)
@pytest.mark.parametrize("event", [{}, {"x-gitlab-event": "Push Hook"}])
def test_the_standard_webhooks_vectors_are_accepted(
    secret: str, delivery_id: str, timestamp: int, signature: str, body: bytes, event: dict[str, str]
) -> None:
    """The vectors are accepted from GitLab and from custom senders."""
    headers = {"webhook-id": delivery_id, "webhook-signature": signature, **event}
    headers["webhook-timestamp"] = str(timestamp)
    sent = Sent(headers=headers, body=body, secret=secret, now=datetime.fromtimestamp(timestamp, UTC))

    assert verified(sent) is detect(headers)
    assert refusal(sent.with_header("webhook-id", "another")) is Code.WEBHOOK_SIGNATURE
    assert refusal(sent.with_header("webhook-timestamp", str(timestamp + 1))) is Code.WEBHOOK_SIGNATURE


@pytest.mark.parametrize(("provider", "sent"), list(OWN.values()), ids=list(OWN))
def test_every_provider_is_detected_by_its_headers(provider: Provider, sent: Sent) -> None:
    """Azure DevOps has no such headers; `extract` detects it by its body."""
    assert verified(sent) is detect(sent.headers)
    assert sent.receive().provider is provider


@pytest.mark.parametrize(("provider", "sent"), list(OWN.values()), ids=list(OWN))
def test_a_fixed_provider_accepts_only_its_own_headers(provider: Provider, sent: Sent) -> None:
    """Headers of other providers are ignored, even with a correct signature."""
    assert verified(sent, provider) is provider
    # Gitea also sends GitHub's signature, and both Bitbuckets sign in the same way
    alike = {
        Provider.GITEA: {Provider.GITHUB},
        Provider.BITBUCKET_CLOUD: {Provider.BITBUCKET_DATA_CENTER},
        Provider.BITBUCKET_DATA_CENTER: {Provider.BITBUCKET_CLOUD},
        Provider.AZURE_DEVOPS: {Provider.BITBUCKET_DATA_CENTER},
    }.get(provider, set())
    if sent.secret == TOKEN:
        alike = {Provider.GENERIC}  # both accept Standard Webhooks
    for other in set(Provider) - {provider} - alike:
        assert refusal(sent, other) in NO_PROOF, other


@pytest.mark.parametrize("provider", [None, *Provider])
def test_without_a_secret_everything_is_refused(provider: Provider | None) -> None:
    """With an empty secret anybody could sign; even the unsigned ping is refused."""
    for sent in (github(b"{}"), Sent(headers={"x-event-key": "diagnostics:ping"}, body=b"{}")):
        assert refusal(replace(sent, secret=""), provider) is Code.WEBHOOK_NO_SECRET


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"x" * 100_000])
def test_the_body_is_not_parsed_before_it_is_verified(body: bytes) -> None:
    """A body that cannot be parsed is verified, and a forged one is never parsed."""
    assert verified(github(body)) is Provider.GITHUB
    assert refusal(replace(github(b"{}"), body=body)) is Code.WEBHOOK_SIGNATURE


def test_sha1_is_refused() -> None:
    """Neither GitHub's old header nor SHA-1 in another header is accepted."""
    body = b"{}"
    sha1 = f"sha1={hex_of(body, algorithm='sha1')}"

    old = github(body).with_header("x-hub-signature-256", None).with_header("x-hub-signature", sha1)
    assert refusal(old) is Code.WEBHOOK_UNSIGNED
    assert refusal(cloud(body).with_header("x-hub-signature", sha1)) is Code.WEBHOOK_SIGNATURE
    assert refusal(generic(body).with_header("x-signature", sha1)) is Code.WEBHOOK_SIGNATURE


def test_gitea_without_a_secret_is_refused() -> None:
    """Without a secret, Gitea sends headers with empty digests."""
    sent = gitea(github_push())
    for name in ("x-gitea-signature", "x-hub-signature-256"):
        sent = sent.with_header(name, "")

    assert refusal(sent) is Code.WEBHOOK_UNSIGNED
    assert (
        refusal(sent.with_header("x-hub-signature-256", "sha256="), Provider.GITHUB) is Code.WEBHOOK_SIGNATURE
    )


@pytest.mark.parametrize("piece", [b"%", b"%41", b"%\n", b"=", b"+"])
def test_no_form_takes_long(piece: bytes) -> None:
    """Forms are decoded before the sender is verified, so decoding 2 MiB of escapes must be fast."""
    sent = gitea(b"{}").with_header("content-type", "application/x-www-form-urlencoded")
    body = b"payload=" + piece * (2 * 1024**2 // len(piece))
    began = time.process_time()

    assert refusal(replace(sent, body=body)) is Code.WEBHOOK_SIGNATURE
    assert time.process_time() - began < 0.15


@given(
    st.binary(max_size=60) | st.text("=\r\n\t %+_aA0.", max_size=60).map(str.encode),
    st.sampled_from(["", "=\r\n\t_."]),
)
def test_a_form_may_contain_any_payload(payload: bytes, kept: str) -> None:
    """Any payload can be sent in a form, whichever characters the sender escapes."""
    sent = gitea(payload).with_header("content-type", "application/x-www-form-urlencoded")

    form = b"payload=" + quote_plus(payload, safe=kept).encode()
    assert verified(replace(sent, body=form)) is Provider.GITEA


def test_gitea_signs_the_payload_of_a_form() -> None:
    """GitHub signs the whole form; each is refused if it is signed in the other way."""
    payload = b'{"a": "\xc3\xbc +&="}'
    form = urlencode({"payload": payload}).encode()
    kind = "application/x-www-form-urlencoded; charset=utf-8"

    as_gitea = replace(gitea(payload).with_header("content-type", kind), body=form)
    as_github = github(form).with_header("content-type", kind)
    assert verified(as_gitea) is Provider.GITEA
    assert verified(as_github) is Provider.GITHUB
    assert refusal(gitea(form).with_header("content-type", kind)) is Code.WEBHOOK_SIGNATURE
    assert refusal(replace(github(payload), body=form)) is Code.WEBHOOK_SIGNATURE
    assert refusal(replace(as_gitea, body=form + b"&payload=%7B%7D")) is Code.WEBHOOK_SIGNATURE
    assert refusal(replace(as_gitea, body=form + b"&x=" * 100)) is Code.WEBHOOK_SIGNATURE


def test_one_valid_signature_of_several_is_enough() -> None:
    """During a key rotation there are several; only signatures of version 1 count."""
    sent = gitlab_signed(gitlab_push())
    right = sent.headers["webhook-signature"]

    assert verified(sent.with_header("webhook-signature", f"v1,AAAA v2,x {right}")) is Provider.GITLAB
    bare = right.removeprefix("v1,")
    for wrong in (f"v2,{bare}", bare, f"v1a,{bare}", f"v1, {bare}", "v1,", " "):
        assert refusal(sent.with_header("webhook-signature", wrong)) is Code.WEBHOOK_SIGNATURE


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_of_difference_are_accepted(seconds: int) -> None:
    """Clocks differ in either direction, and deliveries take time."""
    sent = gitlab_signed(gitlab_push(), at=NOW + timedelta(seconds=seconds))

    assert verified(sent) is Provider.GITLAB


@pytest.mark.parametrize("seconds", [-301, 301, 10**9, -(10**9)])
def test_a_larger_difference_is_stale(seconds: int) -> None:
    """A recorded delivery cannot be replayed later."""
    assert refusal(gitlab_signed(gitlab_push(), at=NOW + timedelta(seconds=seconds))) is Code.WEBHOOK_STALE


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "٣", "1" * 13, "1777886130.0", " 1777886130"])
def test_a_timestamp_consists_of_digits(timestamp: str) -> None:
    """Any other timestamp is refused."""
    sent = gitlab_signed(gitlab_push()).with_header("webhook-timestamp", timestamp)

    assert refusal(sent) in NO_PROOF


def test_with_a_signing_token_only_the_signature_counts() -> None:
    """A plain token in the same request is ignored, whether right or wrong."""
    signed = gitlab_signed(gitlab_push())
    plain = gitlab(gitlab_push())

    assert verified(signed.with_header("x-gitlab-token", "another")) is Provider.GITLAB
    assert refusal(replace(plain, secret=TOKEN)) is Code.WEBHOOK_UNSIGNED
    assert refusal(replace(plain, secret=TOKEN).with_header("x-gitlab-token", TOKEN)) is Code.WEBHOOK_UNSIGNED
    forged = signed.with_header("webhook-signature", "v1,AAAA").with_header("x-gitlab-token", TOKEN)
    assert refusal(forged) is Code.WEBHOOK_SIGNATURE


def test_with_a_plain_token_only_the_token_counts() -> None:
    """A signature in the same request cannot be verified and does not replace the token."""
    plain = gitlab(gitlab_push())
    both = replace(plain, headers={**plain.headers, **standard_headers(plain.body)})

    assert verified(both) is Provider.GITLAB
    assert refusal(both.with_header("x-gitlab-token", "another")) is Code.WEBHOOK_SIGNATURE
    assert refusal(both.with_header("x-gitlab-token", None)) is Code.WEBHOOK_UNSIGNED


@pytest.mark.parametrize("token", ["whsec_", "whsec_?", "whsec_A", "whsec_AB==", "whsec_" + "A" * 5])
def test_an_invalid_signing_token_is_reported(token: str) -> None:
    """The operator learns that the configured secret is invalid, not the signature."""
    assert refusal(replace(gitlab_signed(gitlab_push()), secret=token)) is Code.WEBHOOK_NO_SECRET


def test_standard_webhooks_need_a_signing_token() -> None:
    """A plain secret is not used as the signing key."""
    sent = Sent(headers=standard_headers(b"{}", key=SECRET.encode()), body=b"{}")

    assert refusal(sent) is Code.WEBHOOK_NO_SECRET


def test_basic_accepts_any_user_and_only_the_secret() -> None:
    """The password is the secret and may contain colons; other schemes are refused."""
    sent = azure(azure_push())
    assert verified(sent.with_header("authorization", basic(user=""))) is Provider.GENERIC
    assert verified(sent.with_header("authorization", basic().replace("Basic", "basic"))) is Provider.GENERIC
    colon = replace(sent, secret="a:b").with_header("authorization", basic("a:b"))
    assert verified(colon, Provider.AZURE_DEVOPS) is Provider.AZURE_DEVOPS
    without_user = "Basic " + base64.b64encode(SECRET.encode()).decode()
    for wrong in (basic(""), basic(SECRET + "x"), without_user, "Basic", "Basic ", "Basic ????", "Basic YQ"):
        assert refusal(sent.with_header("authorization", wrong)) in NO_PROOF
    assert refusal(sent.with_header("authorization", f"Bearer {SECRET}")) is Code.WEBHOOK_UNSIGNED


def test_data_center_may_use_basic_but_a_signature_decides() -> None:
    """If there is a signature, even an empty one, the password is ignored."""
    signed = data_center(data_center_push())
    with_basic = signed.with_header("x-hub-signature", None).with_header("authorization", basic())

    assert verified(with_basic) is Provider.BITBUCKET_DATA_CENTER
    assert refusal(with_basic.with_header("x-hub-signature", "")) is Code.WEBHOOK_UNSIGNED
    assert refusal(with_basic.with_header("x-hub-signature", "sha256=0")) is Code.WEBHOOK_SIGNATURE


def test_only_data_centers_ping_may_be_unsigned() -> None:
    """It proves nothing, so it is answered apart. One with a wrong signature or password is refused."""
    ping = Sent(headers={"x-event-key": "diagnostics:ping"}, body=b'{"test":true}')

    assert is_unsigned_ping(ping.headers)
    for name in ("x-hub-signature", "authorization"):
        assert not is_unsigned_ping(ping.with_header(name, "").headers)
    assert not is_unsigned_ping(ping.with_header("x-event-key", "Diagnostics:Ping").headers)
    assert refusal(ping) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping.with_header("x-hub-signature", "sha256=0")) is Code.WEBHOOK_SIGNATURE
    assert refusal(ping.with_header("x-hub-signature", "")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping.with_header("authorization", basic("guess"))) is Code.WEBHOOK_SIGNATURE
    assert refusal(ping.with_header("x-hook-uuid", "{1}")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping.with_header("x-event-key", "Diagnostics:Ping")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping, Provider.GENERIC) is Code.WEBHOOK_UNSIGNED


def test_a_proxys_request_id_does_not_change_the_provider() -> None:
    """Ingress controllers add x-request-id to every request."""
    assert detect(cloud(cloud_push()).headers) is Provider.BITBUCKET_CLOUD


def test_a_fixed_generic_sender_must_sign() -> None:
    """Basic is only for Azure DevOps, which cannot sign."""
    assert refusal(azure(generic_push()), Provider.GENERIC) is Code.WEBHOOK_UNSIGNED


@pytest.mark.parametrize(
    "value", ["ü", "\udcff\udc80", "\ud800", "x" * 100_000, "sha256=\x00", "v1,\udcff", "\n"]
)
def test_invalid_headers_are_refused(value: str) -> None:
    """Headers that are not UTF-8 or very long raise no other exception."""
    names = {"x-hub-signature-256", "x-hub-signature", "x-gitlab-token", "webhook-signature", "authorization",
             "webhook-id", "webhook-timestamp", "x-gitea-signature", "x-signature"}  # fmt: skip
    for _, sent in OWN.values():
        for name in names & set(sent.headers) - {"x-hub-signature"}:
            if name == "x-hub-signature-256" and "x-gitea-event" in sent.headers:
                continue
            if name == "x-gitea-signature" and "x-forgejo-event" in sent.headers:
                continue
            assert refusal(sent.with_header(name, value)) in NO_PROOF


def test_a_secret_may_contain_any_bytes() -> None:
    """The bytes of the header are compared, whatever text the server decoded them to."""
    raw = b"gr\xfc\xc3\xbc"
    headers = {"x-gitlab-event": "Push Hook", "x-gitlab-token": raw.decode("utf-8", "surrogateescape")}

    assert authenticate(headers, b"{}", Secret(raw), provider=None, now=NOW) is Provider.GITLAB
