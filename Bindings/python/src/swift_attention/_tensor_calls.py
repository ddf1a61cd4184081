"""Calls on tensors alone: merging partial results, and rounding to integers."""

from __future__ import annotations

from . import _frames as frames
from . import _library as library
from ._errors import AttentionError
from ._frames import TENSOR_BYTES
from ._results import log_sum_exp_type, result_like
from ._tensors import pack


def merge(parts):
    """Attention over all keys from the attention over sets of them.

        lse = log(sum_n exp(lse[n]))        y = sum_n y[n] * exp(lse[n] - lse)

    ``parts``: pairs (output [..., Dv], log-sum-exps [...]) as ``attention(..., return_lse=True)`` gives them, all of one shape and type, merged in
    the order given. A part whose log-sum-exp is -inf leaves no trace; rows that saw no key in any part give 0 and -inf. Sinks belong to no part.

    Returns such a pair. Raises AttentionError where shapes or types differ, or there is no part.
    """
    # Pairs may be made as they are asked for: what they hold has to live through the call.
    try:
        parts = [(output, sums) for output, sums in parts]
    except (TypeError, ValueError):
        raise AttentionError("parts", f"{parts.__class__.__qualname__} given, expected pairs of an output and its log-sum-exps") from None
    if not parts:
        raise AttentionError("parts", "none given, expected one or more pairs of an output and its log-sum-exps")
    if len(getattr(parts[0][0], "shape", (0, 0))) < 2:
        raise AttentionError("parts[0]", "an output of one axis given, expected [..., Dv] of 2 to 4")
    count = len(parts)
    with frames.frame((2 * count + 2) * TENSOR_BYTES) as frame:
        for index, (output, sums) in enumerate(parts):
            type, shape = pack(frame, index * TENSOR_BYTES, output, f"parts[{index}]")
            _, rows = pack(frame, (count + index) * TENSOR_BYTES, sums, f"parts[{index}]")
        like = parts[0][0]
        output, sums = result_like(like, type, tuple(shape)), result_like(like, log_sum_exp_type(type), tuple(rows))
        pack(frame, 2 * count * TENSOR_BYTES, output, "output", True)
        pack(frame, (2 * count + 1) * TENSOR_BYTES, sums, "log_sum_exp", True)
        places = [frame.address + index * TENSOR_BYTES for index in (0, count, 2 * count, 2 * count + 1)]
        status = library.merge(places[0], places[1], count, places[2], places[3])
        library.check(status, _PartNames())
    return output, sums


def quantize(numbers):
    """Rows as int8 integers and their scales: scale = max|x| / 127 of a row, integer = x / scale to the nearest.

    ``numbers``: any float type, 2 to 4 axes. Returns integers of that shape and float32 scales of that shape without its last axis, as
    ``key_scales`` takes them. Raises AttentionError for rows with NaN or infinities.
    """
    with frames.frame() as frame:
        _, shape = pack(frame, 0, numbers, "numbers")
        if len(shape) < 2:
            raise AttentionError("numbers", f"shape {list(shape)} given, expected 2 to 4 axes")
        integers = result_like(numbers, library.INT8, tuple(shape))
        scales = result_like(numbers, library.FLOAT32, tuple(shape[:-1]))
        pack(frame, TENSOR_BYTES, integers, "integers", True)
        pack(frame, 2 * TENSOR_BYTES, scales, "scales", True)
        places = [frame.address + index * TENSOR_BYTES for index in range(3)]
        library.check(library.quantize(*places))
    return integers, scales


class _PartNames(dict):
    """The library speaks of outputs and log-sum-exps; the caller gave pairs."""

    def get(self, name, default=None):
        number = name[name.find("[") :] if "[" in name else ""
        return f"parts{number}" if name.startswith(("outputs", "log_sum_exps")) else default
