"""Pools, many Python threads at once, forks, and modifiers on the engine's threads."""

import os
import threading

import numpy as np
import pytest
from oracle import check, operands

from swift_attention import AttentionError, Threads, attention, thread_count


def test_pools_give_the_same_bits():
    q, k, v = operands(rows=150, count=300, depth=64)
    expected = attention(q, k, v, causal=True)
    for count in (1, 2, 5):
        pool = Threads(count)
        assert pool.count == count and repr(pool) == f"Threads({count})"
        np.testing.assert_array_equal(attention(q, k, v, causal=True, threads=pool), expected)
    assert 1 <= thread_count() <= len(os.sched_getaffinity(0))
    for wrong in (0, 1025, -1, 2**64 + 2):
        with pytest.raises(AttentionError) as caught:
            Threads(wrong)
        assert caught.value.argument == "count"
    with pytest.raises(AttentionError, match="threads: 2 given"):
        attention(q, k, v, threads=2)


def test_eight_python_threads_at_once():
    shapes = [dict(seed=n, rows=n + 1, count=40 * n + 1, depth=16 + 8 * n) for n in range(8)]
    work = [operands(**shape) for shape in shapes]
    options = [
        dict(causal=n % 2 == 0, lengths=[1 + n, 40 * n + 1], masks=[np.ones((1, 40 * n + 1), bool)] * (n % 6))
        for n in range(8)
    ]
    expected = [attention(*each, **others) for each, others in zip(work, options)]
    start, wrong = threading.Barrier(8), []

    def compute(n):
        start.wait()
        for turn in range(60):
            at = (n + turn) % 8
            if not np.array_equal(attention(*work[at], **options[at]), expected[at]):
                wrong.append(at)

    threads = [threading.Thread(target=compute, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_child_computes_the_same():
    q, k, v = operands(rows=100, count=200, depth=64)
    pool = Threads(2)
    expected = attention(q, k, v, threads=pool)
    child = os.fork()
    if child == 0:
        try:
            same = np.array_equal(attention(q, k, v), expected) and np.array_equal(
                attention(q, k, v, threads=pool), expected
            )
            del pool
            os._exit(0 if same else 1)
        finally:
            os._exit(2)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    np.testing.assert_array_equal(attention(q, k, v, threads=pool), expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_modifier(dtype):
    q, k, v = operands(rows=6, count=70, dtype=dtype)
    bias = np.random.default_rng(3).standard_normal((2, 4, 6, 70))
    positions = set()

    def change(scores):
        assert scores.values.dtype == dtype
        positions.add((scores.query, scores.position))
        scores.values += bias[
            scores.sequence, scores.head, scores.query, scores.key : scores.key + len(scores.values)
        ].astype(dtype)

    y = attention(q, k, v, modifier=change)
    check(y, q, k, v, masks=[bias.astype(dtype)])
    assert positions == {(i, i + 64) for i in range(6)}


def test_what_a_modifier_raises():
    q, k, v = operands(rows=90, count=90)

    def fail(scores):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        attention(q, k, v, modifier=fail)
    with pytest.raises(AttentionError, match="modifier: 3 given"):
        attention(q, k, v, modifier=3)
    check(attention(q, k, v), q, k, v)


def test_a_call_within_a_call():
    q, k, v = operands()
    inner = []

    def change(scores):
        if not inner:
            inner.append(attention(k, q[:, :2], q[:, :2], sinks=[1.0, 2.0]))

    y = attention(q, k, v, lengths=[9, 3], modifier=change)
    check(y, q, k, v, lengths=[9, 3])
    check(inner[0], k, q[:, :2], q[:, :2], sinks=[1.0, 2.0])
