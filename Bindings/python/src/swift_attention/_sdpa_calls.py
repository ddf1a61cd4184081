"""One call of scaled_dot_product_attention on tensors of four axes, and the checks of its shapes."""

from __future__ import annotations

import torch

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._options import pack_options

TYPES = {
    torch.float32: library.FLOAT32,
    torch.float64: library.FLOAT64,
    torch.float16: library.FLOAT16,
    torch.bfloat16: library.BFLOAT16,
}
_OPERANDS, _TENSOR = frames.OPERANDS.pack_into, frames.TENSOR[4].pack_into


def run(query, key, value, mask, is_causal, scale, output, threads) -> None:
    """One call of the library: four axes each, heads and batch as it takes them."""
    heads, kv_heads = query.shape[1], key.shape[1]
    if output.numel() == 0:
        return
    if kv_heads == 0 or heads % kv_heads:
        raise AttentionError("key", f"{kv_heads} heads given, expected a divisor of the query's {heads}")
    if query.shape[3] == 0:
        # Every score is 0 then, as with one column of zeros.
        query, key, scale = query.new_zeros((*query.shape[:3], 1)), key.new_zeros((*key.shape[:3], 1)), 1.0
    frame, code = frames.take(), TYPES[query.dtype]
    try:
        memory, address = frame.memory, frame.address
        _OPERANDS(
            memory, frames.QUERIES, query.data_ptr(), code, 4, *query.shape, *query.stride(), key.data_ptr(), code, 4, *key.shape,
            *key.stride(), value.data_ptr(), code, 4, *value.shape, *value.stride(),
        )  # fmt: skip
        _TENSOR(memory, frames.OUTPUT, output.data_ptr(), code, 4, *output.shape, *output.stride())
        pack_options(
            frame, scale=scale, causal=is_causal, alignment="top_left", window=None, keeping_first=0, masks=mask, alibi_slopes=None,
            softcap=0.0, sinks=None, threads=threads, softmax_float64=False, modifier=None,
        )  # fmt: skip
        status = library.run(
            address, address + frames.KEY_VALUES, address + frames.OPTIONS_AT, address + frames.OUTPUT, None
        )
        if status:
            library.check(status, _NAMES)
    finally:
        frames.give_back(frame)


_NAMES = {"queries": "query", "keys": "key", "values": "value", "masks[0]": "attn_mask", "masks": "attn_mask"}


def check_widths(q, k, v) -> None:
    if q[-1] != k[-1]:
        raise AttentionError("key", f"shape {list(k)} given, expected a last axis of {q[-1]}, the query's")
    if k[-2] != v[-2]:
        raise AttentionError("value", f"shape {list(v)} given, expected {k[-2]} rows, the key's")


def check_mask(mask, full) -> None:
    """That a mask of this shape broadcasts to the scores' without making them larger."""
    if not 1 <= len(mask) <= len(full) or any(
        have not in (1, want) for have, want in zip(reversed(mask), reversed(full))
    ):
        raise AttentionError("attn_mask", f"shape {list(mask)} given, expected one that broadcasts to {list(full)}")
