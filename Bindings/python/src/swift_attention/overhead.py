"""What a call costs beside the library's own: python -m swift_attention.overhead [CALLS]

One query, one key, width 64: the least work there is. Each row is the median of CALLS calls (20,000), beside the library's function called with
operands that were described once; the difference is what reading the tensors takes. Rows are measured in turns, so that all meet the same machine.
"""

from __future__ import annotations

import statistics
import sys
from importlib.util import find_spec
from time import perf_counter_ns
from typing import Callable

from . import _frames as frames
from . import _library as library
from ._attention import attention
from ._operands import pack_operands
from ._options import pack_options
from ._tensors import pack

TURNS = 20


def bare(query, out) -> Callable[[], None]:
    """The library's function on operands that were described once, as a C program calls it, plus Python's way into C."""
    frame = frames.take()
    pack_operands(frame, query, query, query, None, None, None, None, None)
    pack_options(
        frame, scale=None, causal=False, alignment="bottom_right", window=None, keeping_first=0, masks=None, alibi_slopes=None, softcap=0.0,
        sinks=None, threads=None, softmax_float64=False, modifier=None,
    )  # fmt: skip
    pack(frame, frames.OUTPUT, out, "out", True)
    places = [frame.address + place for place in (frames.QUERIES, frames.KEY_VALUES, frames.OPTIONS_AT, frames.OUTPUT)]
    frame.keep += [query, out]

    def call(frame=frame):
        library.check(library.run(*places, None))

    return call


def calls() -> dict[str, Callable[[], object]]:
    """What is measured, by name, of the libraries that are installed."""
    found: dict[str, Callable[[], object]] = {}
    if find_spec("numpy"):
        import numpy

        array, out = numpy.ones((1, 1, 1, 64), numpy.float32), numpy.empty((1, 1, 1, 64), numpy.float32)
        found["the library's function alone"] = bare(array, out)
        found["attention, NumPy, out="] = lambda: attention(array, array, array, out=out)
        found["attention, NumPy"] = lambda: attention(array, array, array)
    if find_spec("torch"):
        import torch

        from .torch import scaled_dot_product_attention

        tensor = torch.ones(1, 1, 1, 64)
        found.setdefault("the library's function alone", bare(tensor, torch.empty_like(tensor)))
        found["attention, PyTorch"] = lambda: attention(tensor, tensor, tensor)
        found["scaled_dot_product_attention"] = lambda: scaled_dot_product_attention(tensor, tensor, tensor)
        found["PyTorch's own, for comparison"] = lambda: torch.nn.functional.scaled_dot_product_attention(
            tensor, tensor, tensor
        )
    return found


def medians(measured: dict[str, Callable[[], object]], count: int) -> dict[str, float]:
    """Microseconds of each call."""
    times: dict[str, list[int]] = {name: [] for name in measured}
    for _ in range(TURNS):
        for name, call in measured.items():
            for _ in range(max(1, count // TURNS)):
                start = perf_counter_ns()
                call()
                times[name].append(perf_counter_ns() - start)
    return {name: statistics.median(each) / 1000 for name, each in times.items()}


def main() -> None:
    found = calls()
    if not found:
        sys.exit("overhead: neither NumPy nor PyTorch is installed")
    micros = medians(found, int(sys.argv[1]) if len(sys.argv) > 1 else 20_000)
    least = micros["the library's function alone"]
    for name, each in micros.items():
        print(f"{name:32} {each:6.1f} us  {each - least:+6.1f}")


if __name__ == "__main__":
    main()
