"""What names of files say."""

from __future__ import annotations

import pytest

from nopea.core.manifests.file_names import is_listed, is_manifest_name


@pytest.mark.parametrize(
    ("name", "is_manifest", "matters"),
    [
        ("web.yaml", True, True),
        ("web.YML", True, True),
        ("web.Json", True, True),
        ("web.yaml.tmpl", False, False),
        ("README.md", False, False),
        ("yaml", False, False),
        (".gitlab-ci.yml", False, False),
        (".yaml", False, False),
        (".nopeaignore", False, True),
        ("Kustomization", False, True),
        ("kustomization", False, True),
        ("Kustomization.yaml", True, True),
        ("kustomize", False, False),
        ("Chart.yaml", True, True),
    ],
)
def test_a_name_says_what_a_file_is(name: str, is_manifest: bool, matters: bool) -> None:
    """Suffixes match in any case and a leading dot hides a file; ignore and build files have fixed names."""
    assert is_manifest_name(name) is is_manifest
    assert is_listed(name) is matters
