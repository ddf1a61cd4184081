"""PyTorch's ``scaled_dot_product_attention`` on this engine, by its own signature, and in its place.

with swift_attention.torch.replace_sdpa() as replaced:
    output = model(tokens)
print(replaced)
"""

from __future__ import annotations

from ._errors import AttentionError
from ._replacement import Replacement
from ._sdpa import attend, refusal
from ._threads import Threads, pool_of

__all__ = ["Replacement", "disable", "enable", "replace_sdpa", "scaled_dot_product_attention"]


def scaled_dot_product_attention(
    query,
    key,
    value,
    attn_mask=None,
    dropout_p=0.0,
    is_causal=False,
    scale=None,
    enable_gqa=False,
    *,
    threads: Threads | None = None,
):
    """``torch.nn.functional.scaled_dot_product_attention``, for inference on the CPU.

        s[i,j] = scale * (q[i] . k[j]) + mask[i,j]        y[i] = sum_j softmax_j(s[i,j]) * v[j]

    ``query`` [..., Hq, L, E], ``key`` [..., H, S, E] and ``value`` [..., H, S, Ev], of one type: float32, float64, float16 or bfloat16. Two axes or
    more; leading axes broadcast between the three. Any strides; what broadcasts is read where it lies. Returns [..., Hq, L, Ev].

    - ``attn_mask``: bool, True takes part; or float32 or the query's type, added. It broadcasts to [..., Hq, L, S].
    - ``is_causal``: query i sees keys 0 to i, whatever S is (top-left). Not with a mask.
    - ``scale``: 1/sqrt(E) where None.
    - ``enable_gqa``: H divides Hq, and query head h reads key/value head h // (Hq // H). Where keys and values have different numbers of heads,
      the fewer are repeated in new memory.
    - ``threads``: beyond PyTorch's signature.

    A query that sees no key gives 0, as in PyTorch since 2.5. Under autocast for CPUs tensors are converted as PyTorch does.

    Raises AttentionError for what PyTorch refuses and for what is not computed here: dropout, gradients, other devices and types, subclasses of
    torch.Tensor, tensors within torch.func transforms.
    """
    pool_of(threads)
    refused = refusal(query, key, value, attn_mask, dropout_p)
    if refused is not None:
        raise AttentionError(refused[1], refused[2])
    return attend(query, key, value, attn_mask, is_causal, scale, enable_gqa, threads)


def replace_sdpa(*, threads: Threads | None = None) -> Replacement:
    """A block in which ``torch.nn.functional.scaled_dot_product_attention`` is this engine's, for all threads of the process.

    A model of Transformers with ``attn_implementation="sdpa"``, or a ``torch.nn.MultiheadAttention`` off its fast path, runs on it unchanged. What is
    not computed here goes to PyTorch's own function and is counted, by reason, in ``passed_on``; the rest is in ``calls``. Modules that are loaded
    and imported the function by name are served too; a function bound otherwise (a default argument, a partial) is not.
    """
    return Replacement(threads)


_enabled: list[Replacement] = []


def enable(*, threads: Threads | None = None) -> Replacement:
    """``replace_sdpa`` without a block, until ``disable``."""
    replacement = Replacement(threads).enable()
    _enabled.append(replacement)
    return replacement


def disable() -> Replacement:
    """Undoes the last ``enable`` and returns what it made, with its counts. Raises RuntimeError where there is none."""
    if not _enabled:
        raise RuntimeError("disable() without enable() before")
    replacement = _enabled.pop()
    replacement.disable()
    return replacement
