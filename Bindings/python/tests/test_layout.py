"""The structures of attention.h against a compiler's view of them."""

import re
import subprocess
from pathlib import Path

import swift_attention
from swift_attention import _frames as frames
from swift_attention import _library as library

HEADERS = Path(__file__).resolve().parents[3] / "Sources/CAttention/include"
EXPECTED = {
    "sizeof(attention_tensor)": frames.TENSOR_BYTES,
    "sizeof(attention_key_values)": frames.KEY_VALUES_BYTES,
    "sizeof(attention_options)": frames.OPTIONS.size,
    "sizeof(attention_queries)": frames.KEY_VALUES,
    "sizeof(attention_cache_sizes)": library.ctypes.sizeof(library.CacheSizes),
    "sizeof(attention_scores)": library.ctypes.sizeof(library.Scores),
    "offsetof(attention_tensor, shape)": 16,
    "offsetof(attention_tensor, strides)": 48,
    "offsetof(attention_queries, lengths)": frames.QUERY_LENGTHS,
    "offsetof(attention_key_values, keys)": frames.KEYS,
    "offsetof(attention_key_values, values)": frames.VALUES,
    "offsetof(attention_key_values, key_scales)": frames.KEY_SCALES,
    "offsetof(attention_key_values, value_scales)": frames.VALUE_SCALES,
    "offsetof(attention_key_values, lengths)": frames.KEY_LENGTHS,
    "offsetof(attention_key_values, page_table)": frames.PAGE_TABLE,
    "offsetof(attention_key_values, parts)": frames.PARTS,
    "offsetof(attention_key_values, step)": frames.SEQUENCES_OF,
    "offsetof(attention_key_values, layer)": frames.SEQUENCES_OF + 24,
    "offsetof(attention_options, masks)": 56,
    "offsetof(attention_options, softcap)": 88,
    "offsetof(attention_options, modifier)": 120,
    "offsetof(attention_options, threads)": 136,
    **{f"ATTENTION_{name.upper()}": code for code, name in library.TYPE_NAMES.items()},
    **{f"ATTENTION_CACHE_{name.upper()}": code for name, code in library.CACHE_TYPES.items()},
    "ATTENTION_SEQUENCES": library.SEQUENCES,
    "ATTENTION_STEP": library.STEP,
    "ATTENTION_OFFSETS": library.OFFSETS,
}


def test_structures(tmp_path):
    checks = "".join(f'_Static_assert({name} == {value}, "{name}");\n' for name, value in EXPECTED.items())
    source = tmp_path / "layout.c"
    source.write_text(f"#include <stddef.h>\n#include <attention.h>\n{checks}")
    compiled = subprocess.run(["cc", "-fsyntax-only", "-I", HEADERS, source], capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr


def test_every_function_has_a_prototype():
    declared = set()
    for header in HEADERS.glob("attention*.h"):
        declared |= set(re.findall(r"\b(attention_\w+)\(", re.sub(r"//.*", "", header.read_text())))
    source = Path(library.__file__).read_text()
    # attention_dense fills a structure, which `_frames` does here.
    assert declared - {"attention_dense"} == set(re.findall(r'_function\("(\w+)"', source))


def test_the_version_is_the_headers():
    header = (HEADERS / "attention.h").read_text()
    assert f'#define ATTENTION_VERSION "{swift_attention.__version__}"' in header
