"""Queries, keys and values of a call as `attention` takes them."""

from __future__ import annotations

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._frames import Frame
from ._key_values import KeyValues, pack_key_values
from ._numbers import integers
from ._tensors import pack


def pack_operands(
    frame: Frame, query, key, value, key_scales, value_scales, page_table, lengths, query_lengths
) -> tuple[int, tuple, int]:
    """Queries, keys and values; returns the queries' type and shape, and how wide a value is."""
    type, shape = pack(frame, frames.QUERIES, query, "query")
    if len(shape) < 3:
        raise AttentionError(
            "query", f"shape {list(shape)} given, expected [B, Hq, Tq, D], or [total, Hq, D] with query_lengths"
        )
    if query_lengths is None:
        if len(shape) == 3:
            raise AttentionError(
                "query_lengths",
                f"None given for queries of shape {list(shape)}, expected the length of each packed sequence",
            )
        frame.memory[frames.QUERY_LENGTHS : frames.QUERY_LENGTHS + frames.LENGTHS.size] = frames.NO_LENGTHS
    else:
        kept, address, count = integers(query_lengths, "query_lengths")
        frame.keep.append(kept)
        frames.LENGTHS.pack_into(frame.memory, frames.QUERY_LENGTHS, address, count)
    if isinstance(key, KeyValues):
        for name, given in (
            ("value", value),
            ("lengths", lengths),
            ("key_scales", key_scales),
            ("value_scales", value_scales),
            ("page_table", page_table),
        ):
            if given is not None:
                raise AttentionError(name, "given beside a KeyValues, which has its own, expected None")
        return type, shape, key.pack(frame, frames.KEY_VALUES)
    source = library.PADDED if page_table is None else library.PAGED
    if source == library.PADDED and lengths is not None and len(getattr(key, "shape", ())) == 3:
        source = library.PACKED
    return (
        type,
        shape,
        pack_key_values(
            frame,
            frames.KEY_VALUES,
            source,
            key,
            value,
            key_scales,
            value_scales,
            lengths,
            page_table,
            ("key", "value"),
        ),
    )


# How the library calls what `attention` calls otherwise.
_NAMES = {
    "queries": "query",
    "queries.lengths": "query_lengths",
    "output": "out",
    "window_left": "window",
    "window_right": "window",
    "offsets": "alignment",
    "softmax_in_float64": "softmax_float64",
    "key_values": "key",
}
_TENSOR_NAMES = _NAMES | {"keys": "key", "values": "value"}


def names_of(key) -> dict[str, str]:
    """The names of our arguments by those of the library. A KeyValues has keys and values of its own."""
    return _NAMES if isinstance(key, KeyValues) else _TENSOR_NAMES
