"""What looks like a secret although it is not in a Secret."""

from __future__ import annotations

import base64
import time
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nopea.core.apply.fieldset import Path
from nopea.core.drift.guess import looks_secret, shown_path, without_secrets
from nopea.core.drift.mask import show_field
from nopea.core.objects import ObjectKey

CANARY = "canary-Swordfish"
WEB = ObjectKey("apps", "Deployment", "shop", "web")
CONFIG = ObjectKey("", "ConfigMap", "shop", "settings")
CONTAINER: Path = ("f:spec", "f:template", "f:spec", "f:containers", 'k:{"name":"web"}')


@pytest.mark.parametrize(
    "name",
    [
        "password", "DB_PASSWORD", "dbPassword", "PGPASSWORD", "passwd", "pwd", "SECRET_TOKEN",
        "clientSecret",
        "client-secret", "API_KEY", "apiKey", "api-key", "AWS_SECRET_ACCESS_KEY", "accessKeyId", "privateKey",
        "tls.key", "credentials.json", "SENTRY_DSN", "authToken", "basic-auth", "GITHUB_PAT", "ca.pem",
        "connectionString", "encryption_key", "passphrase", "authorization", "Authorization", "apikey",
        "APIKEY", "accesskey", "privatekey",
    ],
)  # fmt: skip
def test_names_that_sound_like_a_secret(name: str) -> None:
    """In any spelling: of fields, of keys and of environment variables."""
    assert looks_secret(name)
    assert without_secrets({name: CANARY}, ()) == {name: "***"}


@pytest.mark.parametrize(
    "name",
    [
        "key", "topologyKey", "secretName", "secretKeyRef", "imagePullSecrets", "replicas", "image", "colour",
        "automountServiceAccountToken", "keyboard", "monkey", "compass", "author", "path", "pattern",
    ],
)  # fmt: skip
def test_names_that_do_not(name: str) -> None:
    """Fields of Kubernetes' own kinds that name a Secret or a key show which one."""
    assert without_secrets({name: "web"}, ()) == {name: "web"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ((*CONTAINER, "f:env", 'k:{"name":"COLOUR"}', "f:value"), CANARY),
        ((*CONTAINER, "f:env", 'k:{"name":"COLOUR"}'), {"name": "COLOUR", "value": CANARY}),
        ((*CONTAINER, "f:env"), [{"name": "COLOUR", "value": CANARY}]),
        (CONTAINER, {"name": "web", "env": [{"name": "A", "value": CANARY}]}),
        ((*CONTAINER, "f:livenessProbe"), {"httpGet": {"httpHeaders": [{"name": "X-Any", "value": CANARY}]}}),
        (("f:data", "f:db-password"), CANARY),
        (("f:data", "f:password", "f:inner"), CANARY),
        (("f:spec", "f:credentials"), {"user": CANARY, "list": [CANARY], "pin": 4711}),
        (("f:data", "f:url"), f"postgres://shop:{CANARY}@db.acme.example/shop"),
        (("f:data", "f:app.properties"), f"colour=blue\ndb.password={CANARY}\n"),
        (("f:data", "f:app.yaml"), f'db:\n  password: "{CANARY}"\n'),
        (("f:data", "f:app.json"), f'{{"apiKey": "{CANARY}"}}'),
        (("f:data", "f:header"), f"Authorization: Bearer {CANARY}"),
        (("f:spec", "f:args"), ["--colour=blue", f"--db-password={CANARY}"]),
        (("f:data", "f:file"), f"-----BEGIN RSA PRIVATE KEY-----\n{CANARY}\n-----END RSA PRIVATE KEY-----"),
        (("f:spec", "f:args"), ["--password", CANARY]),
        (("f:spec", "f:args"), ["-token", CANARY, "--colour", "blue"]),
        (("f:spec", "f:command"), ["sh", "-c", f"mysql --password {CANARY} shop"]),
        (("f:data", "f:config.json"), f'{{"auths": {{"r.acme.example": {{"auth": "{CANARY}"}}}}}}'),
        (("f:data", "f:config.json"), f'{{"password": {{"a": "b", "c": "{CANARY}"}}}}'),
        (("f:data", "f:config.json"), f'{{"cut": 1, "password": {{"a": "b", "c": "{CANARY}"'),
        (("f:data", "f:config.json"), f'{{"password": "a\\"b {CANARY}"}} '),
        (("f:data", "f:text"), f'password="a {CANARY}'),
        (("f:data", "f:text"), f"the password=a,{CANARY} is old"),
        (("f:data", "f:text"), f"db:\n  password: correct horse {CANARY}\n  colour: blue"),
        (("f:data", "f:text"), f"password: |\n  first\n  {CANARY}\n"),
        (("f:data", "f:text"), f"password:\n  inner: {CANARY}\n"),
        (("f:data", "f:text"), f"auth: {CANARY}"),
        (("f:data", "f:text"), f"authorization={CANARY}"),
        (("f:data", "f:text"), f"apikey={CANARY}"),
        (("f:data", "f:url"), f"postgres://shop:a/b{CANARY}@db.acme.example/shop"),
        (("f:data", "f:url"), f"postgres://shop:a@b{CANARY}@db.acme.example/shop"),
        (("f:data", "f:url"), f"redis://:a/{CANARY}@db.acme.example"),
        (("f:data", "f:url"), f"https://hooks.slack.com/services/T0/B0/{CANARY}"),
        (("f:data", "f:url"), f"https://discord.com/api/webhooks/42/{CANARY}"),
        (("f:data", "f:url"), f"https://acme.webhook.office.com/webhookb2/{CANARY}@x/IncomingWebhook/y"),
        (("f:data", "f:url"), f"https://outlook.office.com/webhook/{CANARY}"),
        (("f:data", "f:url"), f"https://api.telegram.org/bot42:{CANARY}/sendMessage"),
        (("f:data", "f:text"), f"curl -H 'Authorization: Token {CANARY}' https://acme.example"),
        ((), {"kind": "Deployment", "spec": {"env": [{"name": "A", "value": CANARY}], "token": CANARY}}),
    ],
)  # fmt: skip
def test_no_canary_comes_out(path: Path, value: Any) -> None:
    """Whatever of the object drifted: the value, what holds it, or the whole."""
    for key in (WEB, CONFIG):
        shown = show_field(value, key=key, path=path, limit=10_000)
        assert CANARY not in shown
        assert "***" in shown
        assert "4711" not in shown


def test_long_random_text_is_hidden() -> None:
    """Keys and tokens, as tools print them."""
    random = Random(11)
    for _ in range(200):
        raw = random.randbytes(24)
        for text in (raw.hex(), base64.b64encode(raw).decode(), base64.urlsafe_b64encode(raw).decode()):
            assert without_secrets(text, ()) == "***"


@pytest.mark.parametrize(
    "text",
    [
        "registry.acme.example/shop/web:1.4.2", "web-7d9f8b6c5d-x2x4z.shop.svc.cluster.local", "blue", "80",
        "registry.acme.example/web@sha256:" + "ab12" * 16, "2026-11-28T10:00:00Z", "http://web.shop.svc:8080/health",
        "https://web.acme.example:8443/pkg@v1.2.3", "https://nopea.acme.example/webhook/shop/web",
        "author: Ada", "oauth2-proxy", "colour: blue\nsize: 3", "sh -c sleep 3600", "--replicas 3",
        "docker.io/library/nginx@sha256:" + "0f" * 32 + " is used", '{"colour": "blue"}', "[1, 2]",
        "{{ .Values }}",
        "kubernetes.io/hostname", "-Xmx512m -XX:+UseG1GC", "a" * 64, "app.kubernetes.io/managed-by",
    ],
)  # fmt: skip
def test_what_people_compare_is_shown(text: str) -> None:
    """Images, names, hosts, times and flags."""
    assert without_secrets(text, ("f:spec", "f:image")) == text


def test_numbers_and_switches_are_shown() -> None:
    """But for a number that is a password."""
    assert without_secrets({"replicas": 3, "paused": True, "none": None}, ()) == {
        "replicas": 3, "paused": True, "none": None,
    }  # fmt: skip
    assert without_secrets({"password": 4711, "automountServiceAccountToken": True}, ()) == {
        "password": "***", "automountServiceAccountToken": True,
    }  # fmt: skip


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=10,
)


@given(JSON)
def test_hiding_keeps_the_shape(value: Any) -> None:
    """Only strings and numbers change, so that a reader sees where something differs."""

    def shape(item: Any) -> Any:
        if isinstance(item, dict):
            return {name: shape(inner) for name, inner in item.items()}
        return [shape(inner) for inner in item] if isinstance(item, list) else None

    assert shape(without_secrets(value, ())) == shape(value)


def test_what_is_too_deep_is_hidden() -> None:
    """It is not worth a crash."""
    value: Any = CANARY
    for _ in range(200):
        value = [value]

    assert CANARY not in str(without_secrets(value, ()))


LONG = (
    "a" * 100_000, "pass" * 25_000, "a://" * 25_000, "secret" + " " * 99_999, "-" * 99_999, "--" * 50_000,
    "password: |\n" + " \n" * 50_000, "\n" * 99_999, " " * 99_999, "password=" * 11_111, "auth " * 20_000,
    "--token " * 12_500, "{" * 99_999, "https://hooks." * 7_000, '"' + "\\" * 99_999, "Aa1" * 33_333,
    "token" + ":" * 99_999, "password" + " =" * 50_000, "a://b:" * 16_666, "a://'@" * 16_000,
)  # fmt: skip


@pytest.mark.parametrize("value", [*LONG, *([text[:1024]] * 3_000 for text in LONG), {"pass" * 25_000: "x"}])
def test_long_values_cost_no_time(value: Any) -> None:
    """A tenant chooses them, and the event loop waits."""
    begun = time.thread_time()

    without_secrets(value, ("f:data", "f:file"))

    assert time.thread_time() - begun < 0.3


def test_a_long_random_word_in_a_text_is_hidden() -> None:
    """A key in a sentence, in a list of arguments, or in a list of values."""
    random = Random(12)
    for _ in range(200):
        word = f"{base64.urlsafe_b64encode(random.randbytes(24)).decode()}1"
        assert word not in str(without_secrets([f"use {word} for it", f"a,{word},b", f"x '{word}'"], ()))


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        (("f:spec", "f:args", f'v:"--token={CANARY}"'), '.spec.args[="--token=***"]'),
        (("f:spec", "f:tokens", f'v:"{CANARY}"'), '.spec.tokens[="***"]'),
        (("f:spec", "f:urls", f'k:{{"url":"https://a:{CANARY}@b"}}'), '.spec.urls[url="https://***@b"]'),
        (("f:metadata", "f:finalizers", 'v:"acme.example/web"'), '.metadata.finalizers[="acme.example/web"]'),
        ((*CONTAINER, "f:image"), '.spec.template.spec.containers[name="web"].image'),
        (("f:spec", "f:env", 'k:{"name":"DB_PASSWORD"}', "f:value"), '.spec.env[name="DB_PASSWORD"].value'),
        (("f:spec", "f:list", "i:0"), ".spec.list[0]"),
        ((), "."),
    ],
)
def test_a_path_shows_no_secret(path: Path, shown: str) -> None:
    """A member of a set is a value, although it is a part of the path."""
    assert shown_path(path) == shown
