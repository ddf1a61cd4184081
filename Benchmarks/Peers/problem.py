"""One attention problem: its tensors, and which keys are visible."""

import copy

import numpy as np

from tensors import read_tensors, widened

# What other engines do not offer, or not under the same meaning.
FEATURES = {
    "softcap": "softcap is not compared",
    "alibi": "ALiBi is not compared",
    "sinks": "sinks are not compared",
    "packed": "packed sequences are not compared",
    "query_lengths": "query lengths are not compared",
}


class Unsupported(Exception):
    """What an engine is not asked for, or cannot do, and why."""


class Problem:
    """Queries [B, H, Tq, D], keys [B, Hkv, Tk, D] and values [B, Hkv, Tk, Dv], as the file has them (bfloat16 as its bits)."""

    def __init__(self, shape: dict, dtype: str, path: str):
        for feature, reason in FEATURES.items():
            if shape.get(feature):
                raise Unsupported(reason)
        if shape["mask"] == "causal" and shape.get("key_lengths"):
            raise Unsupported("a causal mask with lengths is not compared")
        self.dtype, self.rule = dtype, shape["mask"]
        self.lengths, self.window = shape.get("key_lengths"), shape.get("left_window_size")
        tensors = read_tensors(path)
        self.queries, self.keys, self.values = (tensors[name] for name in "QKV")
        # Queries of one head that each position has, one after the other: 1 unless folded.
        self.queries_each = 1

    @property
    def batch(self) -> int:
        return self.queries.shape[0]

    @property
    def heads(self) -> int:
        return self.queries.shape[1]

    @property
    def kv_heads(self) -> int:
        return self.keys.shape[1]

    @property
    def group(self) -> int:
        """Query heads that share a key/value head."""
        return self.heads // self.kv_heads

    @property
    def query_count(self) -> int:
        return self.queries.shape[2]

    @property
    def key_count(self) -> int:
        return self.keys.shape[2]

    @property
    def output_shape(self) -> tuple[int, ...]:
        return (*self.queries.shape[:3], self.values.shape[3])

    @property
    def wide(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Queries, keys and values in Float32, or Float64."""
        return widened(self.queries), widened(self.keys), widened(self.values)

    @property
    def is_square_causal(self) -> bool:
        """Causal with as many queries as keys: top-left and bottom-right agree, and every engine has a flag for it."""
        return self.rule == "causal" and self.query_count == self.key_count and self.queries_each == 1

    @property
    def is_open(self) -> bool:
        """Whether every query sees every key."""
        one_position = self.query_count == self.queries_each
        return self.rule == "none" or (self.rule == "causal" and one_position and self.window is None)

    def mask(self) -> np.ndarray | None:
        """True where a key is visible, [B or 1, 1, Tq or 1, Tk]; None where all are."""
        if self.is_open:
            return None
        key = np.arange(self.key_count)
        if self.rule == "lengths":
            return (key < np.array(self.lengths)[:, None])[:, None, None, :]
        positions = self.query_count // self.queries_each
        position = (np.arange(self.query_count) % positions)[:, None] + self.key_count - positions
        visible = key <= position
        if self.window is not None:
            visible &= key >= position - self.window
        return visible[None, None]

    def folded(self) -> "Problem":
        """Heads that share keys as queries of one head: [B, Hkv, group · Tq, D], the same numbers in the same order.

        For few queries: engines that repeat keys and values for every head, or read them once for each, then need not.
        """
        fold = copy.copy(self)
        rows = self.group * self.query_count
        fold.queries = self.queries.reshape(self.batch, self.kv_heads, rows, self.queries.shape[3])
        fold.queries_each = self.group
        return fold

    @property
    def can_fold(self) -> bool:
        """Whether heads share keys and queries are so few that a mask for all of them is small."""
        return self.group > 1 and self.query_count <= 64
