"""The operator."""

from __future__ import annotations

import ctypes
from typing import Callable

from . import _frames as frames
from . import _library as library
from ._modifier import Scores
from ._operands import names_of, pack_operands
from ._options import pack_options
from ._results import log_sum_exp_type, result_like, was_written
from ._tensors import pack
from ._threads import Threads


def attention(
    query,
    key,
    value=None,
    *,
    scale: float | None = None,
    causal: bool = False,
    alignment="bottom_right",
    window: tuple[int | None, int | None] | None = None,
    keeping_first: int = 0,
    masks=None,
    alibi_slopes=None,
    softcap: float = 0.0,
    sinks=None,
    lengths=None,
    query_lengths=None,
    key_scales=None,
    value_scales=None,
    page_table=None,
    out=None,
    return_lse: bool = False,
    threads: Threads | None = None,
    softmax_float64: bool = False,
    modifier: Callable[[Scores], None] | None = None,
):
    """Attention, into new memory or into ``out``.

        s[i,j] = scale * (q[i] . k[j])          scale defaults to 1/sqrt(D)
        s[i,j] = softcap * tanh(s[i,j]/softcap) where softcap > 0
        s[i,j] += bias[i,j]                     float masks, then ALiBi, then the modifier
        s[i,j] = -inf                           where key j is not visible to query i
        y[i]   = sum_j softmax_j(s[i,j]) * v[j]
        lse[i] = log(sum_j exp(s[i,j]))         a sink is not counted

    B sequences, Hq query heads, Hkv key/value heads (Hq a multiple of Hkv: query head h reads key/value head h // (Hq // Hkv)), Tq queries, Tk
    keys, widths D and Dv. Tensors are NumPy arrays, PyTorch tensors on the CPU, or have ``__dlpack__``; any strides, no copies.

    - ``query``: [B, Hq, Tq, D], with ``query_lengths`` the first rows of each sequence; or packed, [total, Hq, D] with ``query_lengths``.
      float32, float64, float16 or bfloat16.
    - ``key``, ``value``: [B, Hkv, Tk, D] and [B, Hkv, Tk, Dv], with ``lengths`` the first rows of each sequence; packed where they have three
      axes, [total, Hkv, D] with ``lengths``; pages where there is a ``page_table``. Or ``key`` is a KeyValues and ``value`` is None. Types of
      their own: float32, float16, bfloat16, float64 beside float64 queries, or int8 with ``key_scales`` and ``value_scales``.
    - ``causal``: j <= i + offset. ``alignment`` says the offset: "bottom_right" puts the last query on the last key, "top_left" query 0 on
      key 0; an integer is the offset itself, and a list has one for each sequence.
    - ``window``: (left, right), i + offset - left <= j <= i + offset + right; None is unbounded. The first ``keeping_first`` keys stay visible.
    - ``masks``: one, or a list. bool: a key is visible where true. Float: added to the scores. Each broadcasts to [B, Hq, Tq, Tk], except that a
      last axis shorter than Tk, and longer than 1, hides the rest.
    - ``alibi_slopes``: one a query head, -slope * |i + offset - j| is added. ``sinks``: one a query head, a logit without a value.
    - ``softmax_float64``: scores, softmax and sums in float64.
    - ``modifier``: called with Scores, in place, on many threads one at a time: Python's speed, not the kernels'. Needs NumPy.
    - ``out``: memory of the result's shape and type that overlaps no operand.

    Returns [B, Hq, Tq, Dv], or [total, Hq, Dv] of packed queries, in the type of the queries and in their library (NumPy or PyTorch; of other
    DLPack tensors NumPy where installed, else PyTorch), or ``out``; with ``return_lse`` a pair with the log-sum-exps [B, Hq, Tq] or [Hq, total],
    float32 (float64 beside float64 queries).

    A query that sees no key gives 0, with a log-sum-exp of -inf. Rows past ``query_lengths`` give the same. NaN in what no query sees reaches no
    result.

    Raises AttentionError for what does not fit, AttentionMemoryError where the system has no memory, and what a modifier raised. Nothing is
    written unless a modifier raised.
    """
    frame = frames.take()
    try:
        type, shape, width = pack_operands(
            frame, query, key, value, key_scales, value_scales, page_table, lengths, query_lengths
        )
        changes = pack_options(
            frame, scale=scale, causal=causal, alignment=alignment, window=window, keeping_first=keeping_first, masks=masks,
            alibi_slopes=alibi_slopes, softcap=softcap, sinks=sinks, threads=threads, softmax_float64=softmax_float64, modifier=modifier,
        )  # fmt: skip
        output = result_like(query, type, (*shape[:-1], width)) if out is None else out
        pack(frame, frames.OUTPUT, output, "output" if out is None else "out", True)
        sums = None
        if return_lse:
            rows = shape[:-1] if len(shape) == 4 else (shape[1], shape[0])
            sums = result_like(query, log_sum_exp_type(type), rows)
            pack(frame, frames.LOG_SUM_EXP, sums, "log_sum_exp", True)
        address = frame.address
        status = library.run(
            address,
            address + frames.KEY_VALUES,
            address + frames.OPTIONS_AT,
            address + frames.OUTPUT,
            None if sums is None else address + frames.LOG_SUM_EXP,
        )
        if changes is not None:
            if not status and out is not None:
                was_written(out)
            changes.check()
        if status:
            library.check(status, names_of(key))
    finally:
        frames.give_back(frame)
    if out is not None:
        was_written(out)
    return output if sums is None else (output, sums)


def describe(
    query,
    key,
    value=None,
    *,
    lengths=None,
    query_lengths=None,
    key_scales=None,
    value_scales=None,
    page_table=None,
    **options,
) -> str:
    """How ``attention`` would compute a call, as text: kernel, tiles, threads and memory, and why. The arguments are those of ``attention``, but
    for ``out`` and ``return_lse``."""
    unset = dict(
        scale=None, causal=False, alignment="bottom_right", window=None, keeping_first=0, masks=None, alibi_slopes=None, softcap=0.0, sinks=None,
        threads=None, softmax_float64=False, modifier=None,
    )  # fmt: skip
    for name in options:
        if name not in unset:
            raise TypeError(f"describe() got an unexpected keyword argument {name!r}")
    with frames.frame() as frame:
        pack_operands(frame, query, key, value, key_scales, value_scales, page_table, lengths, query_lengths)
        pack_options(frame, **(unset | options))
        operands = [frame.address + place for place in (frames.QUERIES, frames.KEY_VALUES, frames.OPTIONS_AT)]
        length = ctypes.c_size_t()
        library.check(library.describe(*operands, None, 0, length), names_of(key))
        text = ctypes.create_string_buffer(length.value + 1)
        library.check(library.describe(*operands, ctypes.addressof(text), len(text), length), names_of(key))
        return text.value.decode()
