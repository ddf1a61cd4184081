"""Caches, sequences, steps and rotary embedding."""

import threading

import numpy as np
import pytest
from oracle import check, random

from swift_attention import AttentionError, Cache, Rotary, Step, attention, key_values

LAYERS, HEADS, DEPTH = 2, 2, 16


def make(pages=64, page_size=4, **options):
    return Cache(layers=LAYERS, heads=HEADS, depth=DEPTH, pages=pages, page_size=page_size, **options)


def rows(seed, count, layer=0):
    return random(100 * seed + layer, count, HEADS, DEPTH), random(100 * seed + 50 + layer, count, HEADS, DEPTH)


def append(sequences, counts, seed):
    """Random rows in all layers; the keys and values of layer 0."""
    with Step(sequences, counts) as step:
        for layer in range(LAYERS):
            step.write(layer, *rows(seed, sum(step.counts), layer))
    return rows(seed, sum(step.counts))


def wide(*pieces):
    """Pieces [T, H, D] one after the other, as [1, H, T, D]."""
    return np.concatenate(pieces).swapaxes(0, 1)[None]


def test_steps_append_and_attend():
    cache = make()
    sequence = cache.sequence()
    assert len(sequence) == 0 and sequence and cache.free_pages == 64
    k1, v1 = append(sequence, [7], 1)
    k2, v2 = rows(2, 3)
    q = random(3, 3, 4, DEPTH)
    with Step([sequence], [[11, 12, 13]]) as step:
        assert step.counts == [3] and list(step.positions) == [7, 8, 9]
        step.write(1, *rows(2, 3, 1))
        step.write(0, k2, v2)
        y = attention(q, step.key_values(0), causal=True, query_lengths=step.counts)
        assert len(sequence) == 7
    assert len(sequence) == 10
    check(y.swapaxes(0, 1)[None], q.swapaxes(0, 1)[None], wide(k1, k2), wide(v1, v2), causal=True)
    again = attention(q.swapaxes(0, 1)[None], sequence.key_values(0), causal=True)
    check(again, q.swapaxes(0, 1)[None], wide(k1, k2), wide(v1, v2), causal=True)
    assert cache.free_pages == 61


def test_an_exception_cancels():
    cache = make()
    sequence = cache.sequence()
    append(sequence, [5], 1)
    before = cache.free_pages
    with pytest.raises(KeyError):
        with Step(sequence, [9]) as step:
            for layer in range(LAYERS):
                step.write(layer, *rows(2, 9, layer))
            raise KeyError
    assert len(sequence) == 5 and cache.free_pages == before
    for call in (lambda: step.write(0, *rows(2, 9)), step.commit, lambda: step.positions, step.__enter__):
        with pytest.raises(AttentionError, match="step: a step given that was"):
            call()
    with pytest.raises(AttentionError, match="step"):
        attention(random(1, 9, 4, DEPTH), step.key_values(0), query_lengths=[9])
    # A layer that is not written: nothing is committed, and the error says so.
    with pytest.raises(AttentionError):
        with Step(sequence, [1]) as step:
            step.write(0, *rows(3, 1))
    assert len(sequence) == 5 and cache.free_pages == before
    append(sequence, [1], 4)
    assert len(sequence) == 6


def test_forks_and_truncation():
    cache = make()
    sequence = cache.sequence()
    k, v = append(sequence, [6], 1)
    fork = sequence.fork()
    k1, v1 = append(sequence, [1], 2)
    k2, v2 = append(fork, [2], 3)
    q = random(4, 1, 4, 1, DEPTH)
    check(attention(q, sequence.key_values(0)), q, wide(k, k1), wide(v, v1))
    check(attention(q, fork.key_values(0)), q, wide(k, k2), wide(v, v2))
    fork.truncate(6)
    check(attention(q, fork.key_values(0)), q, wide(k), wide(v))
    both = attention(np.concatenate([q, q]), key_values([sequence, fork], 0))
    np.testing.assert_array_equal(both[1:], attention(q, fork.key_values(0)))
    with pytest.raises(AttentionError) as caught:
        fork.truncate(7)
    assert caught.value.argument == "count"


def test_tokens_are_reused():
    cache = make()
    prompt = list(range(100, 111))
    append(cache_sequence := cache.sequence(), [prompt], 1)
    other = cache.reusing(prompt)
    assert len(other) == 8 and len(cache.reusing([1, 2, 3, 4, 5])) == 0
    del cache_sequence
    q = random(4, 1, 4, 1, DEPTH)
    k, v = rows(1, 11)
    check(attention(q, other.key_values(0)), q, wide(k[:8]), wide(v[:8]))


def test_rings():
    cache = make()
    ring = cache.ring(4, keeping_first=2, longest_append=3)
    pieces = [append(ring, [3], seed) for seed in range(1, 7)] + [rows(7, 2)]
    k, v = (wide(*(piece[at] for piece in pieces)) for at in (0, 1))
    q = random(9, 2, 4, DEPTH)
    seen = dict(causal=True, window=(4, None), keeping_first=2)
    with Step(ring, [2]) as step:
        for layer in range(LAYERS):
            step.write(layer, *rows(7, 2, layer))
        y = attention(q, step.key_values(0), query_lengths=[2], **seen)
    check(y.swapaxes(0, 1)[None], q.swapaxes(0, 1)[None], k, v, **seen)
    assert len(ring) == 20
    with pytest.raises(AttentionError):
        append(ring, [4], 9)


@pytest.mark.parametrize("kind", ["float32", "bfloat16", "float16", "int8"])
def test_save_and_load(tmp_path, kind):
    cache = make(keys=kind, values="int4" if kind == "int8" else kind)
    sequence = cache.sequence()
    append(sequence, [[5, 6, 7, 8, 9]], 1)
    sequence.save(tmp_path / "cache")
    loaded = cache.load(tmp_path / "cache")
    assert len(loaded) == 5
    q = random(4, 1, 4, 2, DEPTH)
    np.testing.assert_array_equal(attention(q, loaded.key_values(1)), attention(q, sequence.key_values(1)))
    saved = bytearray((tmp_path / "cache").read_bytes())
    saved[-1] ^= 1
    (tmp_path / "altered").write_bytes(saved)
    for path in (tmp_path / "altered", tmp_path / "missing", "a\0b"):
        with pytest.raises(AttentionError):
            cache.load(path)
    with pytest.raises(AttentionError):
        sequence.save(tmp_path / "no folder" / "cache")


def test_rotary():
    rotary = Rotary(DEPTH, 32, base=100.0)
    x = random(1, 2, 3, 4, DEPTH)
    positions = np.array([0, 3, 31, 7])
    angles = positions[:, None] * 100.0 ** (-2 * np.arange(DEPTH // 2) / DEPTH)
    halves = x[..., : DEPTH // 2].astype(np.float64), x[..., DEPTH // 2 :].astype(np.float64)
    expected = [
        halves[0] * np.cos(angles) - halves[1] * np.sin(angles),
        halves[1] * np.cos(angles) + halves[0] * np.sin(angles),
    ]
    turned = x.copy()
    assert rotary.apply(turned, positions) is turned
    # One rounding of each product and sum, of tables rounded once.
    np.testing.assert_allclose(turned, np.concatenate(expected, axis=-1), rtol=0, atol=1e-6)
    with pytest.raises(AttentionError, match="positions"):
        rotary.apply(turned, [0, 1, 2, 32])
    with pytest.raises(AttentionError, match="rotated"):
        Rotary(DEPTH, 32, rotated=3)
    cache = make()
    sequence = cache.sequence()
    k, v = rows(1, 5)
    with Step(sequence, [5]) as step:
        for layer in range(LAYERS):
            step.write(layer, k, v, rotary=rotary)
    q = random(4, 1, 4, 1, DEPTH)
    check(attention(q, sequence.key_values(0)), q, rotary.apply(wide(k).copy(), range(5)), wide(v))


def test_what_does_not_fit():
    cache, other = make(pages=2), make()
    for wrong, argument in (
        (dict(keys="int3"), "keys"),
        (dict(keys="int4"), "keys"),
        (dict(pages=-1), "pages"),
        (dict(pages=1.5), "pages"),
    ):
        with pytest.raises(AttentionError) as caught:
            make(**wrong)
        assert caught.value.argument == argument
    with pytest.raises(MemoryError):
        make(pages=2**31 - 1, page_size=4096)
    sequence = cache.sequence()
    with pytest.raises(MemoryError, match="pages"):
        Step(sequence, [9])
    for sequences, appending in (([sequence], [1, 2]), ([sequence, 3], [1, 1]), ([sequence, other.sequence()], [1, 1]), ([sequence], [-1]), ([sequence], ["a"]), ([sequence, sequence], [1, [2]])):  # fmt: skip
        with pytest.raises(AttentionError):
            Step(sequences, appending)
    with Step(sequence, [1]) as step:
        with pytest.raises(AttentionError):
            Step(sequence, [1])
        with pytest.raises(AttentionError) as caught:
            step.write(2, *rows(1, 1))
        assert caught.value.argument == "layer"
        with pytest.raises(AttentionError, match="keys"):
            step.write(0, *rows(1, 2))
        step.cancel()
    assert len(sequence) == 0 and cache.free_pages == 2
    with pytest.raises(AttentionError, match="sequences"):
        key_values([], 0)


def test_a_step_ended_by_another_thread():
    """Calls that are in a step when it is cancelled end as if it went on."""
    cache = make(pages=600)
    sequence = cache.sequence()
    q = random(4, 900, 4, DEPTH)
    step = Step(sequence, [900])
    for layer in range(LAYERS):
        step.write(layer, *rows(1, 900, layer))
    expected = attention(q, step.key_values(0), causal=True, query_lengths=[900])
    results, begun = [], threading.Event()

    def compute():
        begun.set()
        try:
            while True:
                results.append(
                    np.array_equal(attention(q, step.key_values(0), causal=True, query_lengths=[900]), expected)
                )
        except AttentionError as error:
            results.append(error.argument == "step")

    thread = threading.Thread(target=compute)
    thread.start()
    begun.wait()
    while not results:
        pass
    step.cancel()
    thread.join()
    assert all(results) and len(sequence) == 0
