import numpy as np

from problem import Unsupported

# Rows of scores at a time: they stay in a cache, and what a causal mask hides is left out block by block.
BLOCK = 256


class PlainNumPy:
    """What can be written without an engine: products by NumPy's BLAS, softmax between them, a block of queries at a time."""

    def __init__(self, threads: int):
        # The number of threads is that of its BLAS, which reads the environment when it is loaded.
        self.version = np.__version__

    def calls(self, problem):
        if problem.dtype not in ("f32", "f64"):
            raise Unsupported(f"computes no {problem.dtype}")
        chosen = problem.folded() if problem.can_fold else problem
        return {"matmul": lambda: self.attention(chosen)}

    def attention(self, problem):
        queries, keys, values = problem.wide
        # One key/value head for each query head; no copy.
        keys, values = (
            np.broadcast_to(x[:, :, None], (*x.shape[:2], problem.group, *x.shape[2:])).reshape(
                problem.batch, problem.heads, *x.shape[2:]
            )
            if problem.group > 1
            else x
            for x in (keys, values)
        )
        mask, blocks = problem.mask(), []
        for first in range(0, problem.query_count, BLOCK):
            rows = slice(first, min(first + BLOCK, problem.query_count))
            if mask is None:
                blocks.append((rows, slice(0, problem.key_count), None))
                continue
            visible = mask[:, :, rows] if mask.shape[2] > 1 else mask
            seen = np.flatnonzero(visible.any(axis=(0, 1, 2)))
            columns = slice(int(seen[0]), int(seen[-1]) + 1)
            bias = np.where(visible[..., columns], 0, -np.inf).astype(queries.dtype)
            blocks.append((rows, columns, bias))
        scale = queries.dtype.type(1 / np.sqrt(queries.shape[-1]))
        output = np.empty(problem.output_shape, queries.dtype)

        def run():
            for sequence in range(problem.batch):
                for rows, columns, bias in blocks:
                    here = None if bias is None else bias[min(sequence, bias.shape[0] - 1), 0]
                    for head in range(problem.heads):
                        block = slice(sequence, sequence + 1), slice(head, head + 1)
                        scores = (queries[sequence, head, rows] * scale) @ keys[sequence, head, columns].T
                        if here is not None:
                            scores += here
                        scores -= scores.max(axis=-1, keepdims=True)
                        np.exp(scores, out=scores)
                        total = scores.sum(axis=-1, keepdims=True)
                        np.divide(scores @ values[sequence, head, columns], total, out=output[sequence, head, rows])
            return output

        return run, lambda result: result
