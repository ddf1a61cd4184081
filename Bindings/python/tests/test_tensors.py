"""Tensors of every kind and layout, none of them copied."""

import numpy as np
import pytest
from oracle import BFLOAT16, attend, check, operands
from producers import Producer

from swift_attention import AttentionError, KeyValues, attention, merge

LAYOUTS = {
    "[B, T, H, D]": lambda x: np.ascontiguousarray(x.transpose(0, 2, 1, 3)).transpose(0, 2, 1, 3),
    "[B, H, D, T]": lambda x: np.ascontiguousarray(x.swapaxes(2, 3)).swapaxes(2, 3),
    "rows backwards": lambda x: np.ascontiguousarray(x[:, :, ::-1])[:, :, ::-1],
    "columns backwards": lambda x: np.ascontiguousarray(x[..., ::-1])[..., ::-1],
    "all backwards": lambda x: np.ascontiguousarray(x[::-1, ::-1, ::-1, ::-1])[::-1, ::-1, ::-1, ::-1],
    "every other": lambda x: np.repeat(np.repeat(x, 2, axis=3), 3, axis=2)[:, :, ::3, ::2],
    "read only": lambda x: np.broadcast_to(x, x.shape),
    "Fortran": np.asfortranarray,
    "a subclass": lambda x: x.view(type("Named", (np.ndarray,), {})),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, BFLOAT16])
def test_layouts(name, dtype):
    plain = operands(rows=20, count=30, dtype=dtype)
    y = attention(*(LAYOUTS[name](x) for x in plain), causal=True)
    check(y, *plain, causal=True)


def test_broadcast():
    q, k, v = operands(batch=3)
    one = [np.broadcast_to(x[:1, :1], (3, 2, 9, 16)) for x in (k, v)]
    check(attention(q, *one), q, *one)


def test_negative_strides_of_results():
    q, k, v = operands()
    memory = np.zeros((2, 4, 5, 16), np.float32)
    out = memory[:, :, ::-1, ::-1]
    attention(q, k, v, out=out)
    np.testing.assert_array_equal(memory[:, :, ::-1, ::-1], attention(q, k, v))


@pytest.mark.parametrize("versioned", [False, True])
@pytest.mark.parametrize("strided", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, BFLOAT16])
def test_dlpack(versioned, strided, dtype):
    plain = operands(dtype=dtype)
    lent = [Producer(x, versioned=versioned, strided=strided) for x in plain]
    y = attention(*lent)
    assert type(y) is np.ndarray and y.dtype == dtype
    np.testing.assert_array_equal(y, attention(*plain))
    # Each lent once, at the array's own address, and given back by the time the call returned.
    assert [each.lent for each in lent] == [1, 1, 1] and [each.returned for each in lent] == [1, 1, 1]
    out = Producer(np.zeros_like(plain[0]), versioned=versioned, strided=strided)
    assert attention(*lent, out=out) is out
    np.testing.assert_array_equal(out.array, y)
    mask = Producer(np.random.default_rng(0).random((5, 9)) < 0.5, versioned=versioned, strided=strided)
    np.testing.assert_array_equal(attention(*plain, masks=mask), attention(*plain, masks=mask.array))


def test_dlpack_is_given_back_after_errors():
    q, k, v = (Producer(x, versioned=True) for x in operands())
    for wrong, change in (
        (k, dict(device=2)),
        (v, dict(lanes=2)),
        (k, dict(major=2)),
        (v, dict(code=5)),
        (q, dict(axes=5)),
    ):
        wrong.change(**change)
        with pytest.raises(AttentionError) as caught:
            attention(q, k, v)
        assert caught.value.argument == {id(q): "query", id(k): "key", id(v): "value"}[id(wrong)]
        assert wrong.lent - wrong.returned == (1 if "major" in change else 0)
        # The error's traceback holds the capsule that nobody consumed.
        del caught
        wrong.change()
    assert all(each.lent == each.returned + each.unused for each in (q, k, v))
    out = Producer(np.zeros((2, 4, 5, 16), np.float32), versioned=True, flags=1)
    with pytest.raises(AttentionError, match="out: a read-only"):
        attention(q, k, v, out=out)
    assert out.returned == 1


def test_dlpack_in_all_places():
    """Masks beyond a frame's, parts, merges: each lent tensor is back when the call returns, or has failed."""
    q, k, v = operands()
    lent = [Producer(np.ones((5, 9), bool)) for _ in range(6)] + [Producer(x, versioned=True) for x in (k, v, k, v)]
    parts = [KeyValues.padded(*lent[6:8]), KeyValues.padded(*lent[8:])]
    masks = [Producer(np.ones((5, 18), bool)) for _ in range(6)]
    attention(q, KeyValues.joined(*parts), masks=masks)
    with pytest.raises(AttentionError) as first:
        attention(q, KeyValues.joined(*parts, KeyValues.padded(k, None)), masks=masks)
    with pytest.raises(AttentionError) as second:
        attention(q, k, v, masks=[*lent[:6], None])
    results = [Producer(x) for x in attention(q, k, v, return_lse=True)]
    merge([results, results])
    with pytest.raises(AttentionError) as third:
        merge([results, (results[0], None)])
    assert "values" in str(first.value) and "masks[6]" in str(second.value) and "parts[1]" in str(third.value)
    for each in lent + masks + results:
        assert each.lent == each.returned > 0


class Once:
    """Lends the same capsule again and again."""

    def __init__(self, capsule):
        self.capsule = capsule

    def __dlpack__(self):
        return self.capsule


def test_a_capsule_that_was_used():
    x = Producer(operands()[0])
    once = Once(x.__dlpack__())
    attention(once, x, x)
    with pytest.raises(AttentionError, match="query: a capsule"):
        attention(once, x, x)
    # Before the producer, whose functions it calls.
    del once.capsule


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda x: x.tolist(), "list given"),
        (lambda x: x.astype(">f4"), ">f4 given|float32 given"),
        (lambda x: x.astype(np.complex64), "complex64 given"),
        (lambda x: x.astype(np.int64), "int64 given"),
        (lambda x: x.astype(object), "object given"),
        (lambda x: np.ma.masked_array(x), "masked array"),
        (lambda x: x[None], r"shape \[1, 2, 4, 5, 16\] given"),
        (lambda x: np.array(x[0, 0, 0, 0]), r"shape \[\] given"),
        (lambda x: np.zeros(x.shape, [("a", "f4"), ("b", "u1")])["a"], "multiples of 4"),
        (
            lambda x: np.frombuffer(b"\0" * (x.nbytes + 1), np.uint8)[1:].view(np.float32).reshape(x.shape),
            "multiple of 4",
        ),
        (lambda x: None, "NoneType given"),
    ],
)
def test_what_is_no_operand(wrong, text):
    q, k, v = operands()
    with pytest.raises(AttentionError, match=text) as caught:
        attention(wrong(q), k, v)
    assert caught.value.argument == "query"


def test_results_that_cannot_be():
    q, k, v = operands()
    for out in (
        np.zeros((2, 4, 5, 15), np.float32),
        np.zeros((2, 4, 5, 16)),
        np.broadcast_to(np.float32(0), (2, 4, 5, 16)).copy()[:, :, :, :8],
    ):
        with pytest.raises(AttentionError) as caught:
            attention(q, k, v, out=out)
        assert caught.value.argument == "out"
    read_only = np.zeros((2, 4, 5, 16), np.float32)
    read_only.flags.writeable = False
    with pytest.raises(AttentionError, match="out: a read-only"):
        attention(q, k, v, out=read_only)
    overlapping = np.lib.stride_tricks.as_strided(np.zeros(16, np.float32), (2, 4, 5, 16), (0, 0, 0, 4))
    with pytest.raises(AttentionError, match="out"):
        attention(q, k, v, out=overlapping)


def test_views_read_the_memory_itself():
    q, k, v = operands()
    first = attention(q, k, v)
    v *= 2
    np.testing.assert_allclose(attention(q, k, v), 2 * first, rtol=1e-6)
    assert np.max(np.abs(attention(q, k, v) - attend(q, k, v)[0])) <= 4e-6
