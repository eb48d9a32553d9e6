"""Damaged repositories: every request is answered, and no damage is a crash of the renderer."""

from __future__ import annotations

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.renderer.child import Renderer
from tests.renderer.test_decryption import DATA, KEYS, SECRET
from tests.renderer.test_helm import CHART, HELM
from tests.renderer.test_kustomize import OVERLAY

SECRETS: dict[str, str | bytes] = {
    "kustomization.yaml": "resources: [secret.yaml]\nsecretGenerator: [{name: a, envs: [app.env]}]\n",
    "secret.yaml": SECRET,
    "app.env": (DATA / "app.env").read_text(),
}
REQUESTS: list[tuple[dict[str, str | bytes], dict[str, Any]]] = [
    (OVERLAY, {"kind": "kustomize", "path": "overlays/prod", "substitute": {"vars": {"a": "b"}}}),
    (CHART, {"kind": "helm", "helm": HELM, "substitute": {"vars": {}}}),
    (SECRETS, {"kind": "kustomize", "decryption": KEYS}),
]
# What parsers stumble over; the rest is any text.
PIECES = st.text(max_size=5) | st.sampled_from(
    [
        *(
            "*a",
            "&a ",
            "- ",
            "{",
            "}",
            "[",
            "]",
            "\n",
            "---\n",
            ": ",
            "{{",
            "}}",
            "${",
            "null",
            "''",
            "<<: ",
            "|",
        ),
        *(
            "\t",
            "!!",
            "resources: [.]\n",
            "../",
            "~",
            "0x",
            "\x00",
            "\ufeff",
            "{{ range . }}",
            "sops:\n",
            "ENC[",
        ),
    ]
)


@st.composite
def damages(draw: st.DrawFn) -> tuple[dict[str, str | bytes], dict[str, Any]]:
    """Return a request some of whose files had a part replaced."""
    files, request = draw(st.sampled_from(REQUESTS))
    damaged = dict(files)
    for name in draw(st.lists(st.sampled_from(sorted(files)), min_size=1, max_size=3, unique=True)):
        text = str(files[name])
        start = draw(st.integers(0, len(text)))
        end = draw(st.integers(start, min(len(text), start + 20)))
        damaged[name] = text[:start] + draw(PIECES) + text[end:]
    return damaged, request


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(damage=damages())
def test_a_damaged_repository_is_rendered_or_refused(
    renderer: Renderer, damage: tuple[dict[str, str | bytes], dict[str, Any]]
) -> None:
    """A `bug` would mean that an input reached code that does not expect it."""
    files, request = damage

    answer = renderer.ask(files, **request)

    errors = answer.get("errors", [answer["err"]] if "err" in answer else [])
    assert errors or "ok" in answer
    assert [error for error in errors if error["kind"] == "bug"] == []
    assert "hunter2" not in str(errors)
