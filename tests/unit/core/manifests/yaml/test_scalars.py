"""The values of scalars, as a table of what kubectl reads."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.scalars import (
    FIRST_OF_A_VALUE,
    TAG,
    Scalar,
    plain,
    resolve,
    resolve_tagged,
    to_json,
)

PLAIN: tuple[tuple[str, Scalar], ...] = (
    ("2020-01-01", "2020-01-01"), ("2020-01-01T10:00:00Z", "2020-01-01T10:00:00Z"),
    ("2024-13-45", "2024-13-45"), ("12:30", "12:30"), ("190:20:30", "190:20:30"), ("1:1.5", "1:1.5"),
    ("y", True), ("Y", True), ("yes", True), ("On", True), ("TRUE", True), ("tRUE", "tRUE"), ("T", "T"),
    ("n", False), ("No", False), ("OFF", False), ("f", "f"), ("", None), ("~", None), ("Null", None),
    ("nUll", "nUll"), ("0", 0), ("-0", 0), ("+0", 0), ("014", 12), ("-014", -12), ("0o14", 12),
    ("0O14", 12), ("0777", 511), ("08", 8), ("0_8", 8), ("0o", "0o"), ("0o8", "0o8"), ("+1", 1),
    ("0X1F", 31), ("-0x1F", -31), ("0x_1F", 31), ("0xG", "0xG"), ("0x", "0x"), ("0x1p4", "0x1p4"),
    ("0B101", 5), ("-0b101", -5), ("0b2", "0b2"), ("0b+1", 1), ("0b-1", -1), ("+0b-1", "+0b-1"),
    ("1e3", 1000), ("1E3", 1000), ("123e5", 12300000), ("1.5e3", 1500), ("0e0", 0), ("4e2b", "4e2b"),
    ("1e", "1e"), (".5", 0.5), ("-.5", -0.5), ("+.5", 0.5), (".", "."), ("..5", "..5"), (".4_9", 0.49),
    ("._5", "._5"), (".6_", ".6_"), (".5e1_0", 5_000_000_000), ("5.", 5), ("1.0", 1), ("8080.0", 8080),
    ("-0.0", 0), ("1.10", 1.1), ("1_000", 1000), ("1__0", 10), ("1_", 1), ("_1", "_1"), ("1_000.5", 1000.5),
    ("1,000", "1,000"), ("1e400", "1e400"), ("-1e400", "-1e400"), ("1e-400", 0),
    ("9223372036854775807", 2**63 - 1), ("9223372036854775808", 2.0**63),
    ("-9223372036854775809", -(2.0**63)), ("18446744073709551616", 2.0**64),
    ("0xFFFFFFFFFFFFFFFF", 2.0**64), ("1" * 30, float("1" * 30)),
    ("0x1FFFFFFFFFFFFFFFF", "0x1FFFFFFFFFFFFFFFF"), ("1234567890123456789.0", 1234567890123456800),
    ("=", "="), ("<<", "<<"), ("nan", "nan"), ("Infinity", "Infinity"), ("100m", "100m"),
    ("1.2.3", "1.2.3"), ("٣", "٣"), ("1٣", "1٣"),
)  # fmt: skip


@pytest.mark.parametrize(("text", "value"), PLAIN)
def test_a_plain_scalar_has_kubectls_value(text: str, value: Scalar) -> None:
    """A plain scalar has the same value and type as in kubectl."""
    assert plain(text) == value
    assert type(plain(text)) is type(value)


@pytest.mark.parametrize("text", [text for text, value in PLAIN if value != text and text])
def test_the_first_character_shows_what_may_be_a_value(text: str) -> None:
    """Every scalar that is not a string starts with a character of the table; others are not checked."""
    assert text[0] in FIRST_OF_A_VALUE


@pytest.mark.parametrize("text", [".inf", "-.Inf", "+.INF", ".nan", ".NaN"])
def test_infinity_and_not_a_number_are_refused(text: str) -> None:
    """JSON cannot represent them, so Kubernetes cannot either."""
    with pytest.raises(ValueError, match="JSON"):
        plain(text)


@pytest.mark.parametrize("digit", ["9", "0x" + "f", "0" + "7", ".1", "1_"])
def test_a_very_long_number_is_read_quickly(digit: str) -> None:
    """A number with a million digits is a value or a string, and never an exception."""
    assert isinstance(resolve(digit + digit[-1] * 1_000_000), str | int | float)


@pytest.mark.parametrize(
    ("tag", "text", "value"),
    [
        ("int", "123", 123),
        ("int", "0x1F", 31),
        ("float", "1", 1),
        ("float", "1.5", 1.5),
        ("bool", "yes", True),
        ("null", "", None),
        ("str", "123", "123"),
        ("binary", "aGVsbG8=", "hello"),
        ("binary", "aGVs\nbG8=", "hello"),
        ("timestamp", "2020-1-1", "2020-1-1"),
        ("timestamp", "2020-01-01 1:2:3.5", "2020-01-01 1:2:3.5"),
        ("timestamp", "2020-01-01T01:02:03+02:00", "2020-01-01T01:02:03+02:00"),
        ("python/name:os.system", "", ""),
        ("merge", "a", "a"),
    ],
)
def test_a_tag_sets_the_type(tag: str, text: str, value: Scalar) -> None:
    """YAML's own tags convert the value; unknown ones are ignored."""
    assert to_json(resolve_tagged(TAG + tag, text)) == value


@pytest.mark.parametrize(
    ("tag", "text"),
    [
        ("int", "abc"),
        ("int", "1.0"),
        ("int", ""),
        ("float", "abc"),
        ("float", "18446744073709551615"),
        ("bool", "maybe"),
        ("null", "x"),
        ("binary", "//79"),
        ("binary", "aGVsbG8"),
        ("timestamp", "abc"),
        ("timestamp", "2020-13-45"),
        ("timestamp", "2020-01-01T1:2:3"),
        ("timestamp", "2020-01-01 25:00:00"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused_without_quoting_the_value(tag: str, text: str) -> None:
    """The error contains the tag but not the value, which may be a secret."""
    with pytest.raises(ValueError, match=f"!!{tag}") as caught:
        resolve_tagged(TAG + tag, text)
    assert not text or text not in str(caught.value)


def test_a_local_tag_makes_a_string() -> None:
    """`!foo 1` and `! 1` are the string `1`."""
    assert resolve_tagged("!foo", "1") == "1"
    assert resolve_tagged("!", "1") == "1"
