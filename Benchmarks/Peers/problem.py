"""One attention problem: its tensors, and which keys are visible."""

import copy

import numpy as np

from tensors import read_tensors, widened


class Unsupported(Exception):
    """What an engine is not asked for, or cannot do, and why."""


class Problem:
    """Queries [B, H, Tq, D], keys [B, Hkv, Tk, D] and values [B, Hkv, Tk, Dv], as the file has them."""

    def __init__(self, shape: dict, dtype: str, path: str):
        self.dtype, self.rule, self.window = dtype, shape["mask"], shape.get("left_window_size")
        self.lengths, self.query_lengths = shape.get("key_lengths"), shape.get("query_lengths")
        self.softcap = shape.get("softcap")
        if shape.get("layout") == "packed":
            raise Unsupported("packed sequences are not compared")
        if shape.get("sinks"):
            raise Unsupported("sinks are not compared")
        if self.rule == "causal" and (self.lengths or self.query_lengths):
            raise Unsupported("a causal mask with lengths is not compared")
        tensors = read_tensors(path)
        self.queries, self.keys, self.values = (tensors[name] for name in "QKV")
        # Of linear biases, one a query head.
        self.slopes = tensors.get("slopes")
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
        """Causal, and nothing else, with as many queries as keys: top-left and bottom-right agree, and every engine has a flag for it."""
        is_square = self.query_count == self.key_count and self.queries_each == 1
        return self.rule == "causal" and is_square and self.slopes is None

    @property
    def is_open(self) -> bool:
        """Whether every query sees every key, without a bias."""
        one_position = self.query_count == self.queries_each
        sees_all = self.rule == "none" or (self.rule == "causal" and one_position and self.window is None)
        return sees_all and self.slopes is None

    def mask(self) -> np.ndarray | None:
        """What an engine takes as a mask, [B or 1, 1 or H, Tq or 1, Tk]: None where nothing is hidden, else True where a key is visible,
        or where there are biases Float32 to be added to scores, −∞ where a key is hidden."""
        if self.is_open:
            return None
        visible = self.visible()
        return visible if self.slopes is None else self.bias(visible)

    def visible(self) -> np.ndarray:
        """True where a key is visible, [B or 1, 1, Tq or 1, Tk]."""
        key = np.arange(self.key_count)
        if self.rule == "lengths":
            return (key < np.array(self.lengths)[:, None])[:, None, None, :]
        if self.rule == "none":
            return np.ones((1, 1, 1, self.key_count), bool)
        positions = self.query_count // self.queries_each
        position = self.positions(positions)[:, None]
        visible = key <= position
        if self.window is not None:
            visible &= key >= position - self.window
        return visible[None, None]

    def positions(self, count: int) -> np.ndarray:
        """Where queries stand among the keys: the last one on the last key."""
        return np.arange(self.query_count) % count + self.key_count - count

    def bias(self, visible: np.ndarray) -> np.ndarray:
        """What is added to scores, Float32."""
        hidden = np.where(visible, np.float32(0), np.float32(-np.inf))
        if self.slopes is None:
            return hidden
        distance = np.abs(self.positions(self.query_count)[:, None] - np.arange(self.key_count))
        return hidden - (self.slopes[:, None, None] * distance).astype(np.float32)

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
        return self.group > 1 and self.query_count <= 64 and self.slopes is None

    def without_padding(self, output: np.ndarray) -> np.ndarray:
        """The output with rows of 0 for queries that are padding, which engines compute like others."""
        output = output.reshape(self.output_shape)
        for sequence, length in enumerate(self.query_lengths or []):
            output[sequence, :, length:] = 0
        return output
