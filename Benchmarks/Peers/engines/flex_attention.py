from functools import partial
from types import FunctionType

import torch
from torch.nn.attention.flex_attention import create_block_mask, flex_attention

from engines.pytorch import tensors_of
from problem import Unsupported


class FlexAttention:
    """PyTorch's FlexAttention: inductor compiles the mask and what happens to scores into the kernel. It calls a C++ compiler.

    Not timed: which blocks of queries and keys the mask leaves, and compilation.
    """

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        # In this process: others would work beside the next engine's turn.
        torch._inductor.config.compile_threads = 1
        self.version = torch.__version__

    def calls(self, problem):
        if problem.dtype == "f64":
            raise Unsupported("computes no f64 on CPUs")
        calls = {"flex": partial(self.attention, problem)}
        if problem.can_fold:
            calls["folded"] = partial(self.attention, problem.folded())
        return calls

    def attention(self, problem):
        tensors, blocks, count, keys = tensors_of(problem), None, problem.query_count, problem.key_count
        if problem.rule != "none" and not problem.is_open:
            of_each = (problem.batch if problem.lengths else None, None)
            blocks = create_block_mask(visibility(problem), *of_each, count, keys, device="cpu")
        options = {"block_mask": blocks, "score_mod": scores(problem), "enable_gqa": problem.group > 1}

        def attend(queries, keys, values):
            return flex_attention(queries, keys, values, **options)

        # Code of its own: what was compiled for another problem would be looked through first, and there may be so much of it only.
        own = FunctionType(attend.__code__.replace(), attend.__globals__, "attend", None, attend.__closure__)
        compiled = torch.compile(own, dynamic=False)

        def run():
            with torch.inference_mode():
                return compiled(*tensors)

        run()
        return run, lambda output: output.float().numpy()


def positions(problem):
    """Where a query stands among the keys: the last one on the last key. It holds numbers only, which is what inductor can compile."""
    count = problem.query_count // problem.queries_each
    offset = problem.key_count - count
    return (lambda query: query + offset) if problem.queries_each == 1 else (lambda query: query % count + offset)


def visibility(problem):
    """Which keys a query sees, as Flex asks for it."""
    if problem.lengths:
        lengths = torch.tensor(problem.lengths)
        return lambda batch, head, query, key: key < lengths[batch]
    position, window = positions(problem), problem.window
    if window is None:
        return lambda batch, head, query, key: key <= position(query)
    return lambda batch, head, query, key: (key <= position(query)) & (key >= position(query) - window)


def scores(problem):
    """What becomes of a score; None where it stays."""
    cap, position = problem.softcap, positions(problem)
    if problem.slopes is not None:
        slopes = torch.from_numpy(problem.slopes).float()
        return lambda score, batch, head, query, key: score - slopes[head] * (position(query) - key).abs()
    return cap and (lambda score, batch, head, query, key: cap * torch.tanh(score / cap))
