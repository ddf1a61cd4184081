"""What scaled_dot_product_attention means beyond plain shapes: leading axes, rows that see nothing, empty tensors, refusals."""

import math

import pytest
import torch
from comparison import check, expected
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as pytorch

from swift_attention import AttentionError
from swift_attention.torch import scaled_dot_product_attention as attend

LEADING = [
    ((), (), ()),
    ((3,), (3,), (3,)),
    ((2, 3), (2, 3), (2, 3)),
    ((2, 5, 3), (2, 5, 3), (2, 5, 3)),
    ((2, 2, 5, 3), (2, 2, 5, 3), (2, 2, 5, 3)),
    ((2, 3), (1, 3), (2, 1)),
    ((1, 3), (4, 1), (1, 1)),
    ((2, 3), (), (3,)),
    ((), (2, 3), (2, 3)),
    ((2, 5, 1), (5, 3), (2, 1, 3)),
    ((0, 3), (0, 3), (0, 3)),
]


@pytest.mark.parametrize("leading", LEADING, ids=str)
@pytest.mark.parametrize("is_causal", [False, True])
def test_leading_axes(leading, is_causal):
    q, k, v = torch.randn(*leading[0], 7, 16), torch.randn(*leading[1], 9, 16), torch.randn(*leading[2], 9, 24)
    check(attend(q, k, v, is_causal=is_causal), q, k, v, is_causal=is_causal)


@pytest.mark.parametrize(
    "shape", [(7, 9), (1, 9), (3, 7, 9), (1, 1, 9), (5, 1, 7, 9), (2, 5, 3, 7, 9), (2, 1, 1, 7, 1), (1, 1, 1, 1, 1)]
)
@pytest.mark.parametrize("kind", [torch.bool, torch.float32])
@pytest.mark.parametrize("permuted", [False, True])
def test_masks_of_five_axes(shape, kind, permuted):
    q, k, v = torch.randn(2, 5, 3, 7, 16), torch.randn(2, 5, 3, 9, 16), torch.randn(2, 5, 3, 9, 16)
    if permuted:
        # Leading axes that are no one axis in memory.
        q, k = (
            torch.randn(5, 2, 3, 7, 16).transpose(0, 1),
            torch.randn(5, 1, 3, 9, 16).transpose(0, 1).expand(2, 5, 3, 9, 16),
        )
    mask = torch.rand(shape) < 0.7 if kind == torch.bool else torch.randn(shape)
    check(attend(q, k, v, attn_mask=mask), q, k, v, attn_mask=mask)


@pytest.mark.parametrize(("heads", "kv", "values"), [(6, 3, 2), (6, 1, 6), (6, 6, 2), (4, 2, 2)])
@pytest.mark.parametrize("leading", [(), (2,), (2, 3)])
def test_heads_of_their_own(heads, kv, values, leading):
    q, k, v = torch.randn(*leading, heads, 5, 8), torch.randn(*leading, kv, 9, 8), torch.randn(*leading, values, 9, 8)
    check(attend(q, k, v, enable_gqa=True), q, k, v, enable_gqa=True)


def test_rows_that_see_nothing():
    q, k, v = (torch.randn(2, 3, 5, 8) for _ in "qkv")
    hidden = torch.ones(5, 5, dtype=torch.bool)
    hidden[2] = False
    for mask in (hidden, torch.where(hidden, 0.0, -math.inf)):
        y = attend(q, k, v, attn_mask=mask)
        assert (y[:, :, 2] == 0).all() and y[:, :, 3].abs().min() > 0
        check(y, q, k, v, attn_mask=mask)
    # What a tokenizer's padding becomes in Transformers: the lowest number, not infinity.
    lowest = torch.full((5, 5), torch.finfo(torch.float32).min)
    check(attend(q, k, v, attn_mask=lowest), q, k, v, attn_mask=lowest)


@pytest.mark.parametrize("axis", ["batch", "heads", "rows", "count", "depth", "width"])
def test_empty(axis):
    sizes = dict(batch=2, heads=3, rows=4, count=5, depth=8, width=6) | {axis: 0}
    q = torch.randn(sizes["batch"], sizes["heads"], sizes["rows"], sizes["depth"])
    k = torch.randn(sizes["batch"], sizes["heads"], sizes["count"], sizes["depth"])
    v = torch.randn(sizes["batch"], sizes["heads"], sizes["count"], sizes["width"])
    y = attend(q, k, v)
    torch.testing.assert_close(y, pytorch(q, k, v))


def test_nan_reaches_what_sees_it():
    q, k, v = (torch.randn(1, 1, 6, 8) for _ in "qkv")
    v[0, 0, 3, 2] = math.nan
    y = attend(q, k, v, is_causal=True)
    assert y[0, 0, :3].isfinite().all() and y[0, 0, 3:, 2].isnan().all()
    assert y[0, 0, 3:, :2].isfinite().all()


def test_autocast():
    q, k, v = (torch.randn(2, 3, 40, 8) for _ in "qkv")
    mask = torch.randn(40, 40)
    with torch.autocast("cpu", torch.bfloat16):
        assert pytorch(q, k, v).dtype == torch.bfloat16
        y = attend(q, k, v, attn_mask=mask)
        assert attend(q.double(), k.double(), v.double()).dtype == torch.float64
    torch.testing.assert_close(y.float(), expected(q, k, v, attn_mask=mask).float(), rtol=1.6e-2, atol=2e-2)


def test_the_memory_of_the_result_is_pytorchs():
    plain, transposed = torch.randn(2, 3, 40, 8), torch.randn(2, 40, 3, 8).transpose(1, 2)
    for q in (plain, transposed, torch.randn(2, 40, 9, 8)[:, :, 2:5].transpose(1, 2), transposed[:, :, :1]):
        for k in (plain, transposed):
            assert attend(q, k, k).stride() == pytorch(q, k, k).stride()


Q = torch.randn(2, 4, 5, 8)
REFUSED = {
    "mask and is_causal": ("attn_mask", lambda: dict(attn_mask=torch.ones(5, 5, dtype=torch.bool), is_causal=True)),
    "mask of integers": ("attn_mask", lambda: dict(attn_mask=torch.ones(5, 5, dtype=torch.int32))),
    "mask of another float": ("attn_mask", lambda: dict(attn_mask=torch.ones(5, 5, dtype=torch.float16))),
    "mask of float64": ("attn_mask", lambda: dict(attn_mask=torch.ones(5, 5, dtype=torch.float64))),
    "mask of another shape": ("attn_mask", lambda: dict(attn_mask=torch.ones(5, 4))),
    "mask larger than the scores": ("attn_mask", lambda: dict(attn_mask=torch.ones(2, 2, 4, 5, 5))),
    "mask without axes": ("attn_mask", lambda: dict(attn_mask=torch.tensor(0.0))),
    "dropout": ("dropout_p", lambda: dict(dropout_p=0.1)),
    "another type of keys": ("key", lambda: dict(key=Q.double())),
    "another type of values": ("value", lambda: dict(value=Q.double())),
    "fewer values": ("value", lambda: dict(value=Q[:, :, :4])),
    "another width of keys": ("key", lambda: dict(key=Q[..., :7])),
    "heads that differ": ("query, key, value", lambda: dict(key=Q[:, :2], value=Q[:, :2])),
    "groups that do not divide": ("key", lambda: dict(key=Q[:, :3], value=Q[:, :3], enable_gqa=True)),
    "one axis": ("query", lambda: dict(query=Q[0, 0, 0])),
    "groups of two axes": ("query", lambda: dict(query=Q[0, 0], key=Q[0, 0], value=Q[0, 0], enable_gqa=True)),
    "batches that differ": ("query, key, value", lambda: dict(key=Q.repeat(2, 1, 1, 1)[:3], value=Q.repeat(2, 1, 1, 1)[:3])),
    "integers": ("query", lambda: dict(query=Q.int(), key=Q.int(), value=Q.int())),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_what_pytorch_refuses(name):
    argument, change = REFUSED[name]
    arguments = dict(query=Q, key=Q, value=Q) | change()
    with pytest.raises(AttentionError) as caught:
        attend(**arguments)
    assert caught.value.argument == argument
    if name != "dropout":
        # PyTorch's kernel for CPUs takes fewer values than keys, which its plain formula refuses.
        backend = SDPBackend.MATH if name == "fewer values" else SDPBackend.FLASH_ATTENTION
        with sdpa_kernel([backend, SDPBackend.MATH]), pytest.raises((RuntimeError, IndexError)):
            pytorch(**arguments)


OTHERS = {
    "meta": ("query", lambda: Q.to("meta")),
    "sparse": ("query, key, value", lambda: Q.to_sparse()),
    "mkldnn": ("query, key, value", lambda: Q.to_mkldnn()),
    "negated": ("query", lambda: torch.imag(torch.complex(Q, Q).conj())),
    "subclass": ("query", lambda: Q.as_subclass(type("Named", (torch.Tensor,), {}))),
    "list": ("query", lambda: Q.tolist()),
}


@pytest.mark.parametrize("name", OTHERS)
def test_tensors_of_another_kind(name):
    argument, make = OTHERS[name]
    with pytest.raises(AttentionError) as caught:
        attend(make(), Q, Q)
    assert caught.value.argument == argument


def test_gradients():
    q = Q.clone().requires_grad_()
    check(attend(q, Q, Q), q, Q, Q)
    with torch.enable_grad(), pytest.raises(AttentionError, match="query: a tensor that requires gradients"):
        attend(q, Q, Q)
    with torch.enable_grad(), pytest.raises(AttentionError, match="attn_mask: a tensor that requires gradients"):
        attend(Q, Q, Q, attn_mask=torch.zeros(5, 5, requires_grad=True))
    with pytest.raises(AttentionError, match="transform"):
        torch.vmap(lambda x: attend(x, x, x))(Q)
    with torch.autograd.forward_ad.dual_level(), pytest.raises(AttentionError, match="forward-mode"):
        attend(Q, Q, Q)
