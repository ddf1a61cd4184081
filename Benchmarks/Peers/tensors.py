"""safetensors files as NumPy arrays: the few lines of the format that both sides need."""

import json
import struct

import numpy as np

# NumPy has no bfloat16: such tensors are their bits.
KINDS = {"F64": np.float64, "F32": np.float32, "F16": np.float16, "BF16": np.uint16}


def read_tensors(path: str) -> dict[str, np.ndarray]:
    """The tensors of a file by name, each in memory of its own, aligned as engines like it."""
    with open(path, "rb") as file:
        (header_size,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(header_size))
        header.pop("__metadata__", None)
        start = 8 + header_size
        tensors = {}
        for name, entry in header.items():
            tensor = aligned(entry["shape"], KINDS[entry["dtype"]])
            file.seek(start + entry["data_offsets"][0])
            if file.readinto(memoryview(tensor).cast("B")) != tensor.nbytes:
                raise EOFError(f"tensor {name} ends early")
            tensors[name] = tensor
        return tensors


def write_tensor(path: str, name: str, tensor: np.ndarray) -> None:
    """One tensor of Float32 or Float64 as a file."""
    kind = {np.dtype(np.float64): "F64", np.dtype(np.float32): "F32"}[tensor.dtype]
    entry = {"dtype": kind, "shape": list(tensor.shape), "data_offsets": [0, tensor.nbytes]}
    header = json.dumps({name: entry}).encode()
    header += b" " * (-len(header) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.write(np.ascontiguousarray(tensor).data)


def aligned(shape: list[int], kind: type, bytes_apart: int = 64) -> np.ndarray:
    """An array that begins at a cache line."""
    size = int(np.prod(shape)) * np.dtype(kind).itemsize
    room = np.empty(size + bytes_apart, np.uint8)
    start = -room.ctypes.data % bytes_apart
    return room[start : start + size].view(kind).reshape(shape)


def widened(tensor: np.ndarray) -> np.ndarray:
    """As Float32; Float64 stays."""
    if tensor.dtype == np.uint16:
        return (tensor.astype(np.uint32) << 16).view(np.float32)
    return tensor if tensor.dtype == np.float64 else tensor.astype(np.float32)
