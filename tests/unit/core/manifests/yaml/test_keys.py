"""The string that Kubernetes makes of the key of a mapping."""

from __future__ import annotations

import pytest

from nopea.core.manifests.yaml.keys import plain_key


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("app", "app"), ("1", "1"), ("014", "12"), ("true", "true"), ("on", "true"), ("y", "true"),
        ("No", "false"), ("12:30", "12:30"), ("2020-01-01", "2020-01-01"), ("1.5", "1.5"), ("1e3", "1000"),
        ("100000.0", "100000"), ("1e6", "1e+06"), ("123456.7", "123456.7"), ("1234567.5", "1.2345675e+06"),
        ("0.0001", "0.0001"), ("0.00001", "1e-05"), ("0.1", "0.1"), ("3.14159265358979", "3.1415927"),
        ("16777217.0", "1.6777216e+07"), ("-1.5", "-1.5"), ("1e39", ".inf"), ("-.inf", "-.inf"),
        (".nan", ".nan"), ("-0.0", "-0"), ("18446744073709551616", "1.8446744e+19"), ("1e-46", "0"),
    ],
)  # fmt: skip
def test_a_key_is_printed_as_the_decoder_prints_it(text: str, key: str) -> None:
    """Keys of other types become strings, floats in single precision."""
    assert plain_key(text) == key


@pytest.mark.parametrize("text", ["", "~", "null", "18446744073709551615"])
def test_null_and_numbers_beyond_64_bits_are_refused(text: str) -> None:
    """Keys that kubectl rejects are rejected."""
    with pytest.raises(ValueError, match="A key is"):
        plain_key(text)
