"""Convert a mapping's key to the string that Kubernetes makes of it. Never looks at values."""

from __future__ import annotations

import math
import struct
from functools import lru_cache

from nopea.core.manifests.yaml.scalars import Scalar, resolve

_INT64 = range(-(2**63), 2**63)
_CACHED_CHARACTERS = 64
_SINGLE_PRECISION_DIGITS = 9


def key_text(value: Scalar) -> str:
    """Return the JSON key for a resolved scalar (`on` is `true`, `014` is `12`).

    Raises ValueError with a message for users for null and for numbers that Kubernetes rejects.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _single_precision(value)
    if value is None:
        raise ValueError("A key is empty or null.")
    if value not in _INT64:
        raise ValueError("A key is a number that does not fit into 64 bits.")
    return str(value)


def plain_key(text: str) -> str:
    """Return the JSON key for a plain scalar; raises ValueError as `key_text` does."""
    return _plain_key_cached(text) if len(text) <= _CACHED_CHARACTERS else key_text(resolve(text))


@lru_cache(maxsize=1024)
def _plain_key_cached(text: str) -> str:
    return key_text(resolve(text))


def _single_precision(value: float) -> str:
    """Print as Go's `FormatFloat(value, 'g', -1, 32)`: the decoder prints float keys in single precision."""
    try:
        (narrow,) = struct.unpack("f", struct.pack("f", value))
    except OverflowError:
        narrow = math.copysign(math.inf, value)
    if math.isnan(narrow):
        return ".nan"
    if math.isinf(narrow):
        return ".inf" if narrow > 0 else "-.inf"
    mantissa, _, exponent = _shortest(narrow).partition("e")
    power = int(exponent)
    if power < -4 or power >= 6:  # Go's rule for 'g' with the shortest precision
        return f"{mantissa}e{'-' if power < 0 else '+'}{abs(power):02d}"
    digits = len(mantissa.lstrip("-").replace(".", "")) - 1
    return f"{float(f'{mantissa}e{power}'):.{max(0, digits - power)}f}"


def _shortest(narrow: float) -> str:
    """Return the shortest scientific spelling that reads back as the same single-precision number."""
    for digits in range(_SINGLE_PRECISION_DIGITS):
        text = f"{narrow:.{digits}e}"
        if struct.pack("f", float(text)) == struct.pack("f", narrow):
            return text
    return f"{narrow:.{_SINGLE_PRECISION_DIGITS}e}"
