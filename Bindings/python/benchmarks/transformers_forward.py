#!/usr/bin/env python3
"""transformers_forward.py MODELS [--rounds N] [--threads N]: whole forwards of published models in Transformers, with PyTorch's attention and ours.

MODELS is the folder of `make models`. Each row's two ways take turns, so that both meet the same machine; the table has the median of each and of the
ratios of turns. A row where any call was passed on to PyTorch, or whose outputs differ beyond rounding, ends the program.
"""

import argparse
import os
import statistics
import sys
import time
from pathlib import Path

import torch
import transformers

from swift_attention import Threads
from swift_attention.torch import replace_sdpa


def minilm(folder: Path):
    model = transformers.AutoModel.from_pretrained(folder / "all-minilm-l6-v2", attn_implementation="sdpa").eval()
    for batch, length in ((1, 32), (16, 128), (8, 512)):
        tokens = torch.randint(1000, 20000, (batch, length))
        mask = torch.ones_like(tokens)
        # Lengths from half to all, as a batch of sentences has.
        for row in range(batch):
            mask[row, length - row * length // (2 * batch) :] = 0
        yield (
            f"MiniLM, {batch} × {length} padded",
            lambda tokens=tokens, mask=mask: model(tokens, attention_mask=mask).last_hidden_state * mask[..., None],
        )


def smollm2(folder: Path, dtype: torch.dtype):
    options = dict(gguf_file="model.gguf", dtype=dtype, attn_implementation="sdpa")
    model = transformers.AutoModelForCausalLM.from_pretrained(str(folder / "smollm2-135m-instruct"), **options).eval()
    name = f"SmolLM2 135M {str(dtype).removeprefix('torch.')}"
    for length in (128, 512, 2048):
        tokens = torch.randint(100, 40000, (1, length))
        yield f"{name}, prompt of {length}", lambda tokens=tokens: model(tokens, logits_to_keep=1).logits
    for length in (512, 2048):
        cache = model(torch.randint(100, 40000, (1, length)), use_cache=True, logits_to_keep=1).past_key_values

        def step(cache=cache):
            logits = model(torch.tensor([[7]]), past_key_values=cache, use_cache=True).logits
            # A negative number says how many tokens go.
            cache.crop(-1)
            return logits

        yield f"{name}, a token after {length}", step


def timed(call):
    start = time.perf_counter()
    output = call()
    return time.perf_counter() - start, output


def measure(call, rounds: int, pool: Threads | None):
    """Seconds with PyTorch's attention, seconds with ours, the ratio of turns, and the largest difference of outputs as a part of the largest output."""
    expected = call()
    plain, ours = [], []
    for _ in range(rounds):
        plain.append(timed(call)[0])
        with replace_sdpa(threads=pool) as replaced:
            seconds, output = timed(call)
        if replaced.passed_on or replaced.calls == 0:
            sys.exit(f"passed on: {replaced}")
        ours.append(seconds)
    difference = ((output - expected).abs().max() / expected.abs().max()).item()
    if difference > (0.1 if output.dtype == torch.bfloat16 else 1e-3):
        sys.exit(f"outputs differ by {difference:.1e} of the largest")
    return (
        statistics.median(plain),
        statistics.median(ours),
        statistics.median(a / b for a, b in zip(plain, ours)),
        difference,
    )


@torch.inference_mode()
def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("models", type=Path)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    arguments = parser.parse_args()
    torch.manual_seed(1)
    torch.set_num_threads(arguments.threads)
    pool = Threads(arguments.threads)
    print(
        f"PyTorch {torch.__version__}, Transformers {transformers.__version__}, {arguments.threads} threads, load {os.getloadavg()[0]:.1f}\n"
    )
    print("| | PyTorch's attention, ms | ours, ms | times as fast | largest difference |\n|---|--:|--:|--:|--:|")
    rows = [
        minilm(arguments.models),
        smollm2(arguments.models, torch.float32),
        smollm2(arguments.models, torch.bfloat16),
    ]
    for group in rows:
        for name, call in group:
            plain, ours, ratio, difference = measure(call, arguments.rounds, pool)
            print(f"| {name} | {plain * 1e3:.1f} | {ours * 1e3:.1f} | {ratio:.2f} | {difference:.0e} |", flush=True)


if __name__ == "__main__":
    main()
