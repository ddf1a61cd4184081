"""Seeds of the readers of tensors."""
import struct

from chats import CHATS
from formats import BLOCKS, KINDS, SIZES, entry, gguf, npy, safetensors, text, write


def make_safetensors():
    every = [(dtype.lower(), dtype, [2, 3], None) for dtype in SIZES]
    write("safetensors", "every-type", safetensors(every))
    write("safetensors", "metadata", safetensors([("é\n", "F32", [1], None)], {"format": "pt", "k\\": "\u2028\""}))
    write("safetensors", "no-elements", safetensors([("a", "F32", [0, 1 << 40], b""), ("b", "I8", [], None)]))
    write("safetensors", "odd-offset", safetensors([("a", "I8", [3], None), ("b", "F64", [2], None)]))
    write("safetensors", "empty", safetensors([]))
    write("safetensors", "no-json", struct.pack("<Q", 2) + b"{]")
    write("safetensors", "escapes", struct.pack("<Q", 62) + rb'{"\u0061\ud83d\ude00":{"dtype":"U8","shape":[],"data_offsets":[0,1]}}'.ljust(62) + b"x")


TOKENS = ["<unk>", "<s>", "</s>", "<0x0A>", "▁", "a", "b", "ab", "▁ab"]


def gguf_tokenizer(model):
    if model == "gpt2":
        tokens = ["a", "b", "ab", "Ġ", "Ġa", "<|im_end|>"]
        return [
            ("tokenizer.ggml.model", "text", "gpt2"), ("tokenizer.ggml.pre", "text", "llama-bpe"),
            ("tokenizer.ggml.tokens", "texts", tokens), ("tokenizer.ggml.token_type", "i32s", [1, 1, 1, 1, 1, 3]),
            ("tokenizer.ggml.merges", "texts", ["a b", "Ġ a"]), ("tokenizer.ggml.eos_token_id", "u32", 5),
            ("tokenizer.chat_template", "text", CHATS["chatml"]),
        ]
    if model == "llama":
        return [
            ("tokenizer.ggml.model", "text", "llama"), ("tokenizer.ggml.tokens", "texts", TOKENS),
            ("tokenizer.ggml.scores", "f32s", [0, 0, 0, 0, -1, -2, -3, -0.5, -0.25]),
            ("tokenizer.ggml.token_type", "i32s", [2, 3, 3, 6, 1, 1, 1, 1, 1]),
            ("tokenizer.ggml.bos_token_id", "u32", 1), ("tokenizer.ggml.eos_token_id", "u32", 2),
            ("tokenizer.ggml.unknown_token_id", "u32", 0), ("tokenizer.ggml.add_bos_token", "bool", 1),
        ]
    return [
        ("tokenizer.ggml.model", "text", "bert"), ("tokenizer.ggml.tokens", "texts", ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "▁hello", "lo", "▁a"]),
        ("tokenizer.ggml.token_type", "i32s", [3, 3, 3, 3, 1, 1, 1]), ("tokenizer.ggml.unknown_token_id", "u32", 1),
        ("tokenizer.ggml.cls_token_id", "u32", 2), ("tokenizer.ggml.seperator_token_id", "u32", 3),
    ]


def gguf_decoder(family):
    key = family + "."
    entries = [
        ("general.architecture", "text", family), (key + "block_count", "u32", 1), (key + "embedding_length", "u32", 32),
        (key + "feed_forward_length", "u32", 32), (key + "attention.head_count", "u32", 2), (key + "attention.head_count_kv", "u32", 1),
        (key + "attention.key_length", "u32", 4), (key + "context_length", "u32", 64), (key + "attention.layer_norm_rms_epsilon", "f32", 1e-5),
        (key + "rope.freq_base", "f32", 10000.0), (key + "attention.sliding_window", "u32", 4),
    ]
    if family == "llama":
        entries += [(key + "rope.scaling.type", "text", "yarn"), (key + "rope.scaling.factor", "f32", 2.0), (key + "rope.scaling.original_context_length", "u32", 32)]
    tensors = [("token_embd.weight", "q8_0", [5, 32]), ("output_norm.weight", "f32", [32])]
    for name, kind, shape in [
        ("attn_norm", "f32", [32]), ("attn_q", "q4_0", [8, 32]), ("attn_k", "f16", [4, 32]), ("attn_v", "bf16", [4, 32]),
        ("attn_output", "f32", [32, 8]), ("ffn_norm", "f32", [32]), ("ffn_gate", "q5_1", [32, 32]), ("ffn_up", "q4_1", [32, 32]),
        ("ffn_down", "q5_0", [32, 32]), ("post_attention_norm", "f32", [32]), ("post_ffw_norm", "f32", [32]),
        ("attn_q_norm", "f32", [4]), ("attn_k_norm", "f32", [4]),
    ]:
        tensors.append((f"blk.0.{name}.weight", kind, shape))
    return entries, tensors


def make_gguf():
    scalars = [(f"k.{kind}", kind, 1) for kind in KINDS]
    arrays = [(f"a.{kind}", kind + "s", [1, 0, 1]) for kind in KINDS]
    write("gguf", "every-value", gguf(scalars + arrays + [("t", "text", "é"), ("ts", "texts", ["", "x"])]))
    write("gguf", "every-block", gguf([], [(kind, kind, [1, block]) for kind, (_, block, _) in BLOCKS.items()]))
    write("gguf", "version-2", gguf([("general.alignment", "u32", 64)], [("x", "f32", [2, 0, 3])], version=2, alignment=64))
    nested = text("n") + struct.pack("<IIQIQ", 9, 9, 1, 0, 2) + b"\1\2"
    write("gguf", "nested-array", b"GGUF" + struct.pack("<IQQ", 3, 0, 1) + nested)
    for model in ["gpt2", "llama", "bert"]:
        write("gguf", f"tokenizer-{model}", gguf(gguf_tokenizer(model)))
    for family in ["llama", "gemma2", "qwen3", "gemma3"]:
        write("gguf", f"decoder-{family}", gguf(*gguf_decoder(family)))


def make_npy():
    for descr, size in [("<f4", 4), ("<f8", 8), ("<f2", 2), ("<i8", 8), ("<i4", 4), ("|i1", 1), ("|u1", 1), ("|b1", 1)]:
        name = descr.strip("<|")
        write("npy", name, npy(f"{{'descr': '{descr}', 'fortran_order': False, 'shape': (2, 3), }}", bytes(i % 2 for i in range(6 * size))))
    write("npy", "fortran", npy("{'descr': '<f4', 'fortran_order': True, 'shape': (2, 3), }", bytes(24), version=2))
    write("npy", "scalar", npy("{'shape': (), 'descr': '<f8', 'fortran_order': False}", bytes(8), version=3))
    write("npy", "no-elements", npy("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 1152921504606846976), }"))
    write("npy", "big-endian", npy("{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", bytes(4)))
