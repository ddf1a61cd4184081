"""Every option of attention against the oracle."""

import numpy as np
import pytest
from oracle import BFLOAT16, attend, check, operands, random

from swift_attention import AttentionError, attention, describe, merge

TYPES = [np.dtype(name) for name in ("float32", "float64", "float16")] + [BFLOAT16]
SHAPES = [
    dict(batch=1, heads=1, kv_heads=1, rows=1, count=1, depth=1),
    dict(batch=1, heads=8, kv_heads=2, rows=1, count=700, depth=64),
    dict(batch=2, heads=4, kv_heads=1, rows=33, count=65, depth=24, width=40),
    dict(batch=3, heads=2, kv_heads=2, rows=70, count=3, depth=64),
    dict(batch=2, heads=6, kv_heads=3, rows=130, count=130, depth=128),
]


@pytest.mark.parametrize("dtype", TYPES, ids=str)
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("causal", [False, True])
def test_shapes_and_types(shape, dtype, causal):
    q, k, v = operands(dtype=dtype, **shape)
    y, lse = attention(q, k, v, causal=causal, return_lse=True)
    assert y.dtype == dtype and lse.dtype == (np.float64 if dtype == np.float64 else np.float32)
    check(y, q, k, v, causal=causal, log_sum_exp=lse)


def options(**shape):
    rows, count, heads = 5, 9, 4
    visible = np.random.default_rng(7).random((2, 1, rows, count)) < 0.6
    bias = random(8, heads, rows, count)
    return {
        "scale": (dict(scale=0.3), dict(scale=0.3)),
        "no scale": (dict(scale=0.0), dict(scale=0.0)),
        "top left": (dict(causal=True, alignment="top_left"), dict(causal=True, offset=0)),
        "offset": (dict(causal=True, alignment=2), dict(causal=True, offset=2)),
        "offsets": (dict(causal=True, alignment=[1, -3]), dict(causal=True, offset=[1, -3])),
        "window": (dict(window=(2, 1)), dict(window=(2, 1))),
        "left": (dict(window=(2, None), causal=True), dict(window=(2, None), causal=True)),
        "right": (dict(window=(None, 0)), dict(window=(None, 0))),
        "keeping": (dict(window=(1, 0), keeping_first=2), dict(window=(1, 0), keeping_first=2)),
        "bool": (dict(masks=visible), dict(masks=[visible])),
        "hidden": (dict(masks=np.zeros((5, 9), bool)), dict(masks=[np.zeros((5, 9), bool)])),
        "bias": (dict(masks=bias), dict(masks=[bias])),
        "half bias": (dict(masks=bias.astype(np.float16)), dict(masks=[bias.astype(np.float16)])),
        "one column": (dict(masks=bias[:, :, :1]), dict(masks=[bias[:, :, :1]])),
        "six masks": (dict(masks=[visible, bias] * 3), dict(masks=[visible, bias] * 3)),
        "no masks": (dict(masks=[]), dict()),
        "alibi": (dict(alibi_slopes=[0.5, 0.25, 0.1, 1.0]), dict(alibi_slopes=[0.5, 0.25, 0.1, 1.0])),
        "softcap": (dict(softcap=2.0), dict(softcap=2.0)),
        "sinks": (dict(sinks=np.array([0.5, -1, 3, 0])), dict(sinks=[0.5, -1, 3, 0])),
        "lengths": (dict(lengths=[9, 4]), dict(lengths=[9, 4])),
        "both lengths": (
            dict(lengths=np.array([9, 0]), query_lengths=(3, 5), causal=True),
            dict(lengths=[9, 0], query_lengths=[3, 5], causal=True),
        ),
        "all": (
            dict(
                causal=True,
                window=(6, None),
                masks=[visible, bias],
                alibi_slopes=[0.1] * 4,
                softcap=3.0,
                sinks=[1.0] * 4,
                lengths=[7, 9],
            ),
            dict(
                causal=True,
                window=(6, None),
                masks=[visible, bias],
                alibi_slopes=[0.1] * 4,
                softcap=3.0,
                sinks=[1.0] * 4,
                lengths=[7, 9],
            ),
        ),
    }


@pytest.mark.parametrize("name", options())
def test_options(name):
    given, expected = options()[name]
    q, k, v = operands()
    y, lse = attention(q, k, v, return_lse=True, **given)
    check(y, q, k, v, log_sum_exp=lse, **expected)
    # The frame of a call says nothing to the next.
    check(attention(q, k, v), q, k, v)


def test_float64_softmax_is_closer():
    q, k, v = operands(rows=64, count=900, depth=64)
    expected, _ = attend(q, k, v)
    error = lambda y: np.max(np.abs(y - expected))  # noqa: E731
    assert error(attention(q, k, v, softmax_float64=True)) < error(attention(q, k, v))


def test_hidden_numbers_reach_nothing():
    q, k, v = operands()
    k[1, :, 4:], v[1, :, 4:] = np.nan, np.inf
    check(attention(q, k, v, lengths=[9, 4]), q, k, v, lengths=[9, 4])


@pytest.mark.parametrize("axis", range(4))
def test_empty(axis):
    shapes = [[2, 4, 5, 16], [2, 2, 9, 16], [2, 2, 9, 16]]
    if axis == 0:
        shapes = [[0, *shape[1:]] for shape in shapes]
    if axis == 1:
        shapes[0][1] = 0
    if axis == 2:
        shapes[0][2] = 0
    if axis == 3:
        shapes[1][2] = shapes[2][2] = 0
    q, k, v = (np.zeros(shape, np.float32) for shape in shapes)
    y, lse = attention(q, k, v, return_lse=True)
    assert y.shape == q.shape and not y.any() and np.isneginf(lse).all()


def test_out_and_views():
    q, k, v = operands()
    memory = np.full((2, 5, 4, 16), np.nan, np.float32)
    out = memory.transpose(0, 2, 1, 3)
    assert attention(q, k, v, out=out) is out
    check(out, q, k, v)


def test_describe_says_the_kernel():
    q, k, v = operands(rows=64, count=64, depth=64)
    text = describe(q, k, v, causal=True, softcap=2.0)
    assert text.startswith("kernel") and "\0" not in text
    with pytest.raises(AttentionError, match="key"):
        describe(q, k[..., :3], v)
    with pytest.raises(TypeError, match="casual"):
        describe(q, k, v, casual=True)


def test_merge_of_parts_is_the_whole():
    q, k, v = operands(rows=7, count=20)
    parts = [attention(q, k[:, :, a:b], v[:, :, a:b], return_lse=True) for a, b in ((0, 3), (3, 3), (3, 20))]
    y, lse = merge(parts)
    check(y, q, k, v, log_sum_exp=lse)
    # Pairs that nobody else holds.
    fresh, sums = merge(iter([map(np.copy, part) for part in parts]))
    assert np.array_equal(fresh, y) and np.array_equal(sums, lse)
    with pytest.raises(AttentionError, match="parts"):
        merge([])
    with pytest.raises(AttentionError) as refused:
        merge([parts[0], (parts[1][0][:, :2], parts[1][1])])
    assert refused.value.argument == "parts[1]"
    for wrong in (3, [3], [(y, lse, y)]):
        with pytest.raises(AttentionError, match="parts"):
            merge(wrong)
