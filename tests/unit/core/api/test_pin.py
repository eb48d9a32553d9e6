"""What the annotation of a rollback means, and how it is explained."""

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
    """Return a repository with the annotation."""
    return repository(annotations={ROLLBACK_ANNOTATION: text}, **spec)


def spec_of(found: Repository) -> GitRepositorySpec:
    """Return its spec, which must be one."""
    assert isinstance(found.spec, GitRepositorySpec)
    return found.spec


@pytest.mark.parametrize("kind", ["branch", "tag", "semver"])
def test_a_pinned_repository_asks_git_for_the_commit(kind: str) -> None:
    """Whatever its spec follows; what that is stays known."""
    raw = raw_repository(annotations={ROLLBACK_ANNOTATION: OLD})
    del raw["spec"]["branch"]
    raw["spec"][kind] = "1.x"

    found = parse_repository(raw)

    assert ref_of(spec_of(found)) == Ref(RefKind.COMMIT, OLD)
    assert found.rollback_to == OLD
    assert found.pin == Pin(commit=OLD, instead_of=Ref(RefKind(kind), "1.x"))


def test_everything_else_of_the_spec_stays() -> None:
    """Path, policies and the rest are those of the spec."""
    free = spec_of(repository(path="deploy"))
    held = spec_of(pinned_to(OLD, path="deploy"))

    assert (held.path, held.url, held.interval) == (free.path, free.url, free.interval)


def test_a_commit_in_the_spec_gives_way_to_the_pin() -> None:
    """It is told as what is left."""
    raw = raw_repository(annotations={ROLLBACK_ANNOTATION: OLD})
    del raw["spec"]["branch"]
    raw["spec"]["commit"] = NEW

    found = parse_repository(raw)

    assert ref_of(spec_of(found)) == Ref(RefKind.COMMIT, OLD)
    assert found.pin is not None
    assert f"instead of commit {NEW}" in found.pin.message


@pytest.mark.parametrize("text", [OLD.upper(), f" {OLD}\n", "0" * 64])
def test_capitals_and_spaces_are_no_obstacle(text: str) -> None:
    """Also SHA-256 ids."""
    assert pinned_to(text).rollback_to == text.strip().lower()


@pytest.mark.parametrize("text", ["", "main", "abc1234", "a" * 39, "a" * 41, "g" * 40, "a" * 63, f"{OLD} x"])
def test_a_value_that_is_no_commit_is_a_problem(text: str) -> None:
    """Nothing is pinned; the spec stays readable, so that a deletion knows what goes with it."""
    found = pinned_to(text, deletionPolicy="Delete")

    assert found.pin_problem is not None
    assert found.pin_problem.code is Code.ROLLBACK_INVALID
    assert (found.pin, found.rollback_to) == (None, "")
    assert ref_of(spec_of(found)) == MAIN
    assert found.deletes_objects


def test_a_broken_spec_and_a_pin_are_told_apart() -> None:
    """The pin is known though nobody can say what it left."""
    found = pinned_to(OLD, url="")

    assert isinstance(found.spec, Problem)
    assert found.pin == Pin(commit=OLD, instead_of=None)
    assert found.follows == ""


def test_a_version_of_the_question_has_the_pin_in_it() -> None:
    """What Git answered for the branch is no answer for the pin, nor for another one."""
    versions = {repository().version, pinned_to(OLD).version, pinned_to(NEW).version}

    assert len(versions) == 3


@given(st.text())
def test_any_text_is_a_pin_or_a_problem(text: str) -> None:
    """A pin always holds a full id that Git can be asked for."""
    found = parse_pin(text, instead_of=MAIN)

    if isinstance(found, Pin):
        assert len(found.commit) in (40, 64)
        assert int(found.commit, 16) >= 0
    else:
        assert len(str(found)) < 700


def test_a_missing_commit_is_explained_by_the_pin() -> None:
    """The advice for spec.commit would mislead; other problems keep theirs."""
    missing = Problem(code=Code.GIT_REF_NOT_FOUND, message="no such commit", hint="Correct spec.commit.")
    other = Problem(code=Code.GIT_UNREACHABLE, message="down", hint="Wait.")
    pin = Pin(commit=OLD, instead_of=MAIN)

    assert "nopea rollback NAME --resume" in explained(missing, pin).hint
    assert "branch main" in explained(missing, pin).hint
    assert explained(missing, None) is missing
    assert explained(other, pin) is other
