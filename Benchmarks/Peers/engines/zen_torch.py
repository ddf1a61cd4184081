import os
from functools import partial

import torch

from engines.pytorch import KINDS, tensors_of
from problem import Unsupported


class Zentorch:
    """AMD's operators for PyTorch: `zentorch_sdpa`, for which shared heads are repeated (not timed) or folded into queries, and
    `zentorch_sdpa_attn`, which vLLM calls."""

    def __init__(self, threads: int):
        # Its own kernels, in place of PyTorch's.
        os.environ["ZENTORCH_USE_ZENDNN_SDPA"] = "1"
        import zentorch

        torch.set_num_threads(threads)
        self.version = zentorch.__version__

    def calls(self, problem):
        if problem.softcap is not None:
            raise Unsupported("has no softcap")
        if problem.dtype == "f64":
            raise Unsupported("computes no f64")
        folds = {"": problem} | ({"-folded": problem.folded()} if problem.can_fold else {})
        calls = {f"sdpa{name}": partial(self.sdpa, fold) for name, fold in folds.items()}
        for name, fold in folds.items():
            # Its causal mask has the first query on the first key, and it takes no other.
            if fold.slopes is None and (fold.rule != "causal" or fold.is_open or fold.is_square_causal):
                calls[f"attn{name}"] = partial(self.attn, fold)
        return calls

    def sdpa(self, problem):
        queries, keys, values = tensors_of(problem)
        keys, values = (x.repeat_interleave(problem.group, 1) if problem.group > 1 else x for x in (keys, values))
        bias, is_causal = None, problem.is_square_causal and problem.window is None
        if not is_causal and (mask := problem.mask()) is not None:
            bias = torch.from_numpy(problem.bias(mask) if mask.dtype == bool else mask).to(KINDS[problem.dtype])

        def run():
            with torch.inference_mode():
                return torch.ops.zentorch.zentorch_sdpa(queries, keys, values, 0.0, is_causal, attn_mask=bias)[0]

        return run, lambda output: output.float().numpy()

    def attn(self, problem):
        """Sequences of other lengths one by one: it takes none."""
        queries, keys, values = tensors_of(problem)
        output, batch = torch.zeros_like(queries), problem.batch
        parts = [(queries, keys, values, output)]
        if problem.lengths:
            query_lengths = problem.query_lengths or [problem.query_count] * batch
            parts = [
                (queries[b : b + 1, :, :own], keys[b : b + 1, :, :seen], values[b : b + 1, :, :seen], output[b : b + 1, :, :own])
                for b, (own, seen) in enumerate(zip(query_lengths, problem.lengths))
            ]
        is_causal = not problem.is_open and problem.rule == "causal"
        window = (-1, -1) if problem.window is None or not is_causal else (problem.window, 0)

        def run():
            with torch.inference_mode():
                for part in parts:
                    torch.ops.zentorch.zentorch_sdpa_attn(*part, None, is_causal, None, *window)
            return output

        return run, lambda output: output.float().numpy()
