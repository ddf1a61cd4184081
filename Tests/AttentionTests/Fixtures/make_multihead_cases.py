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
from dataclasses import dataclass

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


@dataclass
class Module:
    """What nn.MultiheadAttention is made with."""
    width: int
    heads: int
    kdim: int | None = None
    vdim: int | None = None
    bias: bool = True
    dtype: torch.dtype = torch.float32


@dataclass
class Call:
    """The lengths of its inputs: self-attention where `keys` is None, one sequence for keys and values where memory is shared."""
    batch: int
    queries: int
    keys: int | None = None
    shared_memory: bool = False


@dataclass
class Mask:
    """What hides keys or is added to scores."""
    causal: bool = False
    key_lengths: list[int] | None = None
    additive: bool = False


def module_case(name, about, seed, made, call, mask=Mask()):
    """One call of nn.MultiheadAttention."""
    width, dtype = made.width, made.dtype
    generator = torch.Generator().manual_seed(seed)
    torch.manual_seed(seed)
    module = torch.nn.MultiheadAttention(
        width, made.heads, bias=made.bias, kdim=made.kdim, vdim=made.vdim, batch_first=True, dtype=dtype).eval()
    with torch.no_grad():
        # Biases start as zeros, which would hide a wrong one.
        for key, parameter in module.named_parameters():
            if "bias" in key:
                parameter.copy_(0.5 * torch.randn(parameter.shape, generator=generator, dtype=dtype))

    def normal(*shape):
        return torch.randn(shape, generator=generator, dtype=dtype)

    inputs = {"query": normal(call.batch, call.queries, width)}
    if call.keys is not None:
        inputs["key"] = normal(call.batch, call.keys, made.kdim or width)
        if not call.shared_memory:
            inputs["value"] = normal(call.batch, call.keys, made.vdim or width)
    count = call.keys or call.queries
    masks = {}
    attributes = {"heads": made.heads}
    if mask.causal:
        # PyTorch's masks say what is hidden.
        masks["attn_mask"] = torch.ones(call.queries, count, dtype=torch.bool).triu(1)
        attributes["mask"] = "causal"
    if mask.additive:
        inputs["attn_mask"] = normal(call.queries, count)
        masks["attn_mask"] = inputs["attn_mask"]
    if mask.key_lengths is not None:
        masks["key_padding_mask"] = torch.arange(count)[None, :] >= torch.tensor(mask.key_lengths)[:, None]
        attributes["key_lengths"] = ",".join(map(str, mask.key_lengths))

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


@dataclass
class Grouped:
    """The widths of projections with grouped heads."""
    width: int
    heads: int
    key_value_heads: int
    key_dim: int
    value_dim: int
    output_width: int


def grouped_case(name, about, seed, made, batch, count):
    """nn.MultiheadAttention has no grouped heads: projections by hand around the functional attention."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(shape, generator=generator)

    state = {}
    for part, inner, outer in [
        ("q_proj", made.width, made.heads * made.key_dim), ("k_proj", made.width, made.key_value_heads * made.key_dim),
        ("v_proj", made.width, made.key_value_heads * made.value_dim),
        ("o_proj", made.heads * made.value_dim, made.output_width),
    ]:
        state[part + ".weight"] = normal(outer, inner) / inner**0.5
        state[part + ".bias"] = 0.5 * normal(outer)
    query = normal(batch, count, made.width)

    def run(dtype):
        cast = {key: value.to(dtype) for key, value in state.items()}

        def project(part, tensor):
            return F.linear(tensor, cast[part + ".weight"], cast[part + ".bias"])

        q, k, v = (
            project(part, query.to(dtype)).unflatten(-1, (number, -1)).transpose(1, 2)
            for part, number in [
                ("q_proj", made.heads), ("k_proj", made.key_value_heads), ("v_proj", made.key_value_heads)])
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
        return project("o_proj", y.transpose(1, 2).flatten(-2))

    results = {"expected": run(torch.float32), "expected64": run(torch.float64)}
    save(name, about, state | {"query": query} | results, heads=made.heads, key_value_heads=made.key_value_heads,
         mask="causal")


if __name__ == "__main__":
    os.makedirs(FOLDER, exist_ok=True)
    module_case("self", "self-attention, biases", 1, Module(width=24, heads=4), Call(batch=2, queries=7))
    module_case("self_without_biases", "self-attention, no biases", 2, Module(width=24, heads=3, bias=False),
                Call(batch=3, queries=5))
    module_case("causal", "self-attention, causal mask", 3, Module(width=20, heads=2), Call(batch=2, queries=9),
                Mask(causal=True))
    module_case("padded", "self-attention, key padding mask", 4, Module(width=16, heads=4), Call(batch=3, queries=7),
                Mask(key_lengths=[7, 4, 1]))
    module_case("cross_widths", "cross-attention, keys and values of widths of their own", 5,
                Module(width=24, heads=6, kdim=10, vdim=14), Call(batch=2, queries=5, keys=9))
    module_case("cross_widths_without_biases", "the same without biases", 6,
                Module(width=15, heads=5, kdim=7, vdim=31, bias=False), Call(batch=1, queries=8, keys=3))
    module_case("cross_memory", "cross-attention to one other sequence", 7, Module(width=16, heads=2),
                Call(batch=2, queries=6, keys=11, shared_memory=True))
    module_case("cross_additive", "cross-attention to keys and values of their own, additive mask", 8,
                Module(width=16, heads=4), Call(batch=2, queries=6, keys=5), Mask(additive=True))
    module_case("self_float64", "self-attention in float64, odd sizes", 9,
                Module(width=15, heads=3, dtype=torch.float64), Call(batch=1, queries=13))
    grouped_case("grouped", "grouped heads with value widths of their own, causal mask", 10,
                 Grouped(width=21, heads=6, key_value_heads=2, key_dim=5, value_dim=4, output_width=17), batch=2, count=8)
