"""A DLPack producer that counts what it lent and got back."""

import ctypes

import ml_dtypes
import numpy as np

from swift_attention._dlpack import _Managed, _Versioned

CODES = {
    np.dtype(np.float32): (2, 32), np.dtype(np.float64): (2, 64), np.dtype(np.float16): (2, 16), np.dtype(ml_dtypes.bfloat16): (4, 16),
    np.dtype(np.int8): (0, 8), np.dtype(np.int32): (0, 32), np.dtype(bool): (6, 8),
}  # fmt: skip
_DESTRUCTOR = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)
_DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_new = ctypes.pythonapi.PyCapsule_New
_new.restype, _new.argtypes = ctypes.py_object, [ctypes.c_void_p, ctypes.c_char_p, _DESTRUCTOR]
_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.restype, _is_valid.argtypes = ctypes.c_int, [ctypes.c_void_p, ctypes.c_char_p]


class Producer:
    """An array behind `__dlpack__` alone. `change` puts something wrong into what it lends next."""

    def __init__(self, array, *, versioned=False, strided=True, flags=0):
        self.array, self.versioned, self.flags = array, versioned, flags
        self.strided = strided or not array.flags.c_contiguous
        self.lent = self.returned = self.unused = 0
        self.wrong = {}
        self._alive = []

    def change(self, **wrong):
        self.wrong = wrong

    def __dlpack_device__(self):
        # A device that the capsule alone betrays.
        return 1, 0

    def __dlpack__(self, **options):
        if not self.versioned and options:
            raise TypeError("no max_version here")
        self.lent += 1
        array, wrong = self.array, self.wrong
        managed = (_Versioned if self.versioned else _Managed)()
        tensor = managed.tensor
        # The offset and the address together are the array's.
        tensor.data, tensor.byte_offset = array.__array_interface__["data"][0] - 64, 64
        tensor.device_type = wrong.get("device", 1)
        shape = (1,) * (wrong.get("axes", array.ndim) - array.ndim) + array.shape
        tensor.ndim = len(shape)
        tensor.code, tensor.bits = CODES[array.dtype]
        tensor.code = wrong.get("code", tensor.code)
        tensor.lanes = wrong.get("lanes", 1)
        lengths = (ctypes.c_int64 * len(shape))(*shape)
        strides = (ctypes.c_int64 * array.ndim)(*(stride // array.itemsize for stride in array.strides))
        tensor.shape = ctypes.cast(lengths, ctypes.POINTER(ctypes.c_int64))
        if self.strided and "axes" not in wrong:
            tensor.strides = ctypes.cast(strides, ctypes.POINTER(ctypes.c_int64))
        name = b"dltensor"
        if self.versioned:
            name = b"dltensor_versioned"
            managed.major, managed.minor, managed.flags = wrong.get("major", 1), 0, self.flags

        def delete(address):
            assert address == ctypes.addressof(managed)
            self.returned += 1

        def destroy(capsule):
            if _is_valid(capsule, name):
                self.unused += 1

        deleter, destructor = _DELETER(delete), _DESTRUCTOR(destroy)
        managed.deleter = ctypes.cast(deleter, ctypes.c_void_p)
        self._alive.append((managed, lengths, strides, deleter, destructor, name))
        return _new(ctypes.addressof(managed), name, destructor)
