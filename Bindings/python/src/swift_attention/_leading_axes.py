"""scaled_dot_product_attention on any number of axes: views of four of them."""

from __future__ import annotations

from itertools import product
from math import lcm

import torch

from ._errors import AttentionError
from ._sdpa_calls import check_mask, check_widths, run


def spread(query, key, value, mask, is_causal, scale, enable_gqa, threads):
    """Any number of axes from 2 on, leading ones broadcast between the tensors: views of four axes, and a call for each that no view joins."""
    for argument, tensor in (("query", query), ("key", key), ("value", value)):
        if tensor.dim() < (3 if enable_gqa else 2):
            raise AttentionError(
                argument, f"shape {list(tensor.shape)} given, expected {3 if enable_gqa else 2} axes or more"
            )
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
        raise AttentionError(
            "query, key, value", f"leading axes {given} given, expected ones that broadcast (heads, enable_gqa aside)"
        ) from None


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
        (
            query[at],
            key[at],
            value[at],
            mask if mask is None else mask[at] if has_batch else mask[(0,) * len(at)],
            output[at],
        )
        for at in places
    ]
