"""Attention in Float64 by the formula, whole matrices at a time, and the field's tolerance."""

import ml_dtypes
import numpy as np

BFLOAT16 = np.dtype(ml_dtypes.bfloat16)


def attend(
    query, key, value, *, scale=None, offset=None, causal=False, window=(None, None), keeping_first=0, masks=(), alibi_slopes=None,
    softcap=0.0, sinks=None, lengths=None, query_lengths=None, rounded=lambda x: x,
):  # fmt: skip
    """(output, log-sum-exp) of [B, Hq, Tq, D], [B, Hkv, Tk, D], [B, Hkv, Tk, Dv]. `offset` None is bottom-right; `rounded` is what each of the
    three steps goes through."""
    q, k, v = (np.asarray(x, np.float64) for x in (query, key, value))
    (batch, heads, rows, depth), count = q.shape, k.shape[2]
    group = heads // k.shape[1]
    k, v = np.repeat(k, group, axis=1), np.repeat(v, group, axis=1)
    key_lengths = np.full(batch, count) if lengths is None else np.asarray(lengths)
    row_lengths = np.full(batch, rows) if query_lengths is None else np.asarray(query_lengths)
    shift = key_lengths - row_lengths if offset is None else np.broadcast_to(offset, batch)
    at = np.arange(rows)[None, None, :, None] + shift[:, None, None, None]
    to = np.arange(count)[None, None, None, :]
    visible = to < key_lengths[:, None, None, None]
    if causal:
        visible = visible & (to <= at)
    left, right = window
    inside = np.ones_like(visible)
    if left is not None:
        inside = inside & (to >= at - left)
    if right is not None:
        inside = inside & (to <= at + right)
    visible = visible & (inside | (to < keeping_first))
    # Rows that no query sees may hold anything.
    hidden = np.arange(count)[None, None, :, None] >= key_lengths[:, None, None, None]
    k, v = np.where(hidden, 0, k), np.where(hidden, 0, v)
    scores = rounded((q @ k.swapaxes(-1, -2)) * (depth**-0.5 if scale is None else scale))
    if softcap:
        scores = softcap * np.tanh(scores / softcap)
    for mask in masks:
        if mask.dtype == bool:
            visible = visible & mask
        else:
            scores = scores + np.asarray(mask, np.float64)
    if alibi_slopes is not None:
        scores = scores - np.asarray(alibi_slopes, np.float64)[None, :, None, None] * np.abs(at - to)
    scores = np.where(np.broadcast_to(visible, scores.shape), scores, -np.inf)
    scores = np.where(np.arange(rows)[None, None, :, None] < row_lengths[:, None, None, None], scores, -np.inf)
    return _weighted(scores, v, sinks, rounded)


def _weighted(scores, values, sinks, rounded):
    largest = scores.max(axis=-1, keepdims=True, initial=-np.inf)
    largest = np.where(np.isneginf(largest), 0, largest)
    weights = np.exp(scores - largest)
    total = weights.sum(axis=-1, keepdims=True)
    with np.errstate(divide="ignore"):
        log_sum_exp = (largest + np.log(total))[..., 0]
    if sinks is not None:
        total = total + np.exp(np.asarray(sinks, np.float64)[None, :, None, None] - largest)
    output = rounded(rounded(weights / np.where(total == 0, 1, total)) @ values)
    return output, log_sum_exp


def check(result, query, key, value, *, log_sum_exp=None, **options):
    """That a result is the oracle's: within 2 * max|naive - oracle| + 1e-5, naive with each of its three steps rounded to the type of the queries;
    within 2e-6 too where all is float32, of numbers of unit variance."""
    expected, sums = attend(query, key, value, **options)
    assert result.shape == expected.shape
    kind = result.dtype
    naive, _ = attend(query, key, value, **options, rounded=lambda x: x.astype(kind).astype(np.float64))
    difference = lambda x: np.max(np.abs(np.asarray(x, np.float64) - expected), initial=0)  # noqa: E731
    limit = 2 * difference(naive) + 1e-5
    if kind == np.float32 and key.dtype == value.dtype == np.float32:
        limit = min(limit, 2e-6)
    if kind == np.float64:
        limit = 1e-12
    assert difference(result) <= limit
    if log_sum_exp is not None:
        assert np.array_equal(np.isneginf(log_sum_exp), np.isneginf(sums))
        seen = ~np.isneginf(sums)
        # Scores carry as many bits as their products: of the order of 2^-24 for each of D terms in float32.
        close = 1e-12 if kind == np.float64 else 2e-6 if kind == np.float32 else 2e-2
        np.testing.assert_allclose(np.asarray(log_sum_exp, np.float64)[seen], sums[seen], rtol=close, atol=close)


def random(seed, *shape, dtype=np.float32):
    """Numbers of unit variance."""
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def operands(seed=0, *, batch=2, heads=4, kv_heads=2, rows=5, count=9, depth=16, width=None, dtype=np.float32):
    """Queries, keys and values."""
    return (
        random(seed, batch, heads, rows, depth, dtype=dtype),
        random(seed + 1, batch, kv_heads, count, depth, dtype=dtype),
        random(seed + 2, batch, kv_heads, count, depth if width is None else width, dtype=dtype),
    )
