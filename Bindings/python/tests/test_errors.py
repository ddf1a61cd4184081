"""Errors name the argument, what was given and what was expected."""

import pickle

import numpy as np
import pytest
from oracle import operands

from swift_attention import AttentionError, AttentionMemoryError, attention

Q, K, V = operands()
NAN = float("nan")


@pytest.mark.parametrize(
    ("argument", "options"),
    [
        ("scale", dict(scale=NAN)),
        ("scale", dict(scale="a")),
        ("alignment", dict(causal=True, alignment="left")),
        ("alignment", dict(causal=True, alignment=[1.5])),
        ("window", dict(window=3)),
        ("window", dict(window=(1.5, 0))),
        ("window", dict(window=(-1, None))),
        ("window", dict(window=(None, -1))),
        ("keeping_first", dict(keeping_first=2)),
        ("keeping_first", dict(window=(1, 1), keeping_first=-2)),
        ("masks[0]", dict(masks=[[1.0]])),
        ("masks", dict(masks=3)),
        ("masks[1]", dict(masks=[np.ones((5, 9), bool), np.ones((5, 9), np.int8)])),
        ("alibi_slopes", dict(alibi_slopes=["a"])),
        ("alibi_slopes", dict(alibi_slopes=[])),
        ("alibi_slopes", dict(alibi_slopes=[1.0])),
        ("alibi_slopes", dict(alibi_slopes=[1e30] * Q.shape[1])),
        ("alignment", dict(causal=True, alignment=[])),
        ("alignment", dict(causal=True, alignment=[0, 0, 0])),
        ("alignment", dict(causal=True, alignment=2**40)),
        ("sinks", dict(sinks=[])),
        ("sinks", dict(sinks=[1.0])),
        ("lengths", dict(lengths=[])),
        ("lengths", dict(lengths=b"12345678")),
        ("query_lengths", dict(query_lengths=[])),
        ("softcap", dict(softcap=-1.0)),
        ("lengths", dict(lengths=[1])),
        ("lengths", dict(lengths=[1, 10])),
        ("lengths", dict(lengths=[1, 2**64])),
        ("lengths", dict(lengths=["a", "b"])),
        ("query_lengths", dict(query_lengths=[[1], [2]])),
        ("value_scales", dict(value_scales=np.ones((2, 2, 9), np.float32))),
        ("page_table", dict(page_table=np.zeros((2, 1), np.int64), lengths=[1, 1])),
        ("threads", dict(threads=3)),
    ],
)
def test_argument(argument, options):
    with pytest.raises(AttentionError) as caught:
        attention(Q, K, V, **options)
    error = caught.value
    assert error.argument == argument and str(error).startswith(f"{argument}: ")
    assert "given" in str(error), error
    copy = pickle.loads(pickle.dumps(error))
    assert (copy.argument, str(copy)) == (error.argument, str(error))
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(
    ("argument", "call"),
    [
        ("query", lambda: attention(Q[0, 0], K, V)),
        ("query_lengths", lambda: attention(Q[0], K, V)),
        ("key", lambda: attention(Q, K[..., :3], V)),
        ("value", lambda: attention(Q, K, V[:, :, :3])),
        ("value", lambda: attention(Q, K)),
        ("key", lambda: attention(Q, K.astype(np.int8), V)),
        ("key", lambda: attention(Q, K.astype(np.float64), V)),
    ],
)
def test_operand(argument, call):
    with pytest.raises(AttentionError) as caught:
        call()
    assert caught.value.argument in (argument, {"key": "key_scales"}.get(argument))


def test_heads_that_do_not_divide():
    q, k, v = operands(heads=3)
    with pytest.raises(AttentionError, match="heads"):
        attention(q, k, v)


def test_memory():
    assert issubclass(AttentionMemoryError, MemoryError)


def test_nothing_is_written():
    out = np.full_like(Q, 7)
    with pytest.raises(AttentionError):
        attention(Q, K, V, out=out, lengths=[9, 10])
    assert (out == 7).all()
