"""Programs as they are on this engine: torch.nn.functional.scaled_dot_product_attention replaced."""

from __future__ import annotations

import functools
import sys
from collections import Counter
from threading import Lock
from typing import Callable

import torch

from ._errors import AttentionError
from ._sdpa import attend, refusal
from ._threads import Threads, pool_of


class Replacement:
    """What stands in the place of PyTorch's function, and what it did. Made by ``replace_sdpa``.

    ``calls`` is how many calls this engine computed. ``passed_on`` counts those that PyTorch's own function had to compute, by reason: "gradients",
    "dropout", "device", "dtype", "layout", "tensor subclass", "tracing", "transform", or "arguments: NAME" for what does not fit.
    """

    def __init__(self, threads: Threads | None = None):
        pool_of(threads)
        self.calls = 0
        self.passed_on: Counter[str] = Counter()
        self._threads, self._lock = threads, Lock()
        self._places: list[tuple[dict, str]] = []
        self._original: Callable | None = None
        self._function: Callable | None = None

    def enable(self) -> Replacement:
        """Puts this in the place of the function: in ``torch.nn.functional``, and in each loaded module outside PyTorch that imported it by name."""
        with _changing:
            if self._function is not None:
                raise RuntimeError("this replacement is enabled already")
            self._original = torch.nn.functional.scaled_dot_product_attention
            self._function = self._make(self._original)
            self._places = _places_of(self._original)
            for names, name in self._places:
                names[name] = self._function
        return self

    def disable(self) -> None:
        """Puts back what was there, except where someone else has put another function meanwhile; ours, if they call it, then passes everything on
        uncounted."""
        with _changing:
            function, self._function = self._function, None
            for names, name in self._places:
                if names.get(name) is function:
                    names[name] = self._original
            self._places = []

    def __enter__(self) -> Replacement:
        return self.enable()

    def __exit__(self, *_) -> None:
        self.disable()

    def __repr__(self) -> str:
        return f"Replacement(calls={self.calls}, passed_on={dict(self.passed_on)})"

    def _make(self, original):
        @functools.wraps(original)
        def scaled_dot_product_attention(
            query, key, value, attn_mask=None, dropout_p=0.0, is_causal=False, scale=None, enable_gqa=False
        ):
            # First, and alone: torch.compile takes the constant from here and sees PyTorch's function.
            if torch.compiler.is_compiling():
                return original(query, key, value, attn_mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)
            return self._call(original, query, key, value, attn_mask, dropout_p, is_causal, scale, enable_gqa)

        return scaled_dot_product_attention

    def _call(self, original, query, key, value, mask, dropout_p, is_causal, scale, enable_gqa):
        reason = None
        if self._function is not None:
            reason = self._reason(query, key, value, mask, dropout_p)
            if reason is None:
                try:
                    output = attend(query, key, value, mask, is_causal, scale, enable_gqa, self._threads)
                    with self._lock:
                        self.calls += 1
                    return output
                except AttentionError as error:
                    reason = f"arguments: {error.argument}"
        if reason is not None:
            with self._lock:
                self.passed_on[reason] += 1
        return original(query, key, value, mask, dropout_p, is_causal, scale=scale, enable_gqa=enable_gqa)

    @staticmethod
    def _reason(query, key, value, mask, dropout_p) -> str | None:
        if torch.jit.is_tracing():
            return "tracing"
        refused = refusal(query, key, value, mask, dropout_p)
        return None if refused is None else refused[0]


_changing = Lock()


def _places_of(function) -> list[tuple[dict, str]]:
    """Global names that hold a function. PyTorch's own modules keep theirs, which its compiler and exporter know functions by."""
    places = [(vars(torch.nn.functional), "scaled_dot_product_attention")]
    for name, module in list(sys.modules.items()):
        names = getattr(module, "__dict__", None)
        if not isinstance(names, dict) or name.partition(".")[0] in ("torch", "swift_attention"):
            continue
        places += [(names, each) for each, value in list(names.items()) if value is function]
    return places
