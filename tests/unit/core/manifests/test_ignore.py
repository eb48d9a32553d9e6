"""Which files of a repository are manifests."""

from __future__ import annotations

from nopea.core.manifests.ignore import (
    MAX_FILE_BYTES,
    MAX_PATTERN_CHARACTERS,
    MAX_PATTERNS,
    Ignore,
)
from nopea.core.problem import Code


def test_only_files_below_the_path_count() -> None:
    """Files outside `spec.path` are ignored; the path itself may be a hidden folder."""
    ignore = Ignore(root=".deploy/prod/")
    assert ignore.wants(".deploy/prod/web.yaml")
    assert not ignore.wants(".deploy/prod/.ci/web.yaml")
    assert not ignore.wants(".deploy/production/web.yaml")
    assert not ignore.wants("web.yaml")


def test_a_leading_dot_hides_a_file_or_a_folder_with_all_in_it() -> None:
    """The names of CI systems and editors start with one."""
    ignore = Ignore()
    assert ignore.wants("a/b/web.Json")
    assert not ignore.wants("a/.hidden/web.yaml")
    assert not ignore.wants(".github/workflows/test.yaml")
    assert not ignore.wants("web.yaml.tmpl")
    assert ignore.selects("a/Kustomization")
    assert not ignore.selects("a/.hidden/Kustomization")


def test_what_may_be_a_folder_is_excluded_as_one_too() -> None:
    """A pattern that ends in a slash matches a submodule, or a link that leads nowhere, but no file."""
    ignore = Ignore(exclude=["vendor/", "old"])
    assert ignore.selects("vendor")
    assert not ignore.selects("vendor", may_be_folder=True)
    assert not ignore.selects("old", may_be_folder=True)
    assert ignore.selects("new", may_be_folder=True)


def test_exclude_is_relative_to_the_path() -> None:
    """In `spec.exclude`, a leading slash means the folder of `spec.path`, not the root of the repository."""
    ignore = Ignore(root="./deploy", exclude=["/tmp/", "**/kustomization.yaml"])
    assert not ignore.wants("deploy/tmp/web.yaml")
    assert ignore.wants("deploy/a/tmp/web.yaml")
    assert not ignore.wants("deploy/kustomization.yaml")
    assert not ignore.wants("deploy/a/b/kustomization.yaml")


def test_an_ignore_file_is_relative_to_its_folder_and_the_deepest_decides() -> None:
    """A nested ignore file extends and overrides those above it, for its own folder only."""
    ignore = Ignore(
        ignore_files={
            ".nopeaignore": b"values*.yaml\n/a/old\n",
            "a/.nopeaignore": b"\xef\xbb\xbf!values-b.yaml\r\n/c.yaml\r\n",
        }
    )
    assert not ignore.wants("values.yaml")
    assert not ignore.wants("a/values-a.yaml")
    assert ignore.wants("a/values-b.yaml")
    assert not ignore.wants("values-b.yaml")
    assert not ignore.wants("a/c.yaml")
    assert ignore.wants("a/d/c.yaml")
    assert not ignore.wants("a/old/web.yaml")


def test_nothing_below_an_ignored_folder_is_included() -> None:
    """As in Git, a negation does not apply below an ignored folder; below `folder/*` it does."""
    assert not Ignore(exclude=["a/", "!a/web.yaml"]).wants("a/web.yaml")
    assert not Ignore(exclude=["a/"], ignore_files={"a/.nopeaignore": b"!web.yaml\n"}).wants("a/web.yaml")
    assert Ignore(exclude=["a/*", "!a/web.yaml"]).wants("a/web.yaml")


def test_the_spec_overrides_ignore_files() -> None:
    """`spec.exclude` wins over the ignore files in the repository."""
    ignore = Ignore(exclude=["b.yaml", "!c.yaml"], ignore_files={".nopeaignore": b"c.yaml\n!b.yaml\n"})
    assert not ignore.wants("b.yaml")
    assert ignore.wants("c.yaml")


def test_exceeded_limits_are_reported() -> None:
    """Patterns and files beyond a limit are problems; all others apply."""
    many = [f"x{number}.yaml" for number in range(MAX_PATTERNS + 1)]
    ignore = Ignore(
        exclude=["a.yaml", "*" * (MAX_PATTERN_CHARACTERS + 1)],
        ignore_files={
            "big/.nopeaignore": b"#" * (MAX_FILE_BYTES + 1),
            "many/.nopeaignore": "\n".join(many).encode(),
            "binary/.nopeaignore": b"a\n\xff\n",
        },
    )
    assert [(problem.code, problem.source or problem.object) for problem in ignore.problems] == [
        (Code.SPEC_INVALID, "spec.exclude"),
        (Code.YAML_LIMIT, "big/.nopeaignore"),
        (Code.ENCODING, "binary/.nopeaignore:2"),
        (Code.YAML_LIMIT, "many/.nopeaignore"),
    ]
    assert all(problem.message and problem.hint for problem in ignore.problems)
    assert not ignore.wants("a.yaml")
    assert not ignore.wants("many/x999.yaml")
    assert ignore.wants("many/x1000.yaml")
