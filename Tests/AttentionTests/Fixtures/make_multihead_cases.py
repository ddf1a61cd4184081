#!/usr/bin/env python3
"""Writes the cases in multihead/: what PyTorch's multi-head attention makes of small random inputs.

    pip install torch numpy safetensors
    python make_multihead_cases.py

Each file holds the module's parameters under their names in `state_dict()`, its inputs (`query`, and `key`, `value` where
they are others; batch first), `expected` (the module's result in the file's type) and `expected64` (the same module on the
same numbers in float64). Metadata: `heads`, `key_value_heads` where they are fewer, `mask` (`causal`, or nothing),
`key_lengths`, what the case is about, and the versions that made it.
"""

import copy
import os

import numpy
import safetensors
import torch
import torch.nn.functional as F
from safetensors.torch import save_file

FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "multihead")


def save(name, about, tensors, **attributes):
    metadata = {key: str(value) for key, value in attributes.items()}
    metadata["about"] = about
    metadata["made_with"] = f"torch {torch.__version__}, numpy {numpy.__version__}, safetensors {safetensors.__version__}"
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    save_file(tensors, os.path.join(FOLDER, name + ".safetensors"), metadata=metadata)


def module_case(name, about, seed, *, width, heads, batch, queries, keys=None, kdim=None, vdim=None, shared_memory=False,
                bias=True, causal=False, key_lengths=None, additive=False, dtype=torch.float32):
    """One call of nn.MultiheadAttention: self-attention where `keys` is None."""
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    module = torch.nn.MultiheadAttention(width, heads, bias=bias, kdim=kdim, vdim=vdim, batch_first=True, dtype=dtype).eval()
    with torch.no_grad():
        # Biases start as zeros, which would hide a wrong one.
        for key, parameter in module.named_parameters():
            if "bias" in key:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=dtype))

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    inputs = {"query": normal(batch, queries, width)}
    if keys is not None:
        inputs["key"] = normal(batch, keys, kdim or width)
        if not shared_memory:
            inputs["value"] = normal(batch, keys, vdim or width)
    count = keys or queries
    masks = {}
    attributes = {"heads": heads}
    if causal:
        # PyTorch's masks say what is hidden.
        masks["attn_mask"] = torch.ones(queries, count, dtype=torch.bool).triu(1)
        attributes["mask"] = "causal"
    if additive:
        inputs["attn_mask"] = normal(queries, count)
        masks["attn_mask"] = inputs["attn_mask"]
    if key_lengths is not None:
        masks["key_padding_mask"] = torch.arange(count)[None, :] >= torch.tensor(key_lengths)[:, None]
        attributes["key_lengths"] = ",".join(map(str, key_lengths))

    def run(module, dtype):
        def cast(tensor):
            return tensor if tensor.dtype == torch.bool else tensor.to(dtype)
        query = cast(inputs["query"])
        key = cast(inputs.get("key", inputs["query"]))
        value = cast(inputs.get("value", inputs.get("key", inputs["query"])))
        with torch.no_grad():
            result, _ = module(query, key, value, need_weights=False, **{k: cast(v) for k, v in masks.items()})
        return result

    results = {"expected": run(module, dtype), "expected64": run(copy.deepcopy(module).double(), torch.float64)}
    assert all(result.isfinite().all() for result in results.values()), name
    save(name, about, module.state_dict() | inputs | results, **attributes)


def grouped_case(name, about, seed, *, width, heads, key_value_heads, key_dim, value_dim, batch, count, output_width):
    """nn.MultiheadAttention has no grouped heads: projections by hand around the functional attention."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    state = {}
    for part, inner, outer in [
        ("q_proj", width, heads * key_dim), ("k_proj", width, key_value_heads * key_dim),
        ("v_proj", width, key_value_heads * value_dim), ("o_proj", heads * value_dim, output_width),
    ]:
        state[part + ".weight"] = normal(outer, inner) / inner**0.5
        state[part + ".bias"] = 0.5 * normal(outer)
    query = normal(batch, count, width)

    def run(dtype):
        cast = {key: value.to(dtype) for key, value in state.items()}

        def project(part, tensor):
            return F.linear(tensor, cast[part + ".weight"], cast[part + ".bias"])

        q, k, v = (
            project(part, query.to(dtype)).unflatten(-1, (number, -1)).transpose(1, 2)
            for part, number in [("q_proj", heads), ("k_proj", key_value_heads), ("v_proj", key_value_heads)])
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return project("o_proj", y.transpose(1, 2).flatten(-2))

    results = {"expected": run(torch.float32), "expected64": run(torch.float64)}
    save(name, about, state | {"query": query} | results, heads=heads, key_value_heads=key_value_heads, mask="causal")


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    module_case("self", "self-attention, biases", 1, width=24, heads=4, batch=2, queries=7)
    module_case("self_without_biases", "self-attention, no biases", 2, width=24, heads=3, batch=3, queries=5, bias=False)
    module_case("causal", "self-attention, causal mask", 3, width=20, heads=2, batch=2, queries=9, causal=True)
    module_case("padded", "self-attention, key padding mask", 4, width=16, heads=4, batch=3, queries=7, key_lengths=[7, 4, 1])
    module_case("cross_widths", "cross-attention, keys and values of widths of their own", 5, width=24, heads=6, batch=2,
                queries=5, keys=9, kdim=10, vdim=14)
    module_case("cross_widths_without_biases", "the same without biases", 6, width=15, heads=5, batch=1, queries=8, keys=3,
                kdim=7, vdim=31, bias=False)
    module_case("cross_memory", "cross-attention to one other sequence", 7, width=16, heads=2, batch=2, queries=6, keys=11,
                shared_memory=True)
    module_case("cross_additive", "cross-attention to keys and values of their own, additive mask", 8, width=16, heads=4,
                batch=2, queries=6, keys=5, additive=True)
    module_case("self_float64", "self-attention in float64, odd sizes", 9, width=15, heads=3, batch=1, queries=13,
                dtype=torch.float64)
    grouped_case("grouped", "grouped heads with value widths of their own, causal mask", 10, width=21, heads=6,
                 key_value_heads=2, key_dim=5, value_dim=4, batch=2, count=8, output_width=17)
