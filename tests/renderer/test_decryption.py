"""SOPS over the renderer's pipes; what each format and key does is tested in renderer/sops_test.go."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.keys.sops import DATA_KEY, encrypted, vault_key
from tests.renderer.child import Renderer

DATA = Path(__file__).parents[2] / "renderer" / "testdata"
SECRET = (DATA / "secret.yaml").read_text()
KEYS = {"age": [(DATA / "shop.agekey").read_text()], "pgp": []}
CLEAR = "hunter2-plain"


def test_an_encrypted_manifest_among_plain_files_is_decrypted(renderer: Renderer) -> None:
    """The parent gives only the encrypted files; what it has parsed follows."""
    parsed = [["a.yaml", 0, b'{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}']]

    rendered = renderer.render(
        {"secret.yaml": SECRET}, kind="plain", folders=[], documents=parsed, decryption=KEYS
    )

    assert rendered.objects[0]["stringData"] == {"password": CLEAR}
    assert "sops" not in rendered.objects[0]
    assert rendered.sources == [("secret.yaml", 0), ("a.yaml", 0)]


def test_a_generator_reads_what_was_decrypted(renderer: Renderer) -> None:
    """An overlay with an encrypted env file gives the Secret that its author meant."""
    files = {
        "kustomization.yaml": "secretGenerator: [{name: app, envs: [app.env]}]\n",
        "app.env": (DATA / "app.env").read_text(),
    }

    rendered = renderer.render(files, decryption=KEYS)

    assert rendered.objects[0]["data"] == {"PASSWORD": "aHVudGVyMi1wbGFpbg=="}


@pytest.mark.parametrize("kind", ["plain", "kustomize"])
def test_without_decryption_nothing_is_applied_as_it_is(renderer: Renderer, kind: str) -> None:
    """An encrypted Secret in the cluster would be a Secret of nonsense."""
    files = {"secret.yaml": SECRET}
    if kind == "kustomize":
        files["kustomization.yaml"] = "resources: [secret.yaml]\n"

    error = renderer.refuse(files, kind=kind)

    assert (error["kind"], error["file"]) == ("encrypted", "secret.yaml")


def test_an_encrypted_manifest_in_a_chart_is_refused(renderer: Renderer) -> None:
    """Templates are not decrypted, and what comes out is not applied."""
    files = {
        "Chart.yaml": "apiVersion: v2\nname: shop\nversion: 1.0.0\n",
        "templates/secret.yaml": SECRET,
        "secrets.yaml": SECRET,
    }

    error = renderer.refuse(files, kind="helm", helm={"releaseName": "a"}, decryption=KEYS)

    assert (error["kind"], error["file"]) == ("encrypted", "templates/secret.yaml")


def test_a_stranger_cannot_read_it(renderer: Renderer) -> None:
    """The error names the recipients, which are public, and nothing that is secret."""
    stranger = (DATA / "stranger.agekey").read_text()

    error = renderer.refuse({"secret.yaml": SECRET}, kind="plain", decryption={"age": [stranger], "pgp": []})

    assert error["kind"] == "no_key"
    assert error["names"][0] in SECRET
    assert stranger.strip() not in str(error)


def test_keys_of_one_request_are_not_there_for_the_next(renderer: Renderer) -> None:
    """Two tenants share a child."""
    renderer.render({"secret.yaml": SECRET}, kind="plain", decryption=KEYS)

    error = renderer.refuse({"secret.yaml": SECRET}, kind="plain", decryption={"age": [], "pgp": []})

    assert error["kind"] == "no_key"


def test_a_data_key_that_a_service_opened_is_there_for_its_request_only(renderer: Renderer) -> None:
    """The child asks by a name that is the same each time; it has no network of its own."""
    files = {"secret.yaml": encrypted(vault_key("https://vault.acme.example", "shop", "vault:v1:x"))}
    nothing: dict[str, list[str]] = {"age": [], "pgp": []}

    asked = renderer.ask(files, kind="plain", decryption=nothing)
    ((key,),) = asked["open"][0]["groups"]
    opened: dict[str, object] = {**nothing, "opened": {key["id"]: DATA_KEY}}
    rendered = renderer.render(files, kind="plain", decryption=opened)

    assert asked["open"][0]["file"] == "secret.yaml"
    assert (key["address"], key["mount"], key["name"]) == ("https://vault.acme.example", "transit", "shop")
    assert rendered.objects[0]["stringData"] == {"password": CLEAR}
    assert renderer.ask(files, kind="plain", decryption=nothing)["open"] == asked["open"]


def test_keys_of_the_environment_and_the_home_are_not_used(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whoever runs Nopea has keys that are not the tenant's."""
    place = tmp_path / ".config" / "sops" / "age" / "keys.txt"
    place.parent.mkdir(parents=True)
    place.write_text(KEYS["age"][0])
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("SOPS_AGE_KEY", KEYS["age"][0])
    monkeypatch.setenv("SOPS_AGE_KEY_FILE", str(place))

    with Renderer() as renderer:
        error = renderer.refuse({"secret.yaml": SECRET}, kind="plain", decryption={"age": [], "pgp": []})

    assert error["kind"] == "no_key"
