"""Memory for the structures of one call.

A frame is a block of bytes with fixed places for attention_queries, attention_key_values, attention_options and the tensors of results.
``struct`` fills it in; its addresses never change. A call takes a frame off a list and puts it back, which is safe beside other threads and
within a call that a score modifier or a ``__dlpack__`` method makes.
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from struct import Struct
from typing import Iterator

from ._library import SEQUENCES as LAST_SOURCE

TENSOR_BYTES = 80
KEY_VALUES_BYTES = 472
# data, type, rank, shape[4], strides[4] for each rank; what a lower rank leaves out is zeroed.
TENSOR = {rank: Struct(f"=Qii{rank}q{32 - 8 * rank}x{rank}q{32 - 8 * rank}x") for rank in (1, 2, 3, 4)}
LENGTHS = Struct("=Qq")
OPTIONS = Struct("=QiiQqQQqQqQqdQqi4xQQQ")
SCALARS = Struct("=dqqq")

# Within attention_key_values.
SOURCE, KEYS, VALUES, KEY_SCALES, VALUE_SCALES, KEY_LENGTHS, PAGE_TABLE, PARTS, SEQUENCES_OF = (
    0,
    8,
    88,
    168,
    248,
    328,
    344,
    424,
    440,
)
PARTS_FIELD = Struct("=Qq")
# step, sequences, sequence_count, layer
SEQUENCES_FIELD = Struct("=QQqq")

# Within a frame. Scalars are what options point to: scale, window_left, window_right, one offset.
QUERIES = 0
QUERY_LENGTHS = QUERIES + TENSOR_BYTES
KEY_VALUES = 96
OPTIONS_AT = KEY_VALUES + KEY_VALUES_BYTES
OUTPUT = OPTIONS_AT + OPTIONS.size
LOG_SUM_EXP = OUTPUT + TENSOR_BYTES
SCALARS_AT = LOG_SUM_EXP + TENSOR_BYTES
MASKS = SCALARS_AT + SCALARS.size
MASK_COUNT = 4
FRAME_BYTES = MASKS + MASK_COUNT * TENSOR_BYTES

# Queries without lengths, and padded keys and values without lengths or scales, in one go.
_FOUR_AXES = "Qii4q4q"
OPERANDS = Struct(f"={_FOUR_AXES}16x8x{_FOUR_AXES}{_FOUR_AXES}{KEY_VALUES_BYTES - KEY_SCALES}x")

# attention_key_values of each source, by its number, with nothing in it.
NO_KEY_VALUES = [Struct("=i").pack(source) + bytes(KEY_VALUES_BYTES - 4) for source in range(LAST_SOURCE + 1)]
NO_LENGTHS = bytes(LENGTHS.size)


class Frame:
    """The bytes of a call's structures, and what must live until it returns."""

    __slots__ = ("memory", "address", "keep", "_lent")

    def __init__(self, size: int = FRAME_BYTES, keep: list | None = None):
        """A frame within another call's shares what that keeps."""
        self.memory = bytearray(size)
        # An array that lends its buffer cannot be resized, so its bytes stay where they are.
        self._lent = ctypes.c_char.from_buffer(self.memory)
        self.address = ctypes.addressof(self._lent)
        self.keep: list = [] if keep is None else keep


_free: list[Frame] = []


def take() -> Frame:
    """A frame that no other call uses."""
    try:
        return _free.pop()
    except IndexError:
        return Frame()


def give_back(frame: Frame) -> None:
    """Lets go of what the call needed, and keeps the frame for another."""
    if frame.keep:
        frame.keep.clear()
    _free.append(frame)


@contextmanager
def frame(size: int = FRAME_BYTES) -> Iterator[Frame]:
    """A frame for the length of a block. What it kept is let go at the block's end, whatever an error's traceback holds."""
    taken = take() if size <= FRAME_BYTES else Frame(size)
    try:
        yield taken
    finally:
        if size <= FRAME_BYTES:
            give_back(taken)
        else:
            taken.keep.clear()
