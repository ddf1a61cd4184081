"""A shape of shapes.json as tensors, and what is right for it."""

import json

import numpy as np

# What other engines do not offer, or not under the same meaning.
FEATURES = ("softcap", "alibi", "sinks", "layout", "query_lengths")

# Of the largest output: a rule that hides or shows one key too many is further off than this.
TOLERANCE = {"f32": 1e-4, "bf16": 5e-2}


class Unsupported(Exception):
    """What an engine is not asked for, and why."""


def load_shapes(path):
    """The shapes of a file by name, in its order."""
    with open(path, encoding="utf-8") as file:
        return {shape["name"]: shape for shape in json.load(file)}


class Problem:
    """Queries [B, H, Tq, D], keys [B, Hkv, Tk, D] and values [B, Hkv, Tk, Dv] of variance 1, in Float32."""

    def __init__(self, shape, seed=1):
        self.shape = shape
        self.batch, self.heads, self.kv_heads = (shape[k] for k in ("batch", "query_heads", "key_value_heads"))
        self.query_count, self.key_count = shape["queries"], shape["keys"]
        self.width, self.value_width = shape["head_dim"], shape["value_dim"]
        draw = np.random.default_rng(seed).standard_normal
        self.queries = draw((self.batch, self.heads, self.query_count, self.width), dtype=np.float32)
        self.keys = draw((self.batch, self.kv_heads, self.key_count, self.width), dtype=np.float32)
        self.values = draw((self.batch, self.kv_heads, self.key_count, self.value_width), dtype=np.float32)

    @property
    def group(self):
        """Query heads that share a key/value head."""
        return self.heads // self.kv_heads

    @property
    def window(self):
        """How many keys before its own position a query sees; None for all."""
        return self.shape.get("left_window_size")

    @property
    def is_square_causal(self):
        """Causal with as many queries as keys: top-left and bottom-right agree, and every engine has a flag for it."""
        return self.shape["mask"] == "causal" and self.query_count == self.key_count

    def mask(self):
        """True where a key is visible, [B or 1, 1, Tq or 1, Tk]; None where all are."""
        if self.shape["mask"] == "lengths" or "key_lengths" in self.shape:
            if self.shape["mask"] == "causal":
                raise Unsupported("a causal mask with lengths is not compared")
            lengths = np.array(self.shape["key_lengths"])
            return (np.arange(self.key_count) < lengths[:, None])[:, None, None, :]
        if self.shape["mask"] == "none" or (self.query_count == 1 and self.window is None):
            return None
        position = np.arange(self.query_count)[:, None] + self.key_count - self.query_count
        key = np.arange(self.key_count)
        visible = key <= position
        if self.window is not None:
            visible &= key >= position - self.window
        return visible[None, None]

    def relative_error(self, output):
        """The largest difference from Float64 on the rows of some heads, over the largest number there."""
        mask = self.mask()
        error, largest = 0.0, 0.0
        for sequence, head in {(0, 0), (self.batch - 1, self.heads - 1), (self.batch // 2, self.heads // 2)}:
            keys = self.keys[sequence, head // self.group].astype(np.float64)
            values = self.values[sequence, head // self.group].astype(np.float64)
            for query in {0, self.query_count // 3, self.query_count - 1}:
                scores = keys @ self.queries[sequence, head, query] / np.sqrt(self.width)
                if mask is not None:
                    row = mask[min(sequence, mask.shape[0] - 1), 0, min(query, mask.shape[2] - 1)]
                    scores = np.where(row, scores, -np.inf)
                weights = np.exp(scores - scores.max())
                right = weights @ values / weights.sum()
                error = max(error, np.abs(output[sequence, head, query] - right).max())
                largest = max(largest, np.abs(right).max())
        # Written so that NaN is an error.
        return float(error / largest) if error >= 0 else float("nan")
