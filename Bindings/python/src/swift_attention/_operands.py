"""Queries, keys and values of a call as `attention` takes them."""

from __future__ import annotations

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._frames import Frame
from ._key_values import KeyValues, pack_key_values
from ._numbers import integers
from ._tensors import pack, read


def pack_operands(
    frame: Frame, query, key, value, key_scales, value_scales, page_table, lengths, query_lengths
) -> tuple[int, tuple, int]:
    """Queries, keys and values; returns the queries' type and shape, and how wide a value is."""
    if (key_scales is value_scales is page_table is lengths is query_lengths is None) and not isinstance(key, KeyValues):
        return _pack_plain(frame, query, key, value)
    type, shape = pack(frame, frames.QUERIES, query, "query")
    _check_query_axes(shape, query_lengths)
    if query_lengths is None:
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


def _pack_plain(frame: Frame, query, key, value) -> tuple[int, tuple, int]:
    """Padded queries, keys and values and nothing else, written in one go: 2 us less than one structure at a time."""
    address, type, shape, strides = read(frame, query, "query")
    key_address, key_type, key_shape, key_strides = read(frame, key, "key")
    value_address, value_type, value_shape, value_strides = read(frame, value, "value")
    _check_query_axes(shape, None)
    for argument, given in (("key", key_shape), ("value", value_shape)):
        if len(given) != 4:
            raise AttentionError(
                argument, f"shape {list(given)} given, expected [B, Hkv, Tk, width], or three axes with lengths"
            )
    frames.OPERANDS.pack_into(
        frame.memory, frames.QUERIES, address, type, 4, *shape, *strides, key_address, key_type, 4, *key_shape, *key_strides,
        value_address, value_type, 4, *value_shape, *value_strides,
    )  # fmt: skip
    return type, shape, value_shape[3]


def _check_query_axes(shape, query_lengths) -> None:
    if len(shape) < 3:
        raise AttentionError(
            "query", f"shape {list(shape)} given, expected [B, Hq, Tq, D], or [total, Hq, D] with query_lengths"
        )
    if len(shape) == 3 and query_lengths is None:
        raise AttentionError(
            "query_lengths",
            f"None given for queries of shape {list(shape)}, expected the length of each packed sequence",
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
