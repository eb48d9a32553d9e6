"""How the rollback annotation is parsed, and how problems with it are explained."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fakes.samples import raw_repository, repository

from nopea.core.api.names import ROLLBACK_ANNOTATION
from nopea.core.api.pin import Pin, explained, parse_pin
from nopea.core.api.repository import Repository, parse_repository, ref_of
from nopea.core.api.spec import GitRepositorySpec
from nopea.core.git.source import Ref, RefKind
from nopea.core.problem import Code, Problem

OLD, NEW = "a" * 40, "c" * 40
MAIN = Ref(RefKind.BRANCH, "main")


def pinned_to(text: str, **spec: str) -> Repository:
    """Return a repository with this rollback annotation."""
    return repository(annotations={ROLLBACK_ANNOTATION: text}, **spec)


def spec_of(found: Repository) -> GitRepositorySpec:
    """Return the repository's spec, which must be valid."""
    assert isinstance(found.spec, GitRepositorySpec)
    return found.spec


@pytest.mark.parametrize("kind", ["branch", "tag", "semver"])
def test_a_pinned_repository_asks_git_for_the_commit(kind: str) -> None:
    """The pin replaces the ref of the spec, and keeps it for messages."""
    raw = raw_repository(annotations={ROLLBACK_ANNOTATION: OLD})
    raw["spec"]["ref"] = {kind: "1.x"}

    found = parse_repository(raw)

    assert ref_of(spec_of(found)) == Ref(RefKind.COMMIT, OLD)
    assert found.rollback_to == OLD
    assert found.pin == Pin(commit=OLD, instead_of=Ref(RefKind(kind), "1.x"), arguments="api -n shop")


def test_everything_else_of_the_spec_stays() -> None:
    """A pin changes only the ref; path, URL and interval are those of the spec."""
    free = spec_of(repository(path="deploy"))
    held = spec_of(pinned_to(OLD, path="deploy"))

    assert (held.path, held.url, held.interval) == (free.path, free.url, free.interval)


def test_a_commit_in_the_spec_gives_way_to_the_pin() -> None:
    """The pin replaces `spec.ref.commit`; the message names the replaced commit."""
    raw = raw_repository(annotations={ROLLBACK_ANNOTATION: OLD})
    raw["spec"]["ref"] = {"commit": NEW}

    found = parse_repository(raw)

    assert ref_of(spec_of(found)) == Ref(RefKind.COMMIT, OLD)
    assert found.pin is not None
    assert f"instead of commit {NEW}" in found.pin.message
    assert "run `nopea rollback api -n shop --resume`" in found.pin.message


@pytest.mark.parametrize("text", [OLD.upper(), f" {OLD}\n", "0" * 64])
def test_capitals_and_spaces_are_accepted(text: str) -> None:
    """Spaces around the id and upper case are accepted, and so are SHA-256 ids."""
    assert pinned_to(text).rollback_to == text.strip().lower()


@pytest.mark.parametrize("text", ["", "main", "abc1234", "a" * 39, "a" * 41, "g" * 40, "a" * 63, f"{OLD} x"])
def test_a_value_that_is_no_commit_is_a_problem(text: str) -> None:
    """Nothing is pinned; the spec stays readable, so that a deletion knows what goes with it."""
    found = pinned_to(text, deletionPolicy="Delete")

    assert found.pin_problem is not None
    assert "`nopea rollback api -n shop --resume`" in found.pin_problem.hint
    assert found.pin_problem.code is Code.ROLLBACK_INVALID
    assert (found.pin, found.rollback_to) == (None, "")
    assert ref_of(spec_of(found)) == MAIN
    assert found.deletes_objects


def test_a_pin_is_known_despite_an_invalid_spec() -> None:
    """With an invalid spec the pin is known, but not the ref that it replaces."""
    found = pinned_to(OLD, url="")

    assert isinstance(found.spec, Problem)
    assert found.pin == Pin(commit=OLD, instead_of=None, arguments="api -n shop")
    assert found.follows == ""


def test_the_version_depends_on_the_pin() -> None:
    """A commit that Git returned for the branch does not answer a request for a pin."""
    versions = {repository().version, pinned_to(OLD).version, pinned_to(NEW).version}

    assert len(versions) == 3


@given(st.text())
def test_any_text_is_a_pin_or_a_problem(text: str) -> None:
    """A pin always contains a full commit id; the message of a problem is bounded."""
    found = parse_pin(text, instead_of=MAIN)

    if isinstance(found, Pin):
        assert len(found.commit) in (40, 64)
        assert int(found.commit, 16) >= 0
    else:
        assert len(str(found)) < 700


def test_a_missing_commit_is_explained_by_the_pin() -> None:
    """If the pinned commit does not exist, the hint is about the rollback; other problems keep their hint."""
    missing = Problem(code=Code.GIT_REF_NOT_FOUND, message="no such commit", hint="Correct spec.ref.commit.")
    other = Problem(code=Code.GIT_UNREACHABLE, message="down", hint="Wait.")
    pin = Pin(commit=OLD, instead_of=MAIN, arguments="api -n shop")

    assert "`nopea rollback api -n shop --resume`" in explained(missing, pin).hint
    assert "branch main" in explained(missing, pin).hint
    assert explained(missing, None) is missing
    assert explained(other, pin) is other
