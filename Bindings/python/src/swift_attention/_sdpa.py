"""PyTorch's scaled_dot_product_attention on this engine."""

from __future__ import annotations

import torch

from ._errors import AttentionError
from ._leading_axes import spread
from ._sdpa_calls import TYPES, check_mask, check_widths, run

PLAIN = (torch.Tensor, torch.nn.Parameter)


def refusal(query, key, value, mask, dropout_p) -> tuple[str, str, str] | None:
    """Why this engine cannot compute a call: a short reason, the argument, and what was given and expected. None where it can, shapes aside."""
    grad = torch.is_grad_enabled()
    # Spelled out for speed: this runs before every call. What has no memory of four strided axes raises where it is asked for that.
    for tensor in (query, key, value) if mask is None else (query, key, value, mask):
        if type(tensor) not in PLAIN or not tensor.is_cpu or tensor.is_neg() or grad and tensor.requires_grad:
            return _refusal_of(
                tensor,
                ("query", "key", "value", "attn_mask")[[t is tensor for t in (query, key, value, mask)].index(True)],
            )
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
        raise AttentionError(
            "query, key, value", f"strided tensors expected, PyTorch says: {str(error).splitlines()[0][:120]}"
        ) from None


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
        strides = (
            (rows * heads * width, width, heads * width, 1)
            if head < row
            else (heads * rows * width, rows * width, width, 1)
        )
        output = query.new_empty_strided((batch, heads, rows, width), strides)
        run(query, key, value, mask, is_causal, scale, output, threads)
        return output
    return spread(query, key, value, mask, is_causal, scale, enable_gqa, threads)


def _autocast(*tensors):
    """As PyTorch does for this function: floats but float64 become the type of the autocast."""
    dtype = torch.get_autocast_dtype("cpu")
    return [t if t is None or not t.is_floating_point() or t.dtype is torch.float64 else t.to(dtype) for t in tensors]
