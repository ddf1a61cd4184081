"""Keys and values wherever they lie."""

import numpy as np
import pytest
from oracle import attend, check, operands, random

from swift_attention import AttentionError, KeyValues, attention, describe, quantize


def packed(x, lengths):
    """[B, H, T, D] as [total, H, D]."""
    return np.concatenate([each[:, :n].swapaxes(0, 1) for each, n in zip(x, lengths)])


def test_packed():
    q, k, v = operands(rows=6, count=9)
    rows, counts = [6, 2], [3, 9]
    y, lse = attention(
        packed(q, rows),
        packed(k, counts),
        packed(v, counts),
        causal=True,
        query_lengths=rows,
        lengths=counts,
        return_lse=True,
    )
    expected, sums = attend(q, k, v, causal=True, query_lengths=rows, lengths=counts)
    np.testing.assert_allclose(y, packed(expected, rows), rtol=0, atol=2e-6)
    np.testing.assert_allclose(lse, packed(sums[..., None], rows)[..., 0].T, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_paged(dtype):
    q, k, v = operands(rows=2, count=12, dtype=dtype)
    lengths, size = [5, 12], 4
    table = np.array([[7, 2, -1], [0, 5, 3]], np.int32)
    pages = [np.full((8, size, 2, 16), np.nan, dtype) for _ in "kv"]
    for memory, x in zip(pages, (k, v)):
        for b in range(2):
            for token in range(lengths[b]):
                memory[table[b, token // size], token % size] = x[b, :, token]
    y = attention(q, *pages, page_table=table, lengths=lengths, causal=True)
    check(y, q, k, v, lengths=lengths, causal=True)
    np.testing.assert_array_equal(attention(q, KeyValues.paged(*pages, table, lengths), causal=True), y)
    with pytest.raises(AttentionError) as caught:
        attention(q, *pages, page_table=table + 6, lengths=lengths)
    assert caught.value.argument == "page_table"


def test_joined():
    q, k, v = operands(rows=3, count=10)
    cut = [(0, 4), (4, 4), (4, 10)]
    parts = [KeyValues.padded(k[:, :, a:b], v[:, :, a:b]) for a, b in cut]
    check(attention(q, KeyValues.joined(*parts), causal=True), q, k, v, causal=True)
    nested = KeyValues.joined(parts[0], KeyValues.joined(parts[1], parts[2]))
    check(attention(q, nested), q, k, v)
    assert "kernel" in describe(q, nested)
    with pytest.raises(AttentionError, match="parts"):
        KeyValues.joined(k)


def test_int8():
    q, k, v = operands(rows=4, count=40)
    (ki, ks), (vi, vs) = quantize(k), quantize(v)
    assert ki.dtype == np.int8 and ks.dtype == np.float32 and ks.shape == k.shape[:-1]
    np.testing.assert_allclose(ks, np.abs(k).max(axis=-1) / 127, rtol=1e-6)
    stored = ki * ks[..., None], vi * vs[..., None]
    expected, _ = attend(q, *stored)
    y = attention(q, ki, vi, key_scales=ks, value_scales=vs)
    assert np.max(np.abs(y - expected)) <= 2**-14 * np.max(np.abs(stored[1]))
    mixed = attention(q, KeyValues.padded(ki, v, key_scales=ks))
    assert np.max(np.abs(mixed - attend(q, stored[0], v)[0])) <= 2**-14 * np.max(np.abs(v))
    with pytest.raises(AttentionError) as caught:
        attention(q, ki, v)
    assert caught.value.argument == "key_scales"
    with pytest.raises(AttentionError, match="NaN|finite"):
        quantize(np.full((1, 4), np.nan, np.float32))


def test_types_of_their_own():
    q, k, v = operands(rows=4, count=40)
    k, v = k.astype(np.float16), v.astype(np.float16)
    y = attention(q, k, v)
    assert y.dtype == np.float32 and np.max(np.abs(y - attend(q, k, v)[0])) <= 2e-5


def test_a_description_has_its_own():
    q, k, v = operands()
    pair = KeyValues.padded(k, v)
    for name, other in (
        ("value", v),
        ("lengths", [1, 1]),
        ("page_table", np.zeros((2, 1), np.int32)),
        ("key_scales", k),
        ("value_scales", v),
    ):
        with pytest.raises(AttentionError) as caught:
            attention(q, pair, **{name: other})
        assert caught.value.argument == name
    with pytest.raises(AttentionError) as caught:
        attention(q, KeyValues.padded(k[..., :3], v))
    assert caught.value.argument == "keys"


def test_shared_prefix():
    """A prefix that all sequences share is one tensor, broadcast."""
    q, k, v = operands(rows=2, count=3)
    prefix = random(5, 1, 2, 30, 16), random(6, 1, 2, 30, 16)
    shared = [np.broadcast_to(x, (2, 2, 30, 16)) for x in prefix]
    y = attention(q, KeyValues.joined(KeyValues.padded(*shared), KeyValues.padded(k, v)))
    check(y, q, np.concatenate([shared[0], k], axis=2), np.concatenate([shared[1], v], axis=2))
