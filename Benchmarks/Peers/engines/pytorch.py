import numpy as np
import torch

from problem import Unsupported

KINDS = {"f32": torch.float32, "f64": torch.float64, "f16": torch.float16, "bf16": torch.bfloat16}


class PyTorch:
    """`scaled_dot_product_attention`, which dispatches to its flash kernel for CPUs where that can compute the mask."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        self.version = torch.__version__

    def calls(self, problem):
        if problem.softcap is not None:
            raise Unsupported("has no softcap")
        calls = {"sdpa": lambda: self.attention(problem)}
        if problem.can_fold:
            calls["folded"] = lambda: self.attention(problem.folded())
        return calls

    def attention(self, problem):
        kind, tensors = KINDS[problem.dtype], tensors_of(problem)
        options = {"enable_gqa": True} if problem.group > 1 else {}
        if problem.is_square_causal and problem.window is None:
            options["is_causal"] = True
        elif (mask := problem.mask()) is not None:
            bias = torch.from_numpy(mask)
            options["attn_mask"] = bias if bias.dtype == torch.bool else bias.to(kind)

        def run():
            with torch.inference_mode():
                return torch.nn.functional.scaled_dot_product_attention(*tensors, **options)

        return run, lambda output: (output if kind == torch.float64 else output.float()).numpy()


def tensors_of(problem):
    """Queries, keys and values: their bits, where NumPy has no such type of its own."""
    kind, arrays = KINDS[problem.dtype], (problem.queries, problem.keys, problem.values)
    return [torch.from_numpy(x.view(np.int16) if kind == torch.bfloat16 else x).view(kind) for x in arrays]
