"""Attention on CPUs, over NumPy arrays, PyTorch tensors and whatever speaks DLPack, without copies.

``attention`` is the operator. ``swift_attention.torch`` has PyTorch's ``scaled_dot_product_attention`` by its own signature, and replaces it in
programs as they are.
"""

import importlib

from ._attention import attention, describe
from ._caches import Cache, Sequence, key_values
from ._errors import AttentionError, AttentionMemoryError
from ._key_values import KeyValues
from ._library import version as __version__
from ._modifier import Scores
from ._rotary import Rotary
from ._steps import Step
from ._tensor_calls import merge, quantize
from ._threads import Threads, thread_count

__all__ = [
    "AttentionError",
    "AttentionMemoryError",
    "Cache",
    "KeyValues",
    "Rotary",
    "Scores",
    "Sequence",
    "Step",
    "Threads",
    "__version__",
    "attention",
    "describe",
    "key_values",
    "merge",
    "quantize",
    "thread_count",
]


def __getattr__(name: str):
    # Whoever names it has PyTorch; the others need not.
    if name == "torch":
        return importlib.import_module(".torch", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
