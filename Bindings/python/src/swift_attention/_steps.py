"""Steps: what one pass through a model's layers appends to sequences."""

from __future__ import annotations

from array import array

from . import _frames as frames
from . import _library as library
from ._caches import Sequence, _sequences, pointers_of
from ._errors import AttentionError
from ._frames import TENSOR_BYTES, Frame
from ._key_values import KeyValues
from ._library import Handle
from ._numbers import integer, integers
from ._rotary import Rotary
from ._tensors import pack
from ._threads import Threads, pool_of


class Step:
    """Tokens that are appended to sequences of one cache in all layers, or in none.

        with Step([sequence], [prompt]) as step:
            for layer in range(layers):
                step.write(layer, keys, values)
                y = attention(q, step.key_values(layer), causal=True, query_lengths=step.counts)

    ``appending`` has for each sequence the tokens, which lets others reuse them, or how many: all lists, or all counts. The block's end
    commits; an exception in it cancels, and no sequence has changed then. ``commit`` and ``cancel`` do so without a block.

    Raises AttentionMemoryError where pages are short, AttentionError where a sequence is in another open step or a ring takes fewer tokens a step.
    """

    __slots__ = ("sequences", "counts", "_handle")

    def __init__(self, sequences, appending):
        self.sequences: list[Sequence] = _sequences(sequences)
        self.counts, tokens = _appended(appending)
        if len(self.counts) != len(self.sequences):
            raise AttentionError(
                "appending",
                f"{len(self.counts)} entries given for {len(self.sequences)} sequences, expected one for each",
            )
        pointers, (_kept, counts, count) = pointers_of(self.sequences), integers(self.counts, "appending")
        ids = None if tokens is None else integers(tokens, "appending")
        # An address even where no token comes: it says that tokens are known.
        address = None if ids is None else ids[1] or counts
        self._handle: Handle | None = Handle(
            library.step_create, library.step_destroy, pointers, count, counts, address
        )

    def write(self, layer: int, keys, values, *, rotary: Rotary | None = None, threads: Threads | None = None) -> None:
        """Writes a layer's keys [total, Hkv, D] and values [total, Hkv, Dv] of the appended tokens, one sequence after the other; the keys are
        turned by their positions where ``rotary`` is given. Layers in any order, any float type, any strides. Rows for integers that hold NaN or
        infinities are refused after others were written: the layer counts as not written then, and may be written again."""
        if rotary is not None and not isinstance(rotary, Rotary):
            raise AttentionError("rotary", f"{rotary!r} given, expected a Rotary or None")
        with frames.frame() as frame:
            pointer = self._hold(frame)
            pack(frame, 0, keys, "keys")
            pack(frame, TENSOR_BYTES, values, "values")
            turned = None if rotary is None else rotary._handle.pointer
            number, pool = integer(layer, "layer"), pool_of(threads)
            library.check(
                library.step_write(pointer, number, frame.address, frame.address + TENSOR_BYTES, turned, pool)
            )

    def key_values(self, layer: int) -> KeyValues:
        """A layer of the step's sequences for ``attention``, the appended tokens included once the layer is written."""
        return KeyValues.cached(
            library.STEP, self, integer(layer, "layer"), self.sequences[0].cache.width if self.sequences else 0
        )

    @property
    def positions(self) -> array:
        """The position of each appended token, as array('q')."""
        total = sum(self.counts)
        positions = array("q", bytes(8 * total))
        with frames.frame() as frame:
            library.check(library.step_positions(self._hold(frame), positions.buffer_info()[0], total))
        return positions

    def commit(self) -> None:
        """Makes the tokens part of their sequences. Raises AttentionError where a layer was not written; the step stays open then."""
        with frames.frame() as frame:
            library.check(library.step_commit(self._hold(frame)))
        self._handle = None

    def cancel(self) -> None:
        """Ends the step; one that was not committed leaves no trace. Calls of other threads that are in it end first."""
        self._handle = None

    def pack(self, frame: Frame, offset: int, layer: int) -> None:
        frames.SEQUENCES_FIELD.pack_into(frame.memory, offset, self._hold(frame), 0, 0, layer)

    def __enter__(self) -> Step:
        if self._handle is None:
            raise AttentionError("step", _ENDED)
        return self

    def __exit__(self, error_type, error, traceback) -> None:
        try:
            if error_type is None and self._handle is not None:
                self.commit()
        finally:
            self.cancel()

    def _hold(self, frame: Frame) -> int:
        """The step's pointer, which lives as long as the frame holds the handle. A variable would hold it as well, and then the traceback of an
        error, so that a cancelled step kept its pages until the error was forgotten."""
        frame.keep.append(self._handle)
        if frame.keep[-1] is None:
            raise AttentionError("step", _ENDED)
        return frame.keep[-1].pointer


_ENDED = "a step given that was committed or cancelled, expected an open one"


def _appended(appending) -> tuple[list[int], list[int] | None]:
    """How many tokens each sequence gets, and the tokens where they are known."""
    entries = appending.tolist() if hasattr(appending, "tolist") else list(appending)
    are_counts = [hasattr(entry, "__index__") and not getattr(entry, "shape", ()) for entry in entries]
    if all(are_counts):
        return [integer(entry, "appending") for entry in entries], None
    if any(are_counts):
        raise AttentionError("appending", "counts beside lists of tokens given, expected one or the other")
    lists = [integers(entry, "appending")[0] for entry in entries]
    return [len(each) for each in lists], [token for each in lists for token in each]
