"""What specs name, and what is wrong with it."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import pytest
from tests.fakes.samples import raw_repository

from nopea.cli.doctor.finding import Verdict
from nopea.cli.doctor.references import Reference, references_of, troubles_of
from nopea.core.api.repository import parse_repository
from nopea.core.api.tenancy import AS_CALLER, TenancyPolicy

TOKEN = "t" * 32
HOOK: dict[str, Any] = {"webhook": {"secretRef": {"name": "hook"}}}
VALUES = {"kind": "ConfigMap", "name": "values"}
SLACK: dict[str, Any] = {"notify": [{"type": "slack", "secretRef": {"name": "chat"}}]}


def secret(type_: str = "Opaque", **values: str) -> dict[str, Any]:
    """Return a Secret; `_` in a key stands for a dot."""
    data = {key.replace("_", "."): base64.b64encode(text.encode()).decode() for key, text in values.items()}
    return {"type": type_, "data": data}


def references(policy: TenancyPolicy = AS_CALLER, **spec: Any) -> list[Reference]:
    """Return what the spec names."""
    return list(references_of(parse_repository(raw_repository("web", **spec), policy=AS_CALLER), policy))


def told(raw: Mapping[str, Any] | None, policy: TenancyPolicy = AS_CALLER, **spec: Any) -> list[str]:
    """Return the messages about the only object that a spec names."""
    (reference,) = references(policy, **spec)
    return [str(each.problem) for each in troubles_of(reference, raw)]


def test_every_field_that_names_an_object_is_there() -> None:
    """Nopea itself reads logins; the account that applies reads what gets into objects."""
    found = references(
        secretRef={"name": "login"},
        proxySecretRef={"name": "proxy"},
        decryption={"provider": "sops", "secretRef": {"name": "keys"}},
        substituteFrom=[{"kind": "Secret", "name": "variables"}],
        helm={"secretRef": {"name": "registry"}, "valuesFrom": [VALUES]},
        **HOOK,
        **SLACK,
    )

    assert [(each.field, str(each.object), each.by_account) for each in found] == [
        ("spec.secretRef", "Secret shop/login", False),
        ("spec.proxySecretRef", "Secret shop/proxy", False),
        ("spec.decryption.secretRef", "Secret shop/keys", False),
        ("spec.substituteFrom", "Secret shop/variables", True),
        ("spec.helm.valuesFrom", "ConfigMap shop/values", True),
        ("spec.helm.secretRef", "Secret shop/registry", False),
        ("spec.webhook.secretRef", "Secret shop/hook", False),
        ("spec.notify", "Secret shop/chat", False),
    ]
    for each in found:
        (trouble,) = troubles_of(each, None)
        assert trouble.problem.message.startswith(f"{each.object.kind} ")
        assert "does not exist" in trouble.problem.message
        assert trouble.problem.hint


def test_a_spec_that_is_invalid_names_nothing() -> None:
    """Its own error says what is wrong."""
    assert references(interval="soon") == []


@pytest.mark.parametrize(
    ("spec", "raw", "words"),
    [
        ({"secretRef": {"name": "login"}}, secret(token="t"), ""),
        ({"secretRef": {"name": "login"}}, secret(tokn="t"), "none of its keys is for an HTTP URL"),
        ({"proxySecretRef": {"name": "proxy"}}, secret(address="http://proxy.example:3128"), ""),
        ({"proxySecretRef": {"name": "proxy"}}, secret(), "it has no address"),
        ({"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}}, secret(a_agekey="k"), ""),
        ({"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}}, secret(age="k"), "agekey"),
        (
            {"decryption": {"provider": "sops", "secretRef": {"name": "keys"}}},
            {"data": {"sops.vault-token": "aHZzLg=="}},
            "",
        ),
        ({"substituteFrom": [VALUES]}, {"data": {}}, ""),
        ({"substituteFrom": [{**VALUES, "optional": True}]}, None, ""),
        ({"helm": {"valuesFrom": [VALUES]}}, {"data": {"values.yaml": ""}}, ""),
        ({"helm": {"valuesFrom": [VALUES]}}, {"data": {"other": ""}}, "has no key `values.yaml`"),
        ({"helm": {"valuesFrom": [{**VALUES, "optional": True}]}}, {"data": None}, ""),
        ({"helm": {"secretRef": {"name": "r"}, "chart": "oci://r.example/x"}}, secret(token="t"), ""),
        ({"helm": {"secretRef": {"name": "r"}, "chart": "charts/x"}}, secret(token="t"), "for which host"),
        (HOOK, secret(token=TOKEN), ""),
        (HOOK, secret(password=TOKEN), "has no key `token`"),
        (SLACK, secret(url="https://hooks.example/x"), ""),
        (SLACK, secret(url="hooks.example/x"), "does not begin with http"),
        (SLACK, secret(address="https://hooks.example/x"), "has no key `url`"),
    ],
)
def test_what_an_object_must_hold(spec: dict[str, Any], raw: dict[str, Any] | None, words: str) -> None:
    """As the controller reads it."""
    found = told(raw, **spec)

    assert len(found) == bool(words), found
    assert words in "".join(found)


def test_a_webhook_that_can_be_guessed_is_a_warning() -> None:
    """It works; the value is not shown."""
    (reference,) = references(**HOOK)
    (trouble,) = troubles_of(reference, secret(token="hunter2"))

    assert trouble.verdict is Verdict.WARNING
    assert "fewer than 16 characters" in trouble.problem.message
    assert "hunter2" not in str(trouble)


def test_the_policy_of_the_controller_decides_about_receivers() -> None:
    """Which hosts, and whether without encryption."""
    strict = TenancyPolicy(allowed_hosts=("*.acme.example",))

    assert "which is not allowed" in "".join(told(secret(url="https://hooks.example/x"), strict, **SLACK))
    assert "plain http" in "".join(told(secret(url="http://a.acme.example/x"), strict, **SLACK))
