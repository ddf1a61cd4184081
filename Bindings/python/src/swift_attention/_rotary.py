"""Rotary position embedding."""

from __future__ import annotations

from . import _frames as frames
from . import _library as library
from ._library import Handle
from ._numbers import integer, integers, number
from ._results import was_written
from ._tensors import pack


class Rotary:
    """Pairs of a row's numbers turned by angles that grow with its position: pair i of a row at position p by ``p * base**(-2i/R)``.

    - ``depth``: how many numbers a row has. ``rotated``: R, how many of the first are turned, an even number; 0 for all.
    - ``positions``: positions are below this.
    - ``interleaved``: pairs (x[2i], x[2i+1]); otherwise (x[i], x[i + R/2]).

    Raises AttentionError for sizes that do not fit, AttentionMemoryError where the tables find no memory.
    """

    __slots__ = ("_handle",)

    def __init__(
        self, depth: int, positions: int, *, base: float = 10000.0, rotated: int = 0, interleaved: bool = False
    ):
        sizes = integer(depth, "depth"), integer(rotated, "rotated"), integer(positions, "positions")
        self._handle = Handle(
            library.rotary_create, library.rotary_destroy, *sizes, number(base, "base"), 1 if interleaved else 0
        )

    def apply(self, tensor, positions):
        """Turns ``tensor`` [B, H, T, D] in place; ``positions`` has one for each of the T rows, the same for all sequences and heads. Any strides,
        any float type. Returns ``tensor``. Raises AttentionError for positions out of range; nothing is turned then."""
        kept, address, count = integers(positions, "positions")
        with frames.frame() as frame:
            pack(frame, 0, tensor, "tensor", True)
            library.check(library.rotary_apply(self._handle.pointer, frame.address, address, count))
        del kept
        was_written(tensor)
        return tensor
