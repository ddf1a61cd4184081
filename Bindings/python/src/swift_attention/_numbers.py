"""Lists of integers and of doubles, handed over as C arrays.

An empty list has an address as well: in C, none says that nothing was given.
"""

from __future__ import annotations

from array import array
from operator import index

from ._errors import AttentionError


def integers(values, argument: str) -> tuple[array, int, int]:
    """Integers as an array, its address and its length. The array must outlive the call."""
    try:
        numbers = _array("q", values)
    except (TypeError, ValueError, OverflowError):
        raise AttentionError(
            argument, f"{_short(values)} given, expected integers of 64 bits, one after the other"
        ) from None
    address, count = numbers.buffer_info()
    return numbers, address or _EMPTY_ADDRESS, count


def doubles(values, argument: str) -> tuple[array, int, int]:
    """Numbers as an array of doubles, its address and its length. The array must outlive the call."""
    try:
        numbers = _array("d", values)
    except (TypeError, ValueError, OverflowError):
        raise AttentionError(argument, f"{_short(values)} given, expected numbers, one after the other") from None
    address, count = numbers.buffer_info()
    return numbers, address or _EMPTY_ADDRESS, count


# Of nothing: an address that is never read.
_EMPTY = array("q", [0])
_EMPTY_ADDRESS = _EMPTY.buffer_info()[0]


def _array(code: str, values) -> array:
    # An array takes bytes for its own memory, and a text for nothing that is meant.
    if isinstance(values, (bytes, bytearray, memoryview, str)):
        raise TypeError
    return array(code, values.tolist() if hasattr(values, "tolist") else values)


def integer(value, argument: str) -> int:
    """One integer that fits 64 bits."""
    try:
        number = index(value)
    except TypeError:
        raise AttentionError(argument, f"{_short(value)} given, expected an integer") from None
    if not -(2**63) <= number < 2**63:
        raise AttentionError(argument, f"{number} given, expected an integer of 64 bits")
    return number


def number(value, argument: str) -> float:
    """One number."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        raise AttentionError(argument, f"{_short(value)} given, expected a number") from None


def _short(value) -> str:
    text = repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
