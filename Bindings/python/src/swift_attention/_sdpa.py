"""PyTorch's scaled_dot_product_attention on this engine."""

from __future__ import annotations

from itertools import product
from math import lcm

import torch

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._options import pack_options

TYPES = {torch.float32: library.FLOAT32, torch.float64: library.FLOAT64, torch.float16: library.FLOAT16, torch.bfloat16: library.BFLOAT16}
PLAIN = (torch.Tensor, torch.nn.Parameter)
_OPERANDS, _TENSOR = frames.OPERANDS.pack_into, frames.TENSOR[4].pack_into


def refusal(query, key, value, mask, dropout_p) -> tuple[str, str, str] | None:
    """Why this engine cannot compute a call: a short reason, the argument, and what was given and expected. None where it can, shapes aside."""
    grad = torch.is_grad_enabled()
    # Spelled out for speed: this runs before every call. What has no memory of four strided axes raises where it is asked for that.
    for tensor in (query, key, value) if mask is None else (query, key, value, mask):
        if type(tensor) not in PLAIN or not tensor.is_cpu or tensor.is_neg() or grad and tensor.requires_grad:
            return _refusal_of(tensor, ("query", "key", "value", "attn_mask")[[t is tensor for t in (query, key, value, mask)].index(True)])
    if query.dtype not in TYPES:
        return "dtype", "query", f"{query.dtype} given, expected float32, float64, float16 or bfloat16"
    if dropout_p > 0:
        return "dropout", "dropout_p", f"{dropout_p} given, expected 0: this is inference"
    # Per-thread states in which tensors stand for others. None of the three has a public question.
    if torch.autograd.forward_ad._current_level >= 0:
        return "gradients", "query", "forward-mode gradients are on, expected none"
    if torch._C._len_torch_dispatch_stack() or torch._C._functorch.maybe_current_level() is not None:
        return "transform", "query", "a dispatch mode or torch.func transform is on, expected none"
    return None


def _refusal_of(tensor, argument: str) -> tuple[str, str, str]:
    if type(tensor) not in PLAIN:
        return "tensor subclass", argument, f"{type(tensor).__qualname__} given, expected a plain torch.Tensor"
    if not tensor.is_cpu:
        return "device", argument, f"a tensor on {tensor.device} given, expected one on the CPU"
    if tensor.is_neg():
        return "layout", argument, "a view of negated numbers given, expected tensor.resolve_neg()"
    return "gradients", argument, "a tensor that requires gradients given, expected torch.no_grad() or inference_mode()"


def attend(query, key, value, mask, is_causal, scale, enable_gqa, threads):
    """The call, where ``refusal`` has nothing to say. Raises AttentionError for shapes, types and layouts that do not fit."""
    try:
        return _attend(query, key, value, mask, is_causal, scale, enable_gqa, threads)
    except RuntimeError as error:
        # Sparse and nested tensors have no strides, and others no memory.
        raise AttentionError("query, key, value", f"strided tensors expected, PyTorch says: {str(error).splitlines()[0][:120]}") from None


def _attend(query, key, value, mask, is_causal, scale, enable_gqa, threads):
    if torch.is_autocast_enabled("cpu"):
        query, key, value, mask = _autocast(query, key, value, mask)
    dtype = query.dtype
    if key.dtype is not dtype or value.dtype is not dtype:
        argument, other = ("key", key) if key.dtype is not dtype else ("value", value)
        raise AttentionError(argument, f"{other.dtype} given, expected {dtype}, the query's")
    if mask is not None:
        if is_causal:
            raise AttentionError("attn_mask", "given with is_causal=True, expected one of both")
        if mask.dtype not in (torch.bool, torch.float32, dtype):
            raise AttentionError("attn_mask", f"{mask.dtype} given, expected bool, float32 or {dtype}, the query's")
    q, k, v = query.shape, key.shape, value.shape
    if len(q) == len(k) == len(v) == 4 and q[0] == k[0] == v[0] and k[1] == v[1] and (q[1] == k[1] or enable_gqa):
        check_widths(q, k, v)
        if mask is not None:
            check_mask(mask.shape, (q[0], q[1], q[2], k[2]))
        batch, heads, rows, width = q[0], q[1], q[2], v[3]
        # Laid out as the queries are, which is how PyTorch's kernel for CPUs does it: a model that took heads out of [B, T, H * D] puts them
        # side by side again without a copy.
        _, head, row, _ = query.stride()
        strides = (rows * heads * width, width, heads * width, 1) if head < row else (heads * rows * width, rows * width, width, 1)
        output = query.new_empty_strided((batch, heads, rows, width), strides)
        run(query, key, value, mask, is_causal, scale, output, threads)
        return output
    return _spread(query, key, value, mask, is_causal, scale, enable_gqa, threads)


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
        status = library.run(address, address + frames.KEY_VALUES, address + frames.OPTIONS_AT, address + frames.OUTPUT, None)
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
    if not 1 <= len(mask) <= len(full) or any(have not in (1, want) for have, want in zip(reversed(mask), reversed(full))):
        raise AttentionError("attn_mask", f"shape {list(mask)} given, expected one that broadcasts to {list(full)}")


def _autocast(*tensors):
    """As PyTorch does for this function: floats but float64 become the type of the autocast."""
    dtype = torch.get_autocast_dtype("cpu")
    return [t if t is None or not t.is_floating_point() or t.dtype is torch.float64 else t.to(dtype) for t in tensors]


def _spread(query, key, value, mask, is_causal, scale, enable_gqa, threads):
    """Any number of axes from 2 on, leading ones broadcast between the tensors: views of four axes, and a call for each that no view joins."""
    for argument, tensor in (("query", query), ("key", key), ("value", value)):
        if tensor.dim() < (3 if enable_gqa else 2):
            raise AttentionError(argument, f"shape {list(tensor.shape)} given, expected {3 if enable_gqa else 2} axes or more")
    check_widths(query.shape, key.shape, value.shape)
    axes = max(2, query.dim(), key.dim(), value.dim())
    rank = max(4, axes)
    query, key, value = (t[(None,) * (rank - t.dim())] for t in (query, key, value))
    heads = query.shape[-3]
    if enable_gqa:
        key, value = _same_heads(heads, key, value)
    else:
        heads = _common([t.shape[-3:-2] for t in (query, key, value)])[0]
        query, key, value = (t.expand(*t.shape[:-3], heads, *t.shape[-2:]) for t in (query, key, value))
    leading = _common([t.shape[:-3] for t in (query, key, value)])
    query, key, value = (t.expand(*leading, *t.shape[-3:]) for t in (query, key, value))
    full = (*leading, heads, query.shape[-2], key.shape[-2])
    if mask is not None:
        check_mask(mask.shape, full[rank - axes :])
        mask = mask[(None,) * (rank - mask.dim())]
    output = query.new_empty((*leading, heads, query.shape[-2], value.shape[-1]))
    for operands in _fours(query, key, value, mask, output, leading):
        run(*operands[:4], is_causal, scale, operands[4], threads)
    return output[(0,) * (rank - axes)]


def _same_heads(heads: int, key, value):
    """Keys and values with a number of heads in common. Where they differ, the fewer are repeated in new memory, as PyTorch does with all."""
    for argument, tensor in (("key", key), ("value", value)):
        if tensor.shape[-3] == 0 or heads % tensor.shape[-3]:
            raise AttentionError(argument, f"{tensor.shape[-3]} heads given, expected a divisor of the query's {heads}")
    both = lcm(key.shape[-3], value.shape[-3])
    return [t if t.shape[-3] == both else t.repeat_interleave(both // t.shape[-3], dim=-3) for t in (key, value)]


def _common(shapes) -> tuple[int, ...]:
    try:
        return tuple(torch.broadcast_shapes(*shapes))
    except RuntimeError:
        given = ", ".join(str(list(shape)) for shape in shapes)
        raise AttentionError("query, key, value", f"leading axes {given} given, expected ones that broadcast (heads, enable_gqa aside)") from None


def _fours(query, key, value, mask, output, leading):
    """(query, key, value, mask, output) of four axes each: one where the leading axes are one in memory, else one for each index of all but the last."""
    if len(leading) == 1:
        return [(query, key, value, mask, output)]
    has_batch = mask is not None and any(length != 1 for length in mask.shape[: len(leading)])
    if has_batch:
        mask = mask.expand(*leading, *mask.shape[-3:])
    try:
        joined = [t.view(-1, *t.shape[-3:]) for t in (query, key, value, output)]
        mask_joined = mask if mask is None else mask.view(-1, *mask.shape[-3:])
        return [(*joined[:3], mask_joined, joined[3])]
    except RuntimeError:
        pass
    places = product(*(range(length) for length in leading[:-1]))
    return [
        (query[at], key[at], value[at], mask if mask is None else mask[at] if has_batch else mask[(0,) * len(at)], output[at]) for at in places
    ]
