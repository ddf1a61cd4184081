"""Tensors of NumPy, PyTorch and DLPack as attention_tensor, without copies.

``pack(frame, offset, tensor, argument)`` writes the structure at an offset of a frame and returns the element type and the shape. Types that
were seen before are found in one dictionary lookup; NumPy and PyTorch are imported by whoever hands their tensors over, never by this.
"""

from __future__ import annotations

from ctypes import c_size_t
from functools import reduce
from operator import or_
from typing import Callable

from ._dlpack import Lent
from ._errors import AttentionError
from ._frames import TENSOR, Frame
from ._library import BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64, INT8, INT32, TYPE_SIZES

NAMES = {
    "float32": FLOAT32,
    "float64": FLOAT64,
    "float16": FLOAT16,
    "bfloat16": BFLOAT16,
    "int8": INT8,
    "bool": BOOL,
    "int32": INT32,
}
EXPECTED = "expected float32, float64, float16, bfloat16, int8, int32 or bool"

Packed = tuple[int, tuple]
Packer = Callable[..., Packed]
# By the exact type of an object.
_packers: dict[type, Packer] = {}


def pack(frame: Frame, offset: int, tensor, argument: str, written: bool = False) -> Packed:
    """Describes ``tensor`` at ``offset`` of ``frame.memory``; ``written`` where the call writes to it.

    Raises AttentionError for what is no tensor on the CPU, another element type, more than 4 axes, or a result that may not be written.
    """
    packer = _packers.get(type(tensor))
    if packer is None:
        packer = _packer(tensor, argument)
    return packer(frame, offset, tensor, argument, written)


def into(frame: Frame, offset: int, argument: str, address: int, type: int, shape: tuple, strides: tuple) -> Packed:
    """The structure from its fields."""
    rank = len(shape)
    if not 1 <= rank <= 4:
        raise AttentionError(argument, f"shape {list(shape)} given, expected 1 to 4 axes")
    TENSOR[rank].pack_into(frame.memory, offset, address, type, rank, *shape, *strides)
    return type, shape


def _packer(tensor, argument: str) -> Packer:
    """How a type of object that was not seen before is packed."""
    kind = type(tensor)
    for ancestor in kind.__mro__:
        if ancestor.__module__ == "numpy" and ancestor.__name__ == "ndarray":
            if any(each.__name__ == "MaskedArray" for each in kind.__mro__):
                raise AttentionError(
                    argument, "a masked array given, whose mask would be lost, expected an array and masks="
                )
            return _packers.setdefault(kind, _numpy_packer())
        if ancestor.__module__ == "torch" and ancestor.__name__ == "Tensor":
            if kind is not ancestor and kind.__name__ != "Parameter":
                raise AttentionError(
                    argument, f"{kind.__qualname__} given, a subclass of torch.Tensor, expected a plain tensor"
                )
            return _packers.setdefault(kind, _torch_packer())
    if hasattr(tensor, "__dlpack__"):
        return _packers.setdefault(kind, _pack_lent)
    raise AttentionError(
        argument, f"{kind.__qualname__} given, expected a NumPy array, a PyTorch tensor or one with __dlpack__"
    )


def _pack_lent(frame: Frame, offset: int, tensor, argument: str, written: bool) -> Packed:
    lent = Lent(tensor, argument)
    frame.keep.append(lent)
    if written and lent.is_read_only:
        raise AttentionError(argument, "a read-only tensor given, expected one that may be written")
    return into(frame, offset, argument, lent.address, lent.type, lent.shape, lent.strides)


def _numpy_packer() -> Packer:
    import numpy

    types = {numpy.dtype(name): code for name, code in NAMES.items() if name != "bfloat16"}
    address_of = _array_address()

    def pack_array(frame: Frame, offset: int, array, argument: str, written: bool) -> Packed:
        code = types.get(array.dtype)
        if code is None:
            # NumPy has no bfloat16 of its own; ml_dtypes registers one.
            if array.dtype.name != "bfloat16" or array.dtype.itemsize != 2:
                raise AttentionError(argument, f"{array.dtype} given, {EXPECTED} in the machine's byte order")
            code = types[array.dtype] = BFLOAT16
        if written and not array.flags.writeable:
            raise AttentionError(argument, "a read-only array given, expected one that may be written")
        size, shape, strides = TYPE_SIZES[code], array.shape, array.strides
        rank = len(shape)
        if not 1 <= rank <= 4:
            raise AttentionError(argument, f"shape {list(shape)} given, expected 1 to 4 axes")
        steps = [stride // size for stride in strides]
        # Views of fields of records can lie at other distances. Sizes are powers of 2, so one look at all bits is enough.
        if (reduce(or_, strides) if rank != 4 else strides[0] | strides[1] | strides[2] | strides[3]) & (size - 1):
            raise AttentionError(
                argument, f"strides of {list(strides)} bytes given, expected multiples of {size} for {array.dtype}"
            )
        TENSOR[rank].pack_into(frame.memory, offset, address_of(array), code, rank, *shape, *steps)
        return code, shape

    return pack_array


def _array_address() -> Callable[..., int]:
    """What says where an array's first element lies.

    ``__array_interface__`` takes 2.6 us on a machine where reading the pointer out of the array takes 0.4. The pointer's place is part of NumPy's
    binary interface: extensions have it compiled in (PyArray_DATA). Where a probe finds another place, the slow way is taken.
    """
    import numpy

    place, read = object.__basicsize__, c_size_t.from_address
    probe = numpy.arange(8.0)[3::2]
    if read(id(probe) + place).value == probe.__array_interface__["data"][0]:
        return lambda array: read(id(array) + place).value
    return lambda array: array.__array_interface__["data"][0]


def _torch_packer() -> Packer:
    import torch

    types = {getattr(torch, name): code for name, code in NAMES.items()}
    strided, is_grad_enabled = torch.strided, torch.is_grad_enabled

    def pack_tensor(frame: Frame, offset: int, tensor, argument: str, written: bool) -> Packed:
        if not tensor.is_cpu:
            raise AttentionError(argument, f"a tensor on {tensor.device} given, expected one on the CPU")
        if tensor.layout is not strided or tensor.is_nested:
            raise AttentionError(argument, f"a nested or {tensor.layout} tensor given, expected a strided one")
        if tensor.requires_grad and is_grad_enabled():
            raise AttentionError(
                argument,
                "a tensor that requires gradients given, expected torch.no_grad() or inference_mode(): none are computed here",
            )
        code = types.get(tensor.dtype)
        if code is None:
            raise AttentionError(argument, f"{tensor.dtype} given, {EXPECTED}")
        if tensor.is_neg():
            raise AttentionError(argument, "a view of negated numbers given, expected tensor.resolve_neg()")
        shape = tensor.shape
        rank = len(shape)
        if not 1 <= rank <= 4:
            raise AttentionError(argument, f"shape {list(shape)} given, expected 1 to 4 axes")
        try:
            address = tensor.data_ptr()
        except RuntimeError as error:
            raise AttentionError(
                argument, f"a tensor without memory of its own given: {str(error).splitlines()[0]}"
            ) from None
        TENSOR[rank].pack_into(frame.memory, offset, address, code, rank, *shape, *tensor.stride())
        return code, shape

    return pack_tensor
