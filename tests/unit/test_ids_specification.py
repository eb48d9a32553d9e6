"""The library that our ids come from keeps to the specification: its vectors, its laws, what it refuses."""

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
    """Return the ULID of a time and 80 bits."""
    return ULID.from_bytes(milliseconds.to_bytes(6, "big") + randomness.to_bytes(10, "big"))


def is_ulid(text: str) -> bool:
    """Say whether the library takes it."""
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
    """Read and written, in capitals and not."""
    one = ULID.from_str(text)

    assert one == ULID.from_str(text.lower()) == of_parts(milliseconds, randomness)
    assert one.milliseconds == milliseconds
    assert str(of_parts(milliseconds, randomness)) == text


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("01ARYZ6S41TSV4RRFFQ69G5FAV", "01563DF3-6481-D676-4C61-EFB99302BD5B"),
        ("01JQ4T23H220KM7X0B3V1109DQ", "0195C9A1-0E22-1027-43F4-0B1EC21025B7"),
    ],
)
def test_the_same_bits_as_a_uuid(text: str, form: str) -> None:
    """128 bits, most significant first."""
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
def test_what_is_no_ulid_is_refused(text: str) -> None:
    """Too big, too long, too short, a letter that is none, also one that is a digit only in capitals."""
    with pytest.raises(ValueError, match=r"ULID|overflow"):
        ULID.from_str(text)


@pytest.mark.parametrize("place", range(26))
def test_no_place_takes_a_byte_outside_the_alphabet(place: int) -> None:
    """All 256, at each place: exactly the alphabet and its small letters pass, 0 to 7 at the first."""
    good = set(ALPHABET[:8] if place == 0 else ALPHABET + ALPHABET.lower())
    base = "0" * 26

    passing = {chr(byte) for byte in range(256) if is_ulid(base[:place] + chr(byte) + base[place + 1 :])}

    assert passing == good


def test_a_time_beyond_the_last_is_refused() -> None:
    """Never cut, never carried."""
    with pytest.raises(ValueError, match="timestamp"):
        ULID.from_timestamp(MAX_MILLISECONDS + 1)


@given(PARTS)
def test_text_and_parts_are_the_same(parts: tuple[int, int]) -> None:
    """There and back, through either case."""
    one = of_parts(*parts)

    assert ULID.from_str(str(one)) == ULID.from_str(str(one).lower()) == one


@given(PARTS, PARTS)
def test_the_order_of_texts_is_that_of_the_parts(one: tuple[int, int], other: tuple[int, int]) -> None:
    """So that names and logs sort by time."""
    assert (str(of_parts(*one)) < str(of_parts(*other))) == (one < other)


@given(st.text(max_size=30))
def test_any_text_is_a_ulid_or_refused(text: str) -> None:
    """What passes is written back as the same in capitals."""
    if is_ulid(text):
        assert str(ULID.from_str(text)) == text.upper()
