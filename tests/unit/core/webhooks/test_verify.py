"""Who sent it, and whether they know the secret: published vectors, every scheme, and what proves nothing."""

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
from nopea.core.webhooks.verify import authenticate, detect

NO_PROOF = (Code.WEBHOOK_UNSIGNED, Code.WEBHOOK_SIGNATURE)


def verified(sent: Sent, provider: Provider | None = None) -> Provider:
    """Authenticate only."""
    return authenticate(sent.headers, sent.body, Secret(sent.secret), provider=provider, now=sent.now)


def refusal(sent: Sent, provider: Provider | None = None) -> Code:
    """The code that it is refused with."""
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
def test_the_published_hmac_vectors_hold(header: str, value: str, extra: dict[str, str], body: bytes) -> None:
    """GitHub's own example, and the one for Bitbucket Cloud."""
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
def test_the_standard_webhooks_vectors_hold(
    secret: str, delivery_id: str, timestamp: int, signature: str, body: bytes, event: dict[str, str]
) -> None:
    """From GitLab and from senders of one's own alike."""
    headers = {"webhook-id": delivery_id, "webhook-signature": signature, **event}
    headers["webhook-timestamp"] = str(timestamp)
    sent = Sent(headers=headers, body=body, secret=secret, now=datetime.fromtimestamp(timestamp, UTC))

    assert verified(sent) is detect(headers)
    assert refusal(sent.with_header("webhook-id", "another")) is Code.WEBHOOK_SIGNATURE
    assert refusal(sent.with_header("webhook-timestamp", str(timestamp + 1))) is Code.WEBHOOK_SIGNATURE


@pytest.mark.parametrize(("provider", "sent"), list(OWN.values()), ids=list(OWN))
def test_every_provider_is_told_by_its_headers(provider: Provider, sent: Sent) -> None:
    """Azure DevOps, which has none, by its body: `extract` says so."""
    assert verified(sent) is detect(sent.headers)
    assert sent.receive().provider is provider


@pytest.mark.parametrize(("provider", "sent"), list(OWN.values()), ids=list(OWN))
def test_a_fixed_provider_takes_its_own_and_no_other(provider: Provider, sent: Sent) -> None:
    """Another provider's headers count for nothing, even with a correct signature in them."""
    assert verified(sent, provider) is provider
    # Gitea also signs as GitHub, and Bitbucket's two sign alike
    alike = {
        Provider.GITEA: {Provider.GITHUB},
        Provider.BITBUCKET_CLOUD: {Provider.BITBUCKET_DATA_CENTER},
        Provider.BITBUCKET_DATA_CENTER: {Provider.BITBUCKET_CLOUD},
        Provider.AZURE_DEVOPS: {Provider.BITBUCKET_DATA_CENTER},
    }.get(provider, set())
    if sent.secret == TOKEN:
        alike = {Provider.GENERIC}  # both take Standard Webhooks
    for other in set(Provider) - {provider} - alike:
        assert refusal(sent, other) in NO_PROOF, other


@pytest.mark.parametrize("provider", [None, *Provider])
def test_without_a_secret_everything_is_refused(provider: Provider | None) -> None:
    """An empty secret would make every signature easy; the unsigned ping is refused as well."""
    for sent in (github(b"{}"), Sent(headers={"x-event-key": "diagnostics:ping"}, body=b"{}")):
        assert refusal(replace(sent, secret=""), provider) is Code.WEBHOOK_NO_SECRET


@pytest.mark.parametrize("body", [b"", b"{", b"\xff\xfe", b"x" * 100_000])
def test_the_body_is_not_read_before_it_is_verified(body: bytes) -> None:
    """What no parser takes is verified all the same, and what is forged never reaches one."""
    assert verified(github(body)) is Provider.GITHUB
    assert refusal(replace(github(b"{}"), body=body)) is Code.WEBHOOK_SIGNATURE


def test_sha1_proves_nothing() -> None:
    """Neither GitHub's old header nor the algorithm in one of the others."""
    body = b"{}"
    sha1 = f"sha1={hex_of(body, algorithm='sha1')}"

    old = github(body).with_header("x-hub-signature-256", None).with_header("x-hub-signature", sha1)
    assert refusal(old) is Code.WEBHOOK_UNSIGNED
    assert refusal(cloud(body).with_header("x-hub-signature", sha1)) is Code.WEBHOOK_SIGNATURE
    assert refusal(generic(body).with_header("x-signature", sha1)) is Code.WEBHOOK_SIGNATURE


def test_gitea_without_a_secret_is_refused() -> None:
    """It then sends its headers with empty digests, and those of GitHub with a bare prefix."""
    sent = gitea(github_push())
    for name in ("x-gitea-signature", "x-hub-signature-256"):
        sent = sent.with_header(name, "")

    assert refusal(sent) is Code.WEBHOOK_UNSIGNED
    assert (
        refusal(sent.with_header("x-hub-signature-256", "sha256="), Provider.GITHUB) is Code.WEBHOOK_SIGNATURE
    )


@pytest.mark.parametrize("piece", [b"%", b"%41", b"%\n", b"=", b"+"])
def test_no_form_takes_long(piece: bytes) -> None:
    """It is undone before its sender is proved: 2 MiB of escapes hold up nobody."""
    sent = gitea(b"{}").with_header("content-type", "application/x-www-form-urlencoded")
    body = b"payload=" + piece * (2 * 1024**2 // len(piece))
    began = time.process_time()

    assert refusal(replace(sent, body=body)) is Code.WEBHOOK_SIGNATURE
    assert time.process_time() - began < 0.15


@given(
    st.binary(max_size=60) | st.text("=\r\n\t %+_aA0.", max_size=60).map(str.encode),
    st.sampled_from(["", "=\r\n\t_."]),
)
def test_a_form_holds_any_payload(payload: bytes, kept: str) -> None:
    """Whatever has to be escaped in it, and whatever a sender leaves as it is."""
    sent = gitea(payload).with_header("content-type", "application/x-www-form-urlencoded")

    form = b"payload=" + quote_plus(payload, safe=kept).encode()
    assert verified(replace(sent, body=form)) is Provider.GITEA


def test_gitea_signs_what_is_in_the_form() -> None:
    """And GitHub signs the form: each is refused when it does as the other."""
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


def test_several_signatures_may_stand_beside_each_other() -> None:
    """While a key is being replaced; one that fits is enough, in version 1 only."""
    sent = gitlab_signed(gitlab_push())
    right = sent.headers["webhook-signature"]

    assert verified(sent.with_header("webhook-signature", f"v1,AAAA v2,x {right}")) is Provider.GITLAB
    bare = right.removeprefix("v1,")
    for wrong in (f"v2,{bare}", bare, f"v1a,{bare}", f"v1, {bare}", "v1,", " "):
        assert refusal(sent.with_header("webhook-signature", wrong)) is Code.WEBHOOK_SIGNATURE


@pytest.mark.parametrize("seconds", [-300, 0, 300])
def test_five_minutes_of_difference_are_taken(seconds: int) -> None:
    """Either way: clocks are not equal, and deliveries take time."""
    sent = gitlab_signed(gitlab_push(), at=NOW + timedelta(seconds=seconds))

    assert verified(sent) is Provider.GITLAB


@pytest.mark.parametrize("seconds", [-301, 301, 10**9, -(10**9)])
def test_more_is_stale(seconds: int) -> None:
    """An old delivery that somebody recorded is not taken again."""
    assert refusal(gitlab_signed(gitlab_push(), at=NOW + timedelta(seconds=seconds))) is Code.WEBHOOK_STALE


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "٣", "1" * 13, "1777886130.0", " 1777886130"])
def test_a_timestamp_is_digits(timestamp: str) -> None:
    """Signed or not."""
    sent = gitlab_signed(gitlab_push()).with_header("webhook-timestamp", timestamp)

    assert refusal(sent) in NO_PROOF


def test_with_a_signing_token_only_the_signature_counts() -> None:
    """GitLab may send a plain token beside it, of another secret: it neither proves nor spoils anything."""
    signed = gitlab_signed(gitlab_push())
    plain = gitlab(gitlab_push())

    assert verified(signed.with_header("x-gitlab-token", "another")) is Provider.GITLAB
    assert refusal(replace(plain, secret=TOKEN)) is Code.WEBHOOK_UNSIGNED
    assert refusal(replace(plain, secret=TOKEN).with_header("x-gitlab-token", TOKEN)) is Code.WEBHOOK_UNSIGNED
    forged = signed.with_header("webhook-signature", "v1,AAAA").with_header("x-gitlab-token", TOKEN)
    assert refusal(forged) is Code.WEBHOOK_SIGNATURE


def test_with_a_plain_token_only_the_token_counts() -> None:
    """A signature by a token that is not here cannot be checked, and does not replace the plain one."""
    plain = gitlab(gitlab_push())
    both = replace(plain, headers={**plain.headers, **standard_headers(plain.body)})

    assert verified(both) is Provider.GITLAB
    assert refusal(both.with_header("x-gitlab-token", "another")) is Code.WEBHOOK_SIGNATURE
    assert refusal(both.with_header("x-gitlab-token", None)) is Code.WEBHOOK_UNSIGNED


@pytest.mark.parametrize("token", ["whsec_", "whsec_?", "whsec_A", "whsec_AB==", "whsec_" + "A" * 5])
def test_a_signing_token_that_is_none_is_the_receivers_fault(token: str) -> None:
    """The operator is told, instead of looking for a wrong signature."""
    assert refusal(replace(gitlab_signed(gitlab_push()), secret=token)) is Code.WEBHOOK_NO_SECRET


def test_standard_webhooks_need_a_signing_token() -> None:
    """Keys are never guessed from a plain secret."""
    sent = Sent(headers=standard_headers(b"{}", key=SECRET.encode()), body=b"{}")

    assert refusal(sent) is Code.WEBHOOK_NO_SECRET


def test_basic_takes_any_user_and_one_password() -> None:
    """The password is the secret; it may hold colons, and no other scheme is Basic."""
    sent = azure(azure_push())
    assert verified(sent.with_header("authorization", basic(user=""))) is Provider.GENERIC
    assert verified(sent.with_header("authorization", basic().replace("Basic", "basic"))) is Provider.GENERIC
    colon = replace(sent, secret="a:b").with_header("authorization", basic("a:b"))
    assert verified(colon, Provider.AZURE_DEVOPS) is Provider.AZURE_DEVOPS
    without_user = "Basic " + base64.b64encode(SECRET.encode()).decode()
    for wrong in (basic(""), basic(SECRET + "x"), without_user, "Basic", "Basic ", "Basic ????", "Basic YQ"):
        assert refusal(sent.with_header("authorization", wrong)) in NO_PROOF
    assert refusal(sent.with_header("authorization", f"Bearer {SECRET}")) is Code.WEBHOOK_UNSIGNED


def test_data_center_may_use_basic_and_a_wrong_signature_is_no_second_chance() -> None:
    """A signature that is there decides, empty or wrong, whatever the password."""
    signed = data_center(data_center_push())
    with_basic = signed.with_header("x-hub-signature", None).with_header("authorization", basic())

    assert verified(with_basic) is Provider.BITBUCKET_DATA_CENTER
    assert refusal(with_basic.with_header("x-hub-signature", "")) is Code.WEBHOOK_UNSIGNED
    assert refusal(with_basic.with_header("x-hub-signature", "sha256=0")) is Code.WEBHOOK_SIGNATURE


def test_only_data_centers_ping_may_be_unsigned() -> None:
    """Not with a wrong signature or password, not Cloud's, not spelled otherwise."""
    ping = Sent(headers={"x-event-key": "diagnostics:ping"}, body=b'{"test":true}')

    assert verified(ping) is Provider.BITBUCKET_DATA_CENTER
    assert refusal(ping.with_header("x-hub-signature", "sha256=0")) is Code.WEBHOOK_SIGNATURE
    assert refusal(ping.with_header("x-hub-signature", "")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping.with_header("authorization", basic("guess"))) is Code.WEBHOOK_SIGNATURE
    assert refusal(ping.with_header("x-hook-uuid", "{1}")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping.with_header("x-event-key", "Diagnostics:Ping")) is Code.WEBHOOK_UNSIGNED
    assert refusal(ping, Provider.GENERIC) is Code.WEBHOOK_UNSIGNED


def test_a_proxys_request_id_does_not_make_cloud_a_data_center() -> None:
    """Ingress controllers add x-request-id to everything."""
    assert detect(cloud(cloud_push()).headers) is Provider.BITBUCKET_CLOUD


def test_a_fixed_generic_sender_signs() -> None:
    """Basic is for Azure DevOps, which cannot."""
    assert refusal(azure(generic_push()), Provider.GENERIC) is Code.WEBHOOK_UNSIGNED


@pytest.mark.parametrize(
    "value", ["ü", "\udcff\udc80", "\ud800", "x" * 100_000, "sha256=\x00", "v1,\udcff", "\n"]
)
def test_odd_headers_are_refused(value: str) -> None:
    """Neither bytes that are no UTF-8 nor a huge value ends in another exception."""
    names = {"x-hub-signature-256", "x-hub-signature", "x-gitlab-token", "webhook-signature", "authorization",
             "webhook-id", "webhook-timestamp", "x-gitea-signature", "x-signature"}  # fmt: skip
    for _, sent in OWN.values():
        for name in names & set(sent.headers) - {"x-hub-signature"}:
            if name == "x-hub-signature-256" and "x-gitea-event" in sent.headers:
                continue
            if name == "x-gitea-signature" and "x-forgejo-event" in sent.headers:
                continue
            assert refusal(sent.with_header(name, value)) in NO_PROOF


def test_a_secret_may_be_no_ascii() -> None:
    """A header's bytes are compared, whatever text the server made of them."""
    raw = b"gr\xfc\xc3\xbc"
    headers = {"x-gitlab-event": "Push Hook", "x-gitlab-token": raw.decode("utf-8", "surrogateescape")}

    assert authenticate(headers, b"{}", Secret(raw), provider=None, now=NOW) is Provider.GITLAB
