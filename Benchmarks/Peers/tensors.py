"""safetensors files as NumPy arrays."""

from pathlib import Path

import ml_dtypes  # noqa: F401: NumPy knows bfloat16 from then on.
import numpy as np
from safetensors.numpy import load_file, save


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """The tensors of a file by name, each in memory of its own, aligned as engines like it."""
    return {name: aligned(tensor) for name, tensor in load_file(path).items()}


def write_tensor(path: str, name: str, tensor: np.ndarray) -> None:
    """One tensor as a file, written in place: the name may be that of an open file without another."""
    Path(path).write_bytes(save({name: np.ascontiguousarray(tensor)}))


def aligned(tensor: np.ndarray, bytes_apart: int = 64) -> np.ndarray:
    """A copy that begins at a cache line."""
    room = np.empty(tensor.nbytes + bytes_apart, np.uint8)
    start = -room.ctypes.data % bytes_apart
    copy = room[start : start + tensor.nbytes].view(tensor.dtype).reshape(tensor.shape)
    copy[...] = tensor
    return copy


def widened(tensor: np.ndarray) -> np.ndarray:
    """As Float32; Float64 stays."""
    return tensor if tensor.dtype == np.float64 else tensor.astype(np.float32)
