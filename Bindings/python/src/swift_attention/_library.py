"""libattention.so: its functions with their prototypes, what their codes mean, and handles."""

from __future__ import annotations

import ctypes
from ctypes import CDLL, POINTER, Structure, c_char_p, c_double, c_int32, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Callable

from ._errors import AttentionError, AttentionMemoryError

# Types of elements, places of keys and values, and alignments, by attention.h.
FLOAT32, FLOAT64, FLOAT16, BFLOAT16, INT8, BOOL, INT32 = range(1, 8)
TYPE_NAMES = {
    FLOAT32: "float32",
    FLOAT64: "float64",
    FLOAT16: "float16",
    BFLOAT16: "bfloat16",
    INT8: "int8",
    BOOL: "bool",
    INT32: "int32",
}
TYPE_SIZES = {FLOAT32: 4, FLOAT64: 8, FLOAT16: 2, BFLOAT16: 2, INT8: 1, BOOL: 1, INT32: 4}
PADDED, PACKED, PAGED, JOINED, STEP, SEQUENCES = range(6)
BOTTOM_RIGHT, TOP_LEFT, OFFSETS = range(3)
CACHE_TYPES = {"float32": 0, "bfloat16": 1, "float16": 2, "int8": 3, "int4": 4}


class Scores(Structure):
    """attention_scores."""

    _fields_ = [
        ("type", c_int32),
        ("scores", c_void_p),
        ("key", c_int64),
        ("count", c_int64),
        ("sequence", c_int64),
        ("head", c_int64),
        ("query", c_int64),
        ("position", c_int64),
    ]


class CacheSizes(Structure):
    """attention_cache_sizes."""

    _fields_ = [
        ("layers", c_int64),
        ("heads", c_int64),
        ("depth", c_int64),
        ("width", c_int64),
        ("keys", c_int32),
        ("values", c_int32),
        ("page_size", c_int64),
        ("pages", c_int64),
    ]


MODIFIER = ctypes.CFUNCTYPE(None, c_void_p, POINTER(Scores))

# CDLL lets other Python threads run during each call.
_library = CDLL(str(Path(__file__).with_name("libattention.so")))


def _function(name: str, *arguments, result=c_int32) -> Callable:
    function = getattr(_library, name)
    function.argtypes, function.restype = arguments, result
    return function


# Structures come as addresses of bytes that `_frames` fills: building ctypes.Structure objects takes longer than a small call.
_P, _N = c_void_p, c_int64
run = _function("attention_run", _P, _P, _P, _P, _P)
describe = _function("attention_describe", _P, _P, _P, _P, c_size_t, POINTER(c_size_t))
merge = _function("attention_merge", _P, _P, _N, _P, _P)
quantize = _function("attention_quantize", _P, _P, _P)
threads_create = _function("attention_threads_create", _N, POINTER(_P))
threads_destroy = _function("attention_threads_destroy", _P, result=None)
thread_count = _function("attention_thread_count", _P, result=_N)
rotary_create = _function("attention_rotary_create", _N, _N, _N, c_double, c_int32, POINTER(_P))
rotary_destroy = _function("attention_rotary_destroy", _P, result=None)
rotary_apply = _function("attention_rotary_apply", _P, _P, _P, _N)
cache_create = _function("attention_cache_create", POINTER(CacheSizes), POINTER(_P))
cache_destroy = _function("attention_cache_destroy", _P, result=None)
cache_free_pages = _function("attention_cache_free_pages", _P, result=_N)
sequence_create = _function("attention_sequence_create", _P, POINTER(_P))
sequence_create_ring = _function("attention_sequence_create_ring", _P, _N, _N, _N, POINTER(_P))
sequence_create_reusing = _function("attention_sequence_create_reusing", _P, _P, _N, POINTER(_P))
sequence_fork = _function("attention_sequence_fork", _P, POINTER(_P))
sequence_truncate = _function("attention_sequence_truncate", _P, _N)
sequence_count = _function("attention_sequence_count", _P, result=_N)
sequence_save = _function("attention_sequence_save", _P, c_char_p)
sequence_load = _function("attention_sequence_load", _P, c_char_p, POINTER(_P))
sequence_destroy = _function("attention_sequence_destroy", _P, result=None)
step_create = _function("attention_step_create", _P, _N, _P, _P, POINTER(_P))
step_write = _function("attention_step_write", _P, _N, _P, _P, _P, _P)
step_positions = _function("attention_step_positions", _P, _P, _N)
step_commit = _function("attention_step_commit", _P)
step_destroy = _function("attention_step_destroy", _P, result=None)
_last_error = _function("attention_last_error", result=c_char_p)
version: str = _function("attention_version", result=c_char_p)().decode()


def check(status: int, names: dict[str, str] = {}) -> None:
    """Raises what a status other than 0 stands for; the text is that of this thread's last failure.

    ``names`` has our names of arguments that the library calls otherwise.
    """
    if status == 0:
        return
    text = _last_error().decode(errors="replace")
    if status == 2:
        raise AttentionMemoryError(text)
    argument, _, problem = text.partition(": ")
    raise AttentionError(names.get(argument, argument), problem)


class Handle:
    """What a _create function made, given back when the last reference to it goes.

    A method that hands ``pointer`` to the library holds the Handle in a variable of its own until the call returns, so that no other
    thread can end it meanwhile.
    """

    __slots__ = ("pointer", "_destroy", "__weakref__")

    def __init__(self, create: Callable, destroy: Callable, *arguments):
        self.pointer: int | None = None
        self._destroy = destroy
        pointer = c_void_p()
        check(create(*arguments, ctypes.byref(pointer)))
        self.pointer = pointer.value

    def __del__(self):
        if self.pointer is not None:
            self._destroy(self.pointer)
