"""Seeds of what computes: case files, saved caches, command lines, and draws."""
import json
import math
import random
import struct

from formats import SIZES, floats, safetensors, write


def make_cases():
    def case(name, tensors, **metadata):
        write("cases", name, safetensors(tensors, metadata))

    def quiet(name, shape):
        return name, "F32", shape, floats(*[(i % 7) / 4 - 0.75 for i in range(math.prod(shape))])

    q, k, v = quiet("Q", [1, 2, 2, 2]), quiet("K", [1, 1, 3, 2]), quiet("V", [1, 1, 3, 1])
    case("plain", [q, k, v], is_causal="1", scale="0.5", tokens='["a","b","c"]', case="plain")
    case("window", [q, k, v, quiet("attn_mask", [2, 3]), quiet("sinks", [2]), quiet("alibi_slopes", [2])], left_window_size="1", right_window_size="0", softcap="5", causal_alignment="bottom_right", qk_matmul_output_mode="3")
    case("past", [q, k, v, quiet("past_key", [1, 1, 2, 2]), quiet("past_value", [1, 1, 2, 1])], softmax_precision="11")
    case("merged", [quiet("Q", [1, 2, 4]), quiet("K", [1, 3, 2]), quiet("V", [1, 3, 2])], q_num_heads="2", kv_num_heads="1")
    case("lengths", [q, k, v, ("nonpad_kv_seqlen", "I64", [1], struct.pack("<q", 2)), ("attn_mask", "BOOL", [1, 1, 2, 3], bytes([1, 0, 1, 1, 1, 0]))])
    case("packed", [quiet("Q", [3, 2, 2]), quiet("K", [3, 1, 2]), quiet("V", [3, 1, 2]), ("cu_seqlens_q", "I32", [3], struct.pack("<3i", 0, 1, 3))])
    case("pages", [q, quiet("K", [2, 2, 1, 2]), quiet("V", [2, 2, 1, 1]), ("block_table", "I32", [1, 2], struct.pack("<2i", 1, 0)), ("nonpad_kv_seqlen", "I32", [1], struct.pack("<i", 3))])
    case("int8", [q, ("K", "I8", [1, 1, 3, 2], bytes([1, 2, 255, 128, 127, 0])), quiet("k_scale", [1, 1, 3]), v])
    case("rotary", [quiet("input", [1, 1, 2, 4]), quiet("cos_cache", [3, 2]), quiet("sin_cache", [3, 2]), ("position_ids", "I64", [1, 2], struct.pack("<2q", 2, 0))], op="RotaryEmbedding", interleaved="1")
    case("no-values", [q, k])


def checksum(metadata, content):
    data = "".join(f"{key}={value}\n" for key, value in sorted(metadata.items())).encode() + content
    count = len(data)
    data += bytes(-count % 8)
    state = 0xCBF29CE484222325
    for (word,) in struct.iter_unpack("<Q", data):
        state = ((state ^ word) * 0x9E3779B97F4A7C15) % (1 << 64)
        state ^= state >> 32
    state = ((state ^ count) * 0x9E3779B97F4A7C15) % (1 << 64)
    state ^= state >> 32
    return f"{state:016x}"


def make_saved_caches():
    """Of pools with one layer, two heads, keys of width 4 and values of width 3."""
    kinds = ["float32", "bfloat16", "float16", "int8", "planes"], ["float32", "bfloat16", "float16", "int8", "int4"]
    dtypes = {"float32": "F32", "bfloat16": "BF16", "float16": "F16", "int8": "I8", "planes": "I8", "int4": "U8"}

    def saved(keys, values, rows, ring=None, tokens=0):
        metadata = {"format": "swift-attention key/value cache", "version": "1", "layers": "1", "heads": "2", "depth": "4", "width": "3", "keys": keys, "values": values, "count": str(rows)}
        metadata |= ring or {}
        tensors = []
        for name, kind, columns in [("keys", keys, 4), ("values", values, 20 if values == "int4" else 3)]:
            size = SIZES[dtypes[kind]]
            tensors.append((name, dtypes[kind], [1, 2, rows, columns], bytes(2 * rows * columns * size)))
        for name, kind in [("keys", keys), ("values", values)]:
            if kind in ("int8", "planes"):
                tensors.append((name + ".scales", "F32", [1, 2, rows], floats(*[0.5] * 2 * rows)))
        if keys == "planes":
            tensors.append(("keys.low", "I8", [1, 2, rows, 4], bytes(8 * rows)))
            tensors.append(("keys.lengths", "BF16", [1, 2, rows, 2], bytes(8 * rows)))
        ids = ("tokens", "I64", [tokens], struct.pack(f"<{tokens}q", *range(tokens)))
        metadata["checksum"] = checksum(metadata, ids[3] + b"".join(t[3] for t in tensors))
        return safetensors([ids] + tensors, metadata)

    def pool(keys, values, size=0):
        return bytes([kinds[0].index(keys) + 5 * kinds[1].index(values) + 25 * size])

    for keys, values in [("float32", "float32"), ("bfloat16", "int8"), ("int8", "int4"), ("planes", "bfloat16"), ("float16", "float16")]:
        write("saved-caches", f"{keys}-{values}", pool(keys, values) + saved(keys, values, 3, tokens=2))
    ring = {"window": "3", "keepingFirst": "1", "longestAppend": "2"}
    write("saved-caches", "ring", pool("float32", "float32", 1) + saved("float32", "float32", 3, ring))
    write("saved-caches", "no-rows", pool("float32", "float32", 2) + saved("float32", "float32", 0))
    write("saved-caches", "other-pool", pool("int8", "float32") + saved("float32", "float32", 1))


def make_commands():
    lines = [
        (0, "run case.safetensors -o out.safetensors --is-causal --scale 0.5 --left-window-size -1 --threads 4"),
        (0, "inspect case.safetensors --head 0,2...3 --query 8..<12 --key all --svg a.svg --measure norms --format json"),
        (0, "generate model.gguf text --max-tokens 4 --temperature 0.8 --top-k 4 --top-p 0.9 --min-p 0.1 --stop end --seed 7"),
        (0, "embed model --similar 10 --help"), (0, "--version"),
        (1, "--sweep queries=128..8192*2 head-dim=64,128 window=none,16 threads=1..N --base bert-encode --dtype f32,bf16"),
        (1, "--sweep keys=1..1000 mask=causal,none --kernel chosen,naive --quick"),
        (1, "--only bert-encode,llama-decode --format markdown --seconds 0.5 --memory 4 --seed 3"),
        (1, "compare a.json b.json"), (1, "--sweep queries=0"),
    ]
    for number, (command, line) in enumerate(lines):
        write("command-lines", f"line-{number}", bytes([command]) + line.encode().replace(b" ", b"\0"))


def make_benchmark_files():
    shape = {"name": "a", "batch": 1, "query_heads": 2, "key_value_heads": 1, "queries": 4, "keys": 4, "head_dim": 8, "value_dim": 8, "mask": "causal", "why": "x"}
    write("benchmark-files", "shapes", json.dumps([shape, shape | {"name": "b", "left_window_size": 2, "softcap": 5.0, "compare_with": "a"}, shape | {"name": "c", "mask": "lengths", "key_lengths": [3], "sinks": True, "alibi": True}]))
    rounds = [{"name": "a/f32/chosen", "run_name": "a/f32/chosen", "run_type": "iteration", "repetitions": 2, "repetition_index": i, "iterations": 1, "real_time": 1.5 + i, "cpu_time": 1.5, "time_unit": "us"} for i in range(2)]
    write("benchmark-files", "results", json.dumps({"context": {"date": "2026-01-01", "num_cpus": 2, "library_version": "1"}, "benchmarks": rounds}))
    write("benchmark-files", "no-shapes", "[]")


def make_draws():
    """What draws its input from bytes gets some to begin with."""
    source = random.Random(1)
    for target, count, length in [("key-values", 24, 120), ("problems", 32, 60), ("sampling", 12, 90), ("c-entries", 24, 160)]:
        for number in range(count):
            write(target, f"draw-{number:02}", source.randbytes(length))
    write("key-values", "zeros", bytes(1))
    write("problems", "zeros", bytes(1))
    # Each function, in sizes that fit.
    for function in range(8):
        write("c-entries", f"function-{function}", bytes([function, 1, 2, 1, 3, 5, 4, 4]))
