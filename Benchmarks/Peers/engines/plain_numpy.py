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
        visible, blocks = problem.visible(), []
        bias = None if problem.is_open else problem.bias(visible).astype(queries.dtype)
        for first in range(0, problem.query_count, BLOCK):
            rows = slice(first, min(first + BLOCK, problem.query_count))
            here = slice(None) if visible.shape[2] == 1 else rows
            seen = np.flatnonzero(visible[:, :, here].any(axis=(0, 1, 2)))
            columns = slice(int(seen[0]), int(seen[-1]) + 1)
            added = None if bias is None else bias[:, :, slice(None) if bias.shape[2] == 1 else rows, columns]
            blocks.append((rows, columns, added))
        scale = queries.dtype.type(1 / np.sqrt(queries.shape[-1]))
        cap = None if problem.softcap is None else queries.dtype.type(problem.softcap)
        output = np.empty(problem.output_shape, queries.dtype)

        def run():
            for sequence in range(problem.batch):
                for rows, columns, added in blocks:
                    for head in range(problem.heads):
                        scores = (queries[sequence, head, rows] * scale) @ keys[sequence, head, columns].T
                        if cap is not None:
                            scores = cap * np.tanh(scores / cap)
                        if added is not None:
                            scores += added[min(sequence, added.shape[0] - 1), min(head, added.shape[1] - 1)]
                        scores -= scores.max(axis=-1, keepdims=True)
                        np.exp(scores, out=scores)
                        total = scores.sum(axis=-1, keepdims=True)
                        np.divide(scores @ values[sequence, head, columns], total, out=output[sequence, head, rows])
            return output

        return run, lambda result: result
