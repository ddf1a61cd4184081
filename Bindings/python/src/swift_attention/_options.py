"""attention_options from keyword arguments."""

from __future__ import annotations

from ctypes import c_void_p, cast

from . import _library as library
from ._errors import AttentionError
from ._frames import MASK_COUNT, MASKS, OPTIONS, OPTIONS_AT, SCALARS, SCALARS_AT, TENSOR_BYTES, Frame
from ._modifier import Modifier
from ._numbers import doubles, integer, integers, number
from ._tensors import pack
from ._threads import pool_of

ALIGNMENTS = {"bottom_right": library.BOTTOM_RIGHT, "top_left": library.TOP_LEFT}


def pack_options(
    frame: Frame,
    *,
    scale,
    causal,
    alignment,
    window,
    keeping_first,
    masks,
    alibi_slopes,
    softcap,
    sinks,
    threads,
    softmax_float64,
    modifier,
) -> Modifier | None:
    """Fills in a frame's options. The result, where there is one, says after the call what the modifier raised."""
    offsets = offset_count = slopes = slope_count = sink_numbers = sink_count = callback = 0
    kind = library.BOTTOM_RIGHT
    if alignment != "bottom_right" if isinstance(alignment, str) else alignment is not None:
        kind, offsets, offset_count = _alignment(frame, alignment)
    left, right = (None, None) if window is None else _window(window)
    address = frame.address + SCALARS_AT
    if scale is not None or window is not None:
        SCALARS.pack_into(
            frame.memory, SCALARS_AT, 0.0 if scale is None else number(scale, "scale"), left or 0, right or 0, 0
        )
    mask_address, mask_count = (0, 0) if masks is None else _masks(frame, masks)
    if alibi_slopes is not None:
        kept, slopes, slope_count = doubles(alibi_slopes, "alibi_slopes")
        frame.keep.append(kept)
    if sinks is not None:
        kept, sink_numbers, sink_count = doubles(sinks, "sinks")
        frame.keep.append(kept)
    changes = None
    if modifier is not None:
        if not callable(modifier):
            raise AttentionError("modifier", f"{modifier!r} given, expected a function of Scores")
        changes = Modifier(modifier)
        callback = cast(changes.callback, c_void_p).value or 0
        frame.keep.append(changes)
    if threads is not None:
        frame.keep.append(threads)
    OPTIONS.pack_into(
        frame.memory,
        OPTIONS_AT,
        0 if scale is None else address,
        1 if causal else 0,
        kind,
        offsets,
        offset_count,
        0 if left is None else address + 8,
        0 if right is None else address + 16,
        keeping_first if keeping_first == 0 else integer(keeping_first, "keeping_first"),
        mask_address,
        mask_count,
        slopes,
        slope_count,
        number(softcap, "softcap") if softcap else 0.0,
        sink_numbers,
        sink_count,
        1 if softmax_float64 else 0,
        callback,
        0,
        pool_of(threads) or 0,
    )
    return changes


def _alignment(frame: Frame, alignment) -> tuple[int, int, int]:
    if isinstance(alignment, str):
        if alignment not in ALIGNMENTS:
            raise AttentionError(
                "alignment",
                f"{alignment!r} given, expected 'bottom_right', 'top_left', an offset or one for each sequence",
            )
        return ALIGNMENTS[alignment], 0, 0
    # Numbers of NumPy's are indices too; their arrays are none.
    is_one = hasattr(alignment, "__index__") and not getattr(alignment, "shape", ())
    kept, address, count = integers([alignment] if is_one else alignment, "alignment")
    frame.keep.append(kept)
    return library.OFFSETS, address, count


def _window(window) -> tuple[int | None, int | None]:
    try:
        left, right = window
    except (TypeError, ValueError):
        raise AttentionError(
            "window", f"{window!r} given, expected (left, right), each a number of keys or None"
        ) from None
    return (None if left is None else integer(left, "window"), None if right is None else integer(right, "window"))


def _masks(frame: Frame, masks) -> tuple[int, int]:
    """One tensor, or a list of them, which a modifier or another thread may change meanwhile."""
    masks = tuple(masks) if isinstance(masks, (list, tuple)) else masks
    frame.keep.append(masks)
    if not isinstance(masks, tuple):
        pack(frame, MASKS, masks, "masks")
        return frame.address + MASKS, 1
    count = len(masks)
    if count <= MASK_COUNT:
        for index, mask in enumerate(masks):
            pack(frame, MASKS + index * TENSOR_BYTES, mask, f"masks[{index}]")
        return (frame.address + MASKS if count else 0), count
    # Longer lists find their place in a frame of another size.
    longer = Frame(count * TENSOR_BYTES, frame.keep)
    frame.keep.append(longer)
    for index, mask in enumerate(masks):
        pack(longer, index * TENSOR_BYTES, mask, f"masks[{index}]")
    return longer.address, count
