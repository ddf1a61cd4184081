"""attention and its companions on PyTorch tensors: no copies, results in the library of the queries."""

import resource
import struct

import numpy as np
import pytest
import torch
from oracle import check, operands
from producers import Producer

from swift_attention import AttentionError, Cache, Rotary, Step, attention, merge, quantize
from swift_attention._frames import QUERIES, frame
from swift_attention._tensors import pack


def tensors(**shape):
    return [torch.from_numpy(x) for x in operands(**shape)]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("transposed", [False, True])
def test_types_and_layouts(dtype, transposed):
    q, k, v = (x.to(dtype) for x in tensors(rows=20, count=30))
    if transposed:
        q, k, v = (x.transpose(1, 2).contiguous().transpose(1, 2) for x in (q, k, v))
    y, lse = attention(q, k, v, causal=True, return_lse=True)
    assert type(y) is type(lse) is torch.Tensor and y.dtype == dtype
    assert lse.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH):
        mask = torch.ones(20, 30, dtype=torch.bool).tril(10)
        expected = torch.nn.functional.scaled_dot_product_attention(
            q.double(), k.double(), v.double(), mask, enable_gqa=True
        )
    close = {torch.float64: 1e-12, torch.float32: 2e-6, torch.float16: 2e-3, torch.bfloat16: 2e-2}[dtype]
    torch.testing.assert_close(y.double(), expected, rtol=0, atol=close)


def test_the_memory_is_the_tensors_own():
    x = torch.randn(2, 3, 5, 8)
    for view in (x, x.transpose(1, 2), x[:, 1:, ::2, 3:], x[:1].expand(7, 3, 5, 8), torch.nn.Parameter(x)):
        with frame() as taken:
            pack(taken, QUERIES, view, "query")
            address, _, _, *rest = struct.unpack_from("Qii8q", taken.memory, QUERIES)
            assert address == view.data_ptr()
            assert tuple(rest[:4]) == tuple(view.shape) and tuple(rest[4:]) == view.stride()
    q, k, v = tensors()
    out = torch.empty(2, 5, 4, 16).transpose(1, 2)
    assert attention(q, k, v, out=out) is out
    check(out.numpy(), q.numpy(), k.numpy(), v.numpy())


def test_no_copy_of_keys_is_made():
    """Beside 256 MB of keys and values a call takes less than 32 MB."""
    cache = torch.empty(2, 1, 1, 2**19, 64).normal_()
    q = torch.randn(1, 8, 1, 64)
    attention(q[..., :1], cache[0, :, :, :1, :1], cache[1, :, :, :1])
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    attention(q, *cache)
    attention(q, cache[0, :, :, ::2], cache[1, :, :, ::2])
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 32 * 1024


def test_libraries_mix():
    q, k, v = tensors()
    expected = attention(q, k, v)
    mixed = attention(q.numpy(), k, Producer(v.numpy(), versioned=True))
    assert type(mixed) is np.ndarray and np.array_equal(mixed, expected.numpy())
    assert torch.equal(attention(q, k.numpy(), v, lengths=torch.tensor([9, 9])), expected)


def test_gradients_and_versions():
    q, k, v = tensors()
    weight = k.clone().requires_grad_()
    attention(q, weight, v)
    with torch.enable_grad():
        with pytest.raises(AttentionError, match="key: a tensor that requires gradients"):
            attention(q, weight, v)
        # What autograd saved of a result's memory is not used after a call wrote there.
        x = torch.ones(2, 4, 5, 16, requires_grad=True)
        out = torch.zeros(2, 4, 5, 16)
        y = (x * out).sum()
        attention(q, k, v, out=out)
        with pytest.raises(RuntimeError, match="modified by an inplace operation"):
            y.backward()
    with torch.inference_mode():
        attention(q, k, v, out=torch.empty_like(q))


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda x: x.to("meta"), "on meta given"),
        (lambda x: x.to_sparse(), "torch.sparse_coo"),
        (lambda x: x.long(), "torch.int64 given"),
        (lambda x: torch.imag(torch.complex(x, x).conj()), "resolve_neg"),
        (lambda x: x.as_subclass(type("Named", (torch.Tensor,), {})), "subclass"),
        (lambda x: x[None], "5 given|1, 2, 4, 5, 16"),
    ],
)
def test_what_is_no_operand(make, text):
    q, k, v = tensors()
    with pytest.raises(AttentionError, match=text) as caught:
        attention(make(q), k, v)
    assert caught.value.argument == "query"


def test_companions():
    q, k, v = tensors(count=20)
    parts = [attention(q, k[:, :, at], v[:, :, at], return_lse=True) for at in (slice(0, 7), slice(7, 20))]
    y, lse = merge(parts)
    torch.testing.assert_close(y, attention(q, k, v), rtol=0, atol=2e-6)
    assert lse.dtype == torch.float32
    (ki, ks), (vi, vs) = quantize(k.bfloat16()), quantize(v)
    assert ki.dtype == torch.int8
    expected = attention(q, ki * ks[..., None], vi * vs[..., None])
    torch.testing.assert_close(attention(q, ki, vi, key_scales=ks, value_scales=vs), expected, rtol=0, atol=2**-13)
    rotary = Rotary(16, 32)
    turned = rotary.apply(k.bfloat16(), torch.arange(20))
    assert turned.dtype == torch.bfloat16
    cache = Cache(layers=1, heads=2, depth=16, pages=8, page_size=8, keys="bfloat16", values="float32")
    sequence = cache.sequence()
    with Step(sequence, torch.tensor([20])) as step:
        step.write(0, k[0].transpose(0, 1).bfloat16(), v[0].transpose(0, 1))
        got = attention(q[0].transpose(0, 1), step.key_values(0), causal=True, query_lengths=[5])
    torch.testing.assert_close(
        got.transpose(0, 1), attention(q[:1], k[:1].bfloat16(), v[:1], causal=True)[0], rtol=0, atol=2e-5
    )
