"""What PyTorch computes, and how close to it a result must be."""

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

# torch.testing.assert_close's own: (rtol, atol).
CLOSE = {
    torch.float64: (1e-7, 1e-7), torch.float32: (1.3e-6, 1e-5), torch.float16: (1e-3, 1e-5), torch.bfloat16: (1.6e-2, 1e-5),
}  # fmt: skip


def expected(query, key, value, attn_mask=None, **options):
    """PyTorch's own computation, its plain formula, in float64."""
    wide = attn_mask if attn_mask is None or attn_mask.dtype == torch.bool else attn_mask.double()
    with sdpa_kernel(SDPBackend.MATH):
        return torch.nn.functional.scaled_dot_product_attention(
            query.double(), key.double(), value.double(), attn_mask=wide, **options
        )


def check(result, query, key, value, attn_mask=None, **options):
    """As PyTorch's tests of its fused kernels do: within twice the error of the plain formula in the type itself, and never tighter than
    assert_close."""
    reference = expected(query, key, value, attn_mask, **options)
    assert result.shape == reference.shape and result.dtype == query.dtype
    with sdpa_kernel(SDPBackend.MATH):
        plain = torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=attn_mask, **options)
    rtol, atol = CLOSE[query.dtype]
    if result.numel():
        atol = max(atol, 2 * (plain.double() - reference).abs().max().item())
    torch.testing.assert_close(result.double(), reference, rtol=rtol, atol=atol)
