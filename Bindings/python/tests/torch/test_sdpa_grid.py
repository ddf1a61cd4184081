"""scaled_dot_product_attention over PyTorch's grid for inference: shapes, masks, heads, types, layouts, beside its plain formula in float64."""

import pytest
import torch
from comparison import check

from swift_attention.torch import scaled_dot_product_attention as attend

TYPES = [torch.float64, torch.float32, torch.bfloat16, torch.float16]
names = lambda x: str(x).removeprefix("torch.")  # noqa: E731


def qkv(batch, heads, rows, count, depth, width=None, kv_heads=None, dtype=torch.float32):
    kv_heads = heads if kv_heads is None else kv_heads
    draw = lambda *shape: torch.randn(shape, dtype=torch.float64).to(dtype)  # noqa: E731
    return (
        draw(batch, heads, rows, depth),
        draw(batch, kv_heads, count, depth),
        draw(batch, kv_heads, count, width or depth),
    )


def mask_of(kind, shape, dtype):
    if kind is None:
        return None
    if kind == "bool":
        return torch.rand(shape) < 0.7
    return torch.randn(shape).to(torch.float32 if kind == "float32" else dtype)


@pytest.mark.parametrize("dtype", TYPES, ids=names)
@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize(("rows", "count"), [(1, 1), (2, 103), (17, 17), (103, 64), (129, 257)])
@pytest.mark.parametrize("depth", [8, 16, 33, 64, 128])
@pytest.mark.parametrize("is_causal", [False, True])
def test_shapes(batch, heads, rows, count, depth, is_causal, dtype):
    operands = qkv(batch, heads, rows, count, depth, dtype=dtype)
    check(attend(*operands, is_causal=is_causal), *operands, is_causal=is_causal)


@pytest.mark.parametrize("dtype", TYPES, ids=names)
@pytest.mark.parametrize("kind", ["bool", "same", "float32"])
@pytest.mark.parametrize("batch_of_mask", [1, 4])
@pytest.mark.parametrize("heads_of_mask", [1, 3])
@pytest.mark.parametrize(("rows", "count"), [(1, 33), (17, 17), (64, 103)])
@pytest.mark.parametrize(("rows_of_mask", "columns_of_mask"), [("all", "all"), (1, "all"), ("all", 1), (1, 1)])
def test_masks(dtype, kind, batch_of_mask, heads_of_mask, rows, count, rows_of_mask, columns_of_mask):
    operands = qkv(4, 3, rows, count, 24, dtype=dtype)
    shape = (
        batch_of_mask,
        heads_of_mask,
        rows if rows_of_mask == "all" else 1,
        count if columns_of_mask == "all" else 1,
    )
    mask = mask_of(kind, shape, dtype)
    if dtype == torch.float64 and kind == "float32":
        # PyTorch's plain formula gives such masks float32's range alone; compared with the mask widened, which holds the same numbers.
        check(attend(*operands, attn_mask=mask), *operands, attn_mask=mask.double())
    else:
        check(attend(*operands, attn_mask=mask), *operands, attn_mask=mask)


@pytest.mark.parametrize("rank", [2, 3, 4])
@pytest.mark.parametrize("kind", ["bool", "same"])
def test_ranks_of_masks(rank, kind):
    operands = qkv(2, 3, 7, 11, 16)
    mask = mask_of(kind, (2, 3, 7, 11)[4 - rank :], torch.float32)
    check(attend(*operands, attn_mask=mask), *operands, attn_mask=mask)


@pytest.mark.parametrize("kind", ["bool", "same"])
def test_layouts_of_masks(kind):
    operands = qkv(2, 3, 7, 11, 16)
    whole = mask_of(kind, (2, 3, 11, 7), torch.float32)
    for mask in (whole.transpose(2, 3), whole[:1, :1].transpose(2, 3).expand(2, 3, 7, 11), whole.transpose(2, 3).flip(3), mask_of(kind, (2, 3, 14, 22), torch.float32)[:, :, ::2, 1::2]):  # fmt: skip
        check(attend(*operands, attn_mask=mask), *operands, attn_mask=mask)


@pytest.mark.parametrize("dtype", TYPES, ids=names)
@pytest.mark.parametrize(("heads", "kv_heads"), [(4, 4), (4, 2), (9, 3), (8, 1)])
@pytest.mark.parametrize(("rows", "count"), [(1, 65), (33, 33), (64, 5)])
@pytest.mark.parametrize("with_mask", [False, True])
@pytest.mark.parametrize("is_causal", [False, True])
def test_groups(dtype, heads, kv_heads, rows, count, with_mask, is_causal):
    operands = qkv(2, heads, rows, count, 32, kv_heads=kv_heads, dtype=dtype)
    options = dict(enable_gqa=True, is_causal=is_causal and not with_mask)
    if with_mask:
        options["attn_mask"] = torch.rand(2, heads, rows, count) < 0.7
    check(attend(*operands, **options), *operands, **options)


@pytest.mark.parametrize("dtype", TYPES, ids=names)
@pytest.mark.parametrize("scale", [None, 0.0, 1.0, 0.37, -0.2])
@pytest.mark.parametrize("width", [1, 24, 80])
def test_scales_and_widths(dtype, scale, width):
    operands = qkv(2, 2, 19, 23, 40, width=width, dtype=dtype)
    check(attend(*operands, scale=scale), *operands, scale=scale)


@pytest.mark.parametrize("dtype", TYPES, ids=names)
@pytest.mark.parametrize("layout", ["transposed", "packed qkv", "expanded", "every other", "permuted", "columns"])
def test_layouts(dtype, layout):
    draw = lambda *shape: torch.randn(shape, dtype=torch.float64).to(dtype)  # noqa: E731
    match layout:
        case "transposed":
            operands = [draw(2, 17, 3, 32).transpose(1, 2) for _ in "qkv"]
        case "packed qkv":
            operands = [x.view(2, 17, 3, 32).transpose(1, 2) for x in draw(2, 17, 3 * 96).chunk(3, dim=-1)]
        case "expanded":
            operands = [
                draw(2, 3, 17, 32),
                draw(1, 1, 17, 32).expand(2, 3, 17, 32),
                draw(2, 1, 17, 32).expand(2, 3, 17, 32),
            ]
        case "every other":
            operands = [draw(4, 6, 34, 64)[::2, ::2, ::2, ::2] for _ in "qkv"]
        case "permuted":
            operands = [draw(17, 32, 2, 3).permute(2, 3, 0, 1) for _ in "qkv"]
        case "columns":
            operands = [draw(2, 3, 32, 17).transpose(2, 3) for _ in "qkv"]
    for is_causal in (False, True):
        check(attend(*operands, is_causal=is_causal), *operands, is_causal=is_causal)
