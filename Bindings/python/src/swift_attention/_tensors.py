"""Tensors of NumPy, PyTorch and DLPack as attention_tensor, without copies.

``read(frame, tensor, argument)`` says where a tensor lies, and ``pack(frame, offset, tensor, argument)`` writes that at an offset of a frame. Types
that were seen before are found in one dictionary lookup; NumPy and PyTorch are imported by whoever hands their tensors over, never by this.
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

# Address, element type, shape and strides in elements, of 1 to 4 axes.
Place = tuple[int, int, tuple, tuple]
Reader = Callable[[Frame, object, str, bool], Place]
# By the exact type of an object.
_readers: dict[type, Reader] = {}


def read(frame: Frame, tensor, argument: str, written: bool = False) -> Place:
    """Where ``tensor`` lies until ``frame`` is given back; ``written`` where the call writes to it.

    Raises AttentionError for what is no tensor on the CPU, another element type, other than 1 to 4 axes, or a result that may not be written.
    """
    return (_readers.get(type(tensor)) or _reader(tensor, argument))(frame, tensor, argument, written)


def pack(frame: Frame, offset: int, tensor, argument: str, written: bool = False) -> tuple[int, tuple]:
    """Describes ``tensor`` at ``offset`` of ``frame.memory``, and returns its element type and shape. Raises what ``read`` does."""
    address, code, shape, strides = (_readers.get(type(tensor)) or _reader(tensor, argument))(
        frame, tensor, argument, written
    )
    rank = len(shape)
    TENSOR[rank].pack_into(frame.memory, offset, address, code, rank, *shape, *strides)
    return code, shape


def _check_axes(shape, argument: str) -> None:
    if not 1 <= len(shape) <= 4:
        raise AttentionError(argument, f"shape {list(shape)} given, expected 1 to 4 axes")


def _reader(tensor, argument: str) -> Reader:
    """How a type of object that was not seen before is read."""
    kind = type(tensor)
    for ancestor in kind.__mro__:
        if ancestor.__module__ == "numpy" and ancestor.__name__ == "ndarray":
            if any(each.__name__ == "MaskedArray" for each in kind.__mro__):
                raise AttentionError(
                    argument, "a masked array given, whose mask would be lost, expected an array and masks="
                )
            return _readers.setdefault(kind, _numpy_reader())
        if ancestor.__module__ == "torch" and ancestor.__name__ == "Tensor":
            if kind is not ancestor and kind.__name__ != "Parameter":
                raise AttentionError(
                    argument, f"{kind.__qualname__} given, a subclass of torch.Tensor, expected a plain tensor"
                )
            return _readers.setdefault(kind, _torch_reader())
    if hasattr(tensor, "__dlpack__"):
        return _readers.setdefault(kind, _read_lent)
    raise AttentionError(
        argument, f"{kind.__qualname__} given, expected a NumPy array, a PyTorch tensor or one with __dlpack__"
    )


def _read_lent(frame: Frame, tensor, argument: str, written: bool) -> Place:
    lent = Lent(tensor, argument)
    frame.keep.append(lent)
    if written and lent.is_read_only:
        raise AttentionError(argument, "a read-only tensor given, expected one that may be written")
    return lent.address, lent.type, lent.shape, lent.strides


def _numpy_reader() -> Reader:
    import numpy

    types = {numpy.dtype(name): code for name, code in NAMES.items() if name != "bfloat16"}
    address_of = _array_address()

    def read_array(frame: Frame, array, argument: str, written: bool) -> Place:
        code = types.get(array.dtype)
        if code is None:
            # NumPy has no bfloat16 of its own; ml_dtypes registers one.
            if array.dtype.name != "bfloat16" or array.dtype.itemsize != 2:
                raise AttentionError(argument, f"{array.dtype} given, {EXPECTED} in the machine's byte order")
            code = types[array.dtype] = BFLOAT16
        if written and not array.flags.writeable:
            raise AttentionError(argument, "a read-only array given, expected one that may be written")
        size, shape, strides = TYPE_SIZES[code], array.shape, array.strides
        if len(shape) == 4:
            a, b, c, d = strides
            bits, steps = a | b | c | d, (a // size, b // size, c // size, d // size)
        else:
            _check_axes(shape, argument)
            bits, steps = reduce(or_, strides), tuple(stride // size for stride in strides)
        # Views of fields of records can lie at other distances. Sizes are powers of 2, so one look at all bits is enough.
        if bits & (size - 1):
            raise AttentionError(
                argument, f"strides of {list(strides)} bytes given, expected multiples of {size} for {array.dtype}"
            )
        return address_of(array), code, shape, steps

    return read_array


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


def _torch_reader() -> Reader:
    import torch

    types = {getattr(torch, name): code for name, code in NAMES.items()}
    is_grad_enabled = torch.is_grad_enabled

    def read_tensor(frame: Frame, tensor, argument: str, written: bool) -> Place:
        try:
            # Each question takes a tenth of a microsecond, so all that refuse stand in one line, and `_refusal` says which it was.
            code = types.get(tensor.dtype)
            if code is None or not tensor.is_cpu or tensor.is_neg() or tensor.requires_grad and is_grad_enabled():
                raise AttentionError(argument, _refusal(tensor, code))
            address, shape, strides = tensor.data_ptr(), tensor.shape, tensor.stride()
        except RuntimeError as error:
            # Sparse, nested and mkldnn tensors have no strides, and others no memory.
            raise AttentionError(
                argument,
                f"a {tensor.layout} tensor without memory or strides of its own given: {str(error).splitlines()[0]}",
            ) from None
        _check_axes(shape, argument)
        return address, code, shape, strides

    return read_tensor


def _refusal(tensor, code: int | None) -> str:
    """Why a PyTorch tensor is no operand: what was given and what is expected."""
    if not tensor.is_cpu:
        return f"a tensor on {tensor.device} given, expected one on the CPU"
    if code is None:
        return f"{tensor.dtype} given, {EXPECTED}"
    if tensor.is_neg():
        return "a view of negated numbers given, expected tensor.resolve_neg()"
    return "a tensor that requires gradients given, expected torch.no_grad() or inference_mode(): none are computed here"
