"""Dictionaries: words of the formats."""
import json
import struct

from chats import CHATS
from formats import CORPORA, HERE, SIZES, text
from tensor_files import gguf_decoder, gguf_tokenizer


def dictionary(target, words):
    lines = []
    for word in words:
        encoded = word if isinstance(word, bytes) else word.encode()
        lines.append('"' + "".join(chr(b) if 32 <= b < 127 and b not in (34, 92) else f"\\x{b:02x}" for b in encoded) + '"')
    (HERE / "Dictionaries").mkdir(exist_ok=True)
    (HERE / "Dictionaries" / f"{target}.dict").write_text("\n".join(lines) + "\n")


def words_of(value):
    """All keys and texts of JSON."""
    if isinstance(value, dict):
        return set(value) | {w for v in value.values() for w in words_of(v)}
    if isinstance(value, list):
        return {w for v in value for w in words_of(v)}
    return {value} if isinstance(value, str) else set()


def make_dictionaries():
    numbers = ["0", "-1", "1e308", "1e999", "9223372036854775807", "9223372036854775808", "-9223372036854775808", "0.5", "1e-320"]
    signs = ["{", "}", "[", "]", ",", ":", '"', "null", "true", "false", "\\u0000", "\\ud800", "\\udc00", "[]", "{}", '""']
    json_words = signs + numbers
    quoted = lambda words: [f'"{w}"' for w in sorted(words) if 0 < len(w) < 60]
    dictionary("safetensors", json_words + quoted(["dtype", "shape", "data_offsets", "__metadata__", *SIZES]))
    cases = ["op", "is_causal", "scale", "softcap", "left_window_size", "right_window_size", "q_num_heads", "kv_num_heads", "qk_matmul_output_mode", "softmax_precision", "causal_alignment", "top_left", "bottom_right", "RotaryEmbedding", "Attention", "interleaved", "rotary_embedding_dim", "num_heads", "tokens", "Q", "K", "V", "attn_mask", "past_key", "past_value", "nonpad_kv_seqlen", "alibi_slopes", "sinks", "cu_seqlens_q", "cu_seqlens_k", "block_table", "k_scale", "v_scale", "input", "cos_cache", "sin_cache", "position_ids"]
    dictionary("cases", json_words + quoted(["dtype", "shape", "data_offsets", "__metadata__", *SIZES, *cases]))
    dictionary("saved-caches", json_words + quoted(["dtype", "shape", "data_offsets", *SIZES, "window", "keepingFirst", "longestAppend", "count", "checksum", "keys.low", "keys.lengths", "values.scales", "tokens", "4503599627370496", "2147483647"]))
    for target in ["configurations", "tokenizers", "benchmark-files"]:
        words = set()
        for path in sorted((CORPORA / target).iterdir()):
            for part in path.read_bytes().split(b"\0"):
                try:
                    words |= words_of(json.loads(part))
                except ValueError:
                    pass
        dictionary(target, json_words + quoted(words))
    keys = {e[0] for model in ["gpt2", "llama", "bert"] for e in gguf_tokenizer(model)}
    for family in ["llama", "gemma2"]:
        entries, tensors = gguf_decoder(family)
        keys |= {e[0] for e in entries} | {t[0] for t in tensors}
    dictionary("gguf", [text(k) for k in sorted(keys)] + [struct.pack("<I", i) for i in range(13)] + [struct.pack("<Q", n) for n in (0, 1, 2, 32, 1 << 31, 1 << 32, 1 << 60, (1 << 63) - 1, 1 << 63, (1 << 64) - 1)])
    dictionary("npy", ["'descr'", "'fortran_order'", "'shape'", "True", "False", "(", ")", ",", ":", "'<f4'", "'<f8'", "'|b1'", "'>f4'", "L", *numbers])
    dictionary("chats", sorted({w for c in CHATS.values() for w in c.replace("'", " ").split() if len(w) > 2}) + ["message.role", "message.content", "' + '", "<think>", "</think>", "<tool_response>", "{{", "}}"])
    dictionary("command-lines", ["run", "inspect", "embed", "generate", "compare", "accuracy", "planes", "model", "report", "measure", "distributed", "project", "--link", "100Gbps", "--latency", "2us", "--context", "128k", "--sweep", "--base", "--only", "--dtype", "--kernel", "--threads", "--head", "--query", "--svg", "--key", "--format", "json", "queries=", "keys=", "batch=", "window=", "mask=", "threads=1..N", "..", "*2", "+1", "...", "..<", "--scale", "--softcap", "--top-p", "--temperature", "--help", "--generate-completion-script", "zsh", *numbers])
