"""The ULID library conforms to the specification: its vectors, its invariants and its rejections."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ulid import ULID

RANDOM = 0xD6764C61EFB99302BD5B
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
MAX_MILLISECONDS = 2**48 - 1
MAX_RANDOMNESS = 2**80 - 1
PARTS = st.tuples(st.integers(0, MAX_MILLISECONDS), st.integers(0, MAX_RANDOMNESS))


def of_parts(milliseconds: int, randomness: int) -> ULID:
    """Return the ULID with this time and these 80 random bits."""
    return ULID.from_bytes(milliseconds.to_bytes(6, "big") + randomness.to_bytes(10, "big"))


def is_ulid(text: str) -> bool:
    """Return whether the library accepts the text."""
    try:
        ULID.from_str(text)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize(
    ("text", "milliseconds", "randomness"),
    [
        ("01ARYZ6S410000000000000000", 1469918176385, 0),
        ("01ARYZ6S41TSV4RRFFQ69G5FAV", 1469918176385, RANDOM),
        ("01ARZ3NDEKTSV4RRFFQ69G5FAV", 1469922850259, RANDOM),
        ("0000XSNJG0MQJHBF4QX1EFD6Y3", 1000000000, 0xA5E515BC97E85CF69BC3),
        ("00000000000000000000000000", 0, 0),
        ("70000000000000000000000000", 7 << 45, 0),
        ("7ZZZZZZZZZZZZZZZZZZZZZZZZZ", MAX_MILLISECONDS, MAX_RANDOMNESS),
    ],
)
def test_the_parts_of_known_ids(text: str, milliseconds: int, randomness: int) -> None:
    """Ids are read in upper and lower case and written in upper case."""
    ulid = ULID.from_str(text)

    assert ulid == ULID.from_str(text.lower()) == of_parts(milliseconds, randomness)
    assert ulid.milliseconds == milliseconds
    assert str(of_parts(milliseconds, randomness)) == text


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("01ARYZ6S41TSV4RRFFQ69G5FAV", "01563DF3-6481-D676-4C61-EFB99302BD5B"),
        ("01JQ4T23H220KM7X0B3V1109DQ", "0195C9A1-0E22-1027-43F4-0B1EC21025B7"),
    ],
)
def test_a_ulid_has_the_bits_of_a_uuid(text: str, form: str) -> None:
    """A ULID has 128 bits, with the most significant first."""
    assert int(ULID.from_str(text)) == uuid.UUID(form).int
    assert ULID.from_str(text).to_uuid() == uuid.UUID(form)


@pytest.mark.parametrize(
    "text",
    [
        "80000000000000000000000000",
        "80000000000000000000000001",
        "ZZZZZZZZZZZZZZZZZZZZZZZZZZ",
        "8zzzzzzzzzzzzzzzzzzzzzzzzz",
        "",
        "0" * 25,
        "0" * 27,
        *(
            f"0{letter}000000000000000000000000"
            for letter in "ILOUilou-_ \n\x00\xff!\u017f\u0131\u212a\u0967\uff10"
        ),
        *(f"0000000000000000000000000{letter}" for letter in "ILOUilou-_ \n\x00\xff"),
        "0" * 25 + "\n0",
        "01ARYZ6S41TSV4RRFFQ69G5FA\n",
        " 1ARYZ6S41TSV4RRFFQ69G5FAV",
        "01563DF3-6481-D676-4C61-EFB99302BD5B",
    ],
)
def test_invalid_ulids_are_rejected(text: str) -> None:
    """The texts are too big, too long or too short, or contain an invalid character."""
    with pytest.raises(ValueError, match=r"ULID|overflow"):
        ULID.from_str(text)


@pytest.mark.parametrize("place", range(26))
def test_no_position_accepts_a_byte_outside_the_alphabet(place: int) -> None:
    """Only the alphabet in either case is accepted at each position, and only 0 to 7 at the first."""
    good = set(ALPHABET[:8] if place == 0 else ALPHABET + ALPHABET.lower())
    base = "0" * 26

    passing = {chr(byte) for byte in range(256) if is_ulid(base[:place] + chr(byte) + base[place + 1 :])}

    assert passing == good


def test_a_time_beyond_the_maximum_is_rejected() -> None:
    """The time is neither truncated nor carried over."""
    with pytest.raises(ValueError, match="timestamp"):
        ULID.from_timestamp(MAX_MILLISECONDS + 1)


@given(PARTS)
def test_text_and_parts_are_equivalent(parts: tuple[int, int]) -> None:
    """The text of an id is read back as the same id, in either case."""
    ulid = of_parts(*parts)

    assert ULID.from_str(str(ulid)) == ULID.from_str(str(ulid).lower()) == ulid


@given(PARTS, PARTS)
def test_the_order_of_texts_is_that_of_the_parts(one: tuple[int, int], other: tuple[int, int]) -> None:
    """Names and log lines with ids therefore sort by time."""
    assert (str(of_parts(*one)) < str(of_parts(*other))) == (one < other)


@given(st.text(max_size=30))
def test_any_text_is_a_ulid_or_rejected(text: str) -> None:
    """An accepted text is written back in upper case."""
    if is_ulid(text):
        assert str(ULID.from_str(text)) == text.upper()
