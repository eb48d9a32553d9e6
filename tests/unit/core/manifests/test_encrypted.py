"""What is encrypted is recognised: whole files, and documents of SOPS."""

from __future__ import annotations

from typing import Any

import pytest

from nopea.core.manifests.encrypted import encrypted_file, is_sops
from nopea.core.manifests.file import parse_file
from nopea.core.problem import Code

MAC = "sops:\n  mac: ENC[AES256_GCM,data:3q2+7w==,iv:AA==,tag:AA==,type:str]\n  version: 3.9.0\n"
WIDGET = "apiVersion: acme.example/v1\nkind: Widget\nmetadata: {name: web}\n"
LIST = "apiVersion: v1\nkind: List\nitems:\n"
SECRET = "{apiVersion: v1, kind: Secret, metadata: {name: a}}"
CIPHER = "ENC[AES256_GCM,data:3q2+7w==,iv:AA==,tag:AA==,type:str]"


@pytest.mark.parametrize(
    ("raw", "tool"),
    [
        (b"\0GITCRYPT\0\x12\xfe", "git-crypt"),
        (b"$ANSIBLE_VAULT;1.1;AES256\n3836\n", "Ansible Vault"),
        (b"\xef\xbb\xbf\r\n$ANSIBLE_VAULT;1.1;AES256\r\n3836\r\n", "Ansible Vault"),
        (b"age-encryption.org/v1\n-> X25519 x\n\x80\xff", "age"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n-----END AGE ENCRYPTED FILE-----\n", "age"),
        (b"-----BEGIN PGP MESSAGE-----\n\nhQEM\n", "PGP"),
        (b"U2FsdGVkX1+abcdef==\n", "OpenSSL or transcrypt"),
        (f"PASSWORD={CIPHER}\nsops_mac={CIPHER}\n".encode(), "SOPS"),
    ],
)
def test_an_encrypted_file_names_the_tool(raw: bytes, tool: str) -> None:
    """The only problem of the file says that it is encrypted, not that it is not UTF-8 or not YAML."""
    parsed = parse_file(raw)

    assert parsed.documents == ()
    assert [problem.code for problem in parsed.problems] == [Code.ENCRYPTED]
    assert f"encrypted with {tool}." in parsed.problems[0].message


@pytest.mark.parametrize(
    "text",
    [
        f"{WIDGET}spec: {{password: '{CIPHER}'}}\n{MAC}",
        f"password: {CIPHER!r}\n{MAC}",
        f"{LIST}- {SECRET}\n{MAC}",
        f'{{"data": "{CIPHER}", "sops": {{"mac": "{CIPHER}"}}}}',
        f'{{"PASSWORD": "{CIPHER}", "sops_mac": "{CIPHER}"}}',
    ],
    ids=["custom resource", "values", "list", "json", "flat json"],
)
def test_a_document_of_sops_is_never_an_object(text: str) -> None:
    """Without its metadata the ciphertext would be applied as if it were the value."""
    parsed = parse_file(text.encode())

    assert parsed.documents == ()
    assert [problem.code for problem in parsed.problems] == [Code.ENCRYPTED]


def test_a_list_in_a_list_may_be_encrypted() -> None:
    """The list is refused as a whole, at its place; the other items are applied."""
    inner = {"apiVersion": "v1", "kind": "List", "items": [], "sops": {"mac": CIPHER}}

    parsed = parse_file(f"{LIST}- {inner}\n- {SECRET}\n".encode())

    assert [document.index for document in parsed.documents] == ["1[1]"]
    assert [(problem.code, problem.source) for problem in parsed.problems] == [(Code.ENCRYPTED, ":4")]


def test_only_the_encrypted_document_is_refused() -> None:
    """The other documents of the file are applied."""
    parsed = parse_file(f"{WIDGET}---\n{WIDGET}{MAC}".encode())

    assert [document.index for document in parsed.documents] == ["1"]
    assert [(problem.code, problem.source) for problem in parsed.problems] == [(Code.ENCRYPTED, ":5")]


@pytest.mark.parametrize(
    "value", [None, [], "sops", {}, {"sops": "mac"}, {"sops": {}}, {"spec": {"sops": {"mac": "x"}}}]
)
def test_the_word_alone_encrypts_nothing(value: Any) -> None:
    """Only a top-level mapping with a checksum is what SOPS adds."""
    assert not is_sops(value)


def test_a_manifest_may_hold_what_is_encrypted() -> None:
    """A value in a manifest is its author's business; inside a text, the line of SOPS is indented."""
    text = f"apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\ndata:\n  env: |\n    sops_mac={CIPHER}\n"

    assert encrypted_file(text.encode()) is None
    assert len(parse_file(text.encode()).documents) == 1
