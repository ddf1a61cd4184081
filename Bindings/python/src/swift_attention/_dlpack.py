"""Tensors that say by ``__dlpack__`` where they lie, read from their capsules of either kind."""

from __future__ import annotations

import ctypes
from ctypes import (
    POINTER,
    Structure,
    c_char_p,
    c_int32,
    c_int64,
    c_uint8,
    c_uint16,
    c_uint32,
    c_uint64,
    c_void_p,
    py_object,
)

from ._errors import AttentionError
from ._library import BFLOAT16, BOOL, FLOAT16, FLOAT32, FLOAT64, INT8, INT32

CPU = 1
READ_ONLY = 1
# By code and bits: kDLInt 0, kDLFloat 2, kDLBfloat 4, kDLBool 6.
TYPES = {
    (2, 32): FLOAT32,
    (2, 64): FLOAT64,
    (2, 16): FLOAT16,
    (4, 16): BFLOAT16,
    (0, 8): INT8,
    (6, 8): BOOL,
    (0, 32): INT32,
}


class _Tensor(Structure):
    _fields_ = [
        ("data", c_void_p),
        ("device_type", c_int32),
        ("device_id", c_int32),
        ("ndim", c_int32),
        ("code", c_uint8),
        ("bits", c_uint8),
        ("lanes", c_uint16),
        ("shape", POINTER(c_int64)),
        ("strides", POINTER(c_int64)),
        ("byte_offset", c_uint64),
    ]


class _Managed(Structure):
    _fields_ = [("tensor", _Tensor), ("context", c_void_p), ("deleter", c_void_p)]


class _Versioned(Structure):
    _fields_ = [
        ("major", c_uint32),
        ("minor", c_uint32),
        ("context", c_void_p),
        ("deleter", c_void_p),
        ("flags", c_uint64),
        ("tensor", _Tensor),
    ]


# With the interpreter's lock held, which producers may rely on.
_DELETER = ctypes.PYFUNCTYPE(None, c_void_p)
_is_valid = ctypes.PYFUNCTYPE(ctypes.c_int, py_object, c_char_p)(("PyCapsule_IsValid", ctypes.pythonapi))
_pointer = ctypes.PYFUNCTYPE(c_void_p, py_object, c_char_p)(("PyCapsule_GetPointer", ctypes.pythonapi))
_rename = ctypes.PYFUNCTYPE(ctypes.c_int, py_object, c_char_p)(("PyCapsule_SetName", ctypes.pythonapi))


class Lent:
    """A tensor that a capsule held. Its producer has it back when this goes."""

    __slots__ = ("address", "type", "shape", "strides", "is_read_only", "_deleter", "_managed")

    def __init__(self, tensor, argument: str):
        self._deleter = None
        capsule = _capsule(tensor, argument)
        for name, used, kind in (
            (b"dltensor_versioned", b"used_dltensor_versioned", _Versioned),
            (b"dltensor", b"used_dltensor", _Managed),
        ):
            if _is_valid(capsule, name):
                break
        else:
            raise AttentionError(argument, "a capsule that is no DLPack tensor given, or one that was used before")
        address = _pointer(capsule, name)
        managed = kind.from_address(address)
        if kind is _Versioned and managed.major != 1:
            raise AttentionError(argument, f"DLPack {managed.major}.{managed.minor} given, expected version 1")
        # From here on the capsule no longer calls the deleter: this object does.
        _rename(capsule, used)
        self._managed, self._deleter = address, managed.deleter
        self.is_read_only = kind is _Versioned and bool(managed.flags & READ_ONLY)
        try:
            self._read(managed.tensor, argument)
        except AttentionError:
            self.give_back()
            raise

    def _read(self, tensor: _Tensor, argument: str) -> None:
        if tensor.device_type != CPU:
            raise AttentionError(
                argument, f"a tensor on device type {tensor.device_type} given, expected one on the CPU"
            )
        self.type = TYPES.get((tensor.code, tensor.bits), 0) if tensor.lanes == 1 else 0
        if self.type == 0:
            raise AttentionError(
                argument,
                f"DLPack type code {tensor.code} of {tensor.bits} bits in {tensor.lanes} lanes given, expected a type in the README's list",
            )
        rank = tensor.ndim
        if not 1 <= rank <= 4:
            raise AttentionError(argument, f"{rank} axes given, expected 1 to 4")
        self.shape = tuple(tensor.shape[:rank])
        if tensor.strides:
            self.strides = tuple(tensor.strides[:rank])
        else:
            strides, step = [], 1
            for length in reversed(self.shape):
                strides.append(step)
                step *= max(1, length)
            self.strides = tuple(reversed(strides))
        self.address = (tensor.data or 0) + tensor.byte_offset

    def give_back(self) -> None:
        """Ends the loan, once."""
        deleter, self._deleter = self._deleter, None
        if deleter:
            _DELETER(deleter)(self._managed)

    __del__ = give_back


def _capsule(tensor, argument: str):
    device = getattr(tensor, "__dlpack_device__", None)
    if device is not None and (place := tuple(device()))[0] != CPU:
        raise AttentionError(argument, f"a tensor on DLPack device {place} given, expected one on the CPU: (1, 0)")
    try:
        try:
            return tensor.__dlpack__(max_version=(1, 1))
        except TypeError:
            # Producers from before version 1 know no max_version.
            return tensor.__dlpack__()
    except BufferError as error:
        raise AttentionError(argument, f"a tensor that lends no memory given: {error}") from None
