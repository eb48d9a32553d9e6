"""Versions and version ranges; an invalid range is rejected."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from semver import Version

from nopea.core.git.semver import Range, parse_version

VERSIONS = st.builds(
    Version,
    st.integers(0, 3),
    st.integers(0, 3),
    st.integers(0, 3),
    st.sampled_from([None, None, "rc.1", "0", "alpha"]),
)


def _holds(text: str, *versions: str) -> list[bool]:
    wanted = Range.parse(text)
    return [wanted.holds(Version.parse(version)) for version in versions]


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.3", ["1.2.3"], ["1.2.4", "1.2.3-rc.1"]),
        ("v1.2.3", ["1.2.3"], ["1.2.2"]),
        ("=1.2", ["1.2.0", "1.2.9"], ["1.3.0", "1.1.9"]),
        ("1", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9", "2.0.0-rc.1"]),
        ("1.x", ["1.0.0", "1.9.9"], ["2.0.0"]),
        ("1.2.*", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("*", ["0.0.1", "9.9.9"], ["1.0.0-rc.1"]),
        ("~1.2.3", ["1.2.3", "1.2.9"], ["1.3.0", "1.2.2"]),
        ("~1.2", ["1.2.0", "1.2.9"], ["1.3.0"]),
        ("~1", ["1.0.0", "1.9.0"], ["2.0.0"]),
        ("^1.2.3", ["1.2.3", "1.9.0"], ["2.0.0", "1.2.2", "2.0.0-rc.1"]),
        ("^0.2.3", ["0.2.3", "0.2.9"], ["0.3.0"]),
        ("^0.0.3", ["0.0.3"], ["0.0.4"]),
        ("^0.0", ["0.0.0", "0.0.9"], ["0.1.0"]),
        ("^0", ["0.0.0", "0.9.9"], ["1.0.0"]),
        (">=1.0 <2.0", ["1.0.0", "1.9.9"], ["2.0.0", "0.9.9", "2.0.0-rc.1"]),
        (">=1.0, <2.0", ["1.5.0"], ["2.0.0"]),
        (">= 1.0", ["1.0.0", "7.0.0"], ["0.9.9"]),
        (">1.2", ["1.3.0"], ["1.2.0", "1.2.9"]),
        (">1.2.3", ["1.2.4"], ["1.2.3"]),
        ("<=1.2", ["1.2.9", "0.1.0"], ["1.3.0"]),
        ("<=1.2.3", ["1.2.3"], ["1.2.4"]),
        ("<1.2.3", ["1.2.2"], ["1.2.3", "1.2.3-rc.1"]),
        ("!=1.2.3", ["1.2.4"], ["1.2.3"]),
        ("!=1.2", ["1.3.0", "1.1.9"], ["1.2.0", "1.2.9"]),
        ("1.2 - 1.4", ["1.2.0", "1.4.9"], ["1.5.0", "1.1.9"]),
        ("1.2.3 - 1.4.5", ["1.2.3", "1.4.5"], ["1.4.6"]),
        ("1.x || 3.x", ["1.5.0", "3.5.0"], ["2.5.0"]),
        (">=1.0.0-0", ["1.0.0-rc.1", "1.0.0", "2.0.0-alpha"], ["0.9.9"]),
        (">=1.0.0-0 <2.0.0", ["1.0.0-rc.1", "2.0.0-0"][:1], ["2.0.0", "2.0.0-rc.1"]),
        ("1.0.0-rc.1", ["1.0.0-rc.1"], ["1.0.0", "1.0.0-rc.2"]),
    ],
)
def test_ranges_have_the_usual_operators(text: str, inside: list[str], outside: list[str]) -> None:
    """A pre-release matches only a range that mentions one."""
    assert _holds(text, *inside) == [True] * len(inside)
    assert _holds(text, *outside) == [False] * len(outside)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "latest", "1.2.3.4", ">", "1..2", "a || 1.x", "1.x ||", "|| 1.x", "1 || || 2", "=>1",
        "1.0 beta", "x" * 257, "99999999999", "1.2.3-", "^", "^v",
    ],
)  # fmt: skip
def test_an_invalid_range_is_refused(text: str) -> None:
    """A typing error must not match every version."""
    with pytest.raises(ValueError, match="version"):
        Range.parse(text)


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="0123456789.xX*v^~<>=!|-, +abc", max_size=20), VERSIONS)
def test_any_text_is_a_range_or_a_value_error(text: str, version: Version) -> None:
    """A valid range can be compared with every version."""
    try:
        wanted = Range.parse(text)
    except ValueError:
        return
    assert wanted.holds(version) in (True, False)


@settings(deadline=None, max_examples=50)
@given(VERSIONS, VERSIONS)
def test_comparing_agrees_with_the_order_of_versions(wanted: Version, version: Version) -> None:
    """For full versions without a pre-release, ranges agree with the library's order."""
    wanted, version = wanted.replace(prerelease=None), version.replace(prerelease=None)

    assert Range.parse(f">={wanted}").holds(version) == (version >= wanted)
    assert Range.parse(f"<{wanted}").holds(version) == (version < wanted)
    assert Range.parse(f"{wanted}").holds(version) == (version == wanted)
    assert Range.parse(f"<{wanted} || >{wanted}").holds(version) == Range.parse(f"!={wanted}").holds(version)


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2.3", "1.2.3"), ("1.2.3", "1.2.3"), ("v1", "1.0.0"), ("1.2", "1.2.0"),
        ("v1.2.3-rc.1+build", "1.2.3-rc.1+build"),
    ],
)  # fmt: skip
def test_tags_are_versions(tag: str, version: str) -> None:
    """The prefix v, the minor version and the patch version are optional."""
    assert str(parse_version(tag)) == version


@pytest.mark.parametrize(
    "tag", ["", "v", "latest", "1.2.3.4", "release-1.2.3", "01.2.3", "vv1.2.3", "9" * 5000]
)
def test_other_tags_are_not_versions(tag: str) -> None:
    """Any other tag is not a candidate."""
    assert parse_version(tag) is None
