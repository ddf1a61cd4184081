"""Writers of safetensors, GGUF and npy files that check nothing of what they write."""
import json
import math
import struct
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
CORPORA = HERE / "Corpora"


def write(target, name, content):
    folder = CORPORA / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())


SIZES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I8": 1, "U8": 1, "BOOL": 1}


def safetensors(tensors, metadata=None):
    """Tensors are (name, dtype, shape, bytes), the bytes made up where None."""
    header, data = {}, b""
    if metadata:
        header["__metadata__"] = metadata
    for name, dtype, shape, content in tensors:
        count = SIZES[dtype] * math.prod(shape)
        if content is None:
            content = bytes((7 * i) % 251 if dtype != "BOOL" else i % 2 for i in range(count))
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(content)]}
        data += content
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def floats(*numbers):
    return struct.pack(f"<{len(numbers)}f", *numbers)


def text(value):
    encoded = value if isinstance(value, bytes) else value.encode()
    return struct.pack("<Q", len(encoded)) + encoded


KINDS = {"u8": (0, "B"), "i8": (1, "b"), "u16": (2, "H"), "i16": (3, "h"), "u32": (4, "I"), "i32": (5, "i"), "f32": (6, "f"), "bool": (7, "B"), "u64": (10, "Q"), "i64": (11, "q"), "f64": (12, "d")}


def entry(key, kind, value):
    if kind == "text":
        return text(key) + struct.pack("<I", 8) + text(value)
    if kind == "texts":
        return text(key) + struct.pack("<IIQ", 9, 8, len(value)) + b"".join(map(text, value))
    if kind.endswith("s"):
        number, letter = KINDS[kind[:-1]]
        return text(key) + struct.pack(f"<IIQ{len(value)}{letter}", 9, number, len(value), *value)
    number, letter = KINDS[kind]
    return text(key) + struct.pack(f"<I{letter}", number, value)


BLOCKS = {"f32": (0, 1, 4), "f16": (1, 1, 2), "q4_0": (2, 32, 18), "q4_1": (3, 32, 20), "q5_0": (6, 32, 22), "q5_1": (7, 32, 24), "q8_0": (8, 32, 34), "q4_K": (12, 256, 144), "q5_K": (13, 256, 176), "q6_K": (14, 256, 210), "bf16": (30, 1, 2)}


def gguf(entries, tensors=(), version=3, alignment=32):
    """Tensors are (name, type, shape), the last axis contiguous."""
    head = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(entries)) + b"".join(entry(*e) for e in entries)
    data = b""
    for name, kind, shape in tensors:
        number, block, size = BLOCKS[kind]
        head += text(name) + struct.pack(f"<I{len(shape)}QIQ", len(shape), *reversed(shape), number, len(data))
        content = bytes((i * 37 + len(name)) % 61 for i in range(math.prod(shape) // block * size))
        data += content + bytes(-len(content) % alignment)
    return head + bytes(-len(head) % alignment) + data


def npy(header, data=b"", version=1):
    text = header.encode() if version == 3 else header.encode("latin-1")
    size = "<H" if version == 1 else "<I"
    text += b" " * (-(len(text) + 7 + struct.calcsize(size) + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + struct.pack(size, len(text)) + text + data
