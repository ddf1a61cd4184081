"""Seeds of what models bring beside their weights."""
import json

from chats import CHATS
from formats import write


def make_configurations():
    shared = {
        "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "num_key_value_heads": 1,
        "head_dim": 4, "vocab_size": 5, "max_position_embeddings": 64, "rms_norm_eps": 1e-5, "tie_word_embeddings": True,
    }
    families = {
        "llama": {"rope_scaling": {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 32}},
        "mistral": {"sliding_window": 3, "rope_scaling": {"type": "linear", "factor": 2.0}},
        "qwen2": {"use_sliding_window": True, "sliding_window": 2, "max_window_layers": 0, "rope_theta": 1e6},
        "qwen3": {"rope_scaling": {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 16, "attention_factor": 1.2}},
        "gemma2": {"sliding_window": 4, "query_pre_attn_scalar": 16, "attn_logit_softcapping": 50.0, "final_logit_softcapping": 30.0, "hidden_activation": "gelu_pytorch_tanh"},
        "gemma3_text": {"sliding_window": 4, "rope_local_base_freq": 10000.0, "layer_types": ["sliding_attention"], "rope_parameters": {"rope_theta": 1e6, "rope_type": "default", "sliding_attention": {"rope_theta": 1e4}}},
    }
    for family, more in families.items():
        write("configurations", family, json.dumps({"model_type": family} | shared | more))
    write("configurations", "bert", json.dumps({"model_type": "bert", "num_hidden_layers": 1, "hidden_size": 8, "intermediate_size": 8, "num_attention_heads": 2, "vocab_size": 5, "max_position_embeddings": 16, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "hidden_act": "gelu"}))
    write("configurations", "unknown-family", '{"model_type": "t5"}')


def tokenizer(model, **steps):
    return json.dumps({"version": "1.0", "model": model} | steps, ensure_ascii=False)


GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"


def make_tokenizers():
    def added(number, content, **rules):
        return {"id": number, "content": content, "single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True} | rules

    bytes_ = tokenizer(
        {"type": "BPE", "vocab": {"a": 0, "b": 1, "ab": 2, "Ġ": 3, "Ġab": 4}, "merges": ["a b", ["Ġ", "ab"]]},
        added_tokens=[added(5, "<|im_start|>"), added(6, "<|im_end|>", lstrip=True, rstrip=True), added(7, "abba", special=False, normalized=True, single_word=True)],
        normalizer={"type": "NFC"},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": GPT2}, "behavior": "Isolated", "invert": False}, {"type": "ByteLevel", "add_prefix_space": False, "use_regex": False}]},
        post_processor={"type": "TemplateProcessing", "single": [{"SpecialToken": {"id": "<|im_start|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}]},
        decoder={"type": "ByteLevel"})
    settings = json.dumps({"bos_token": "<|im_start|>", "eos_token": {"content": "<|im_end|>"}, "add_bos_token": True, "chat_template": CHATS["chatml"]})
    write("tokenizers", "byte-level", bytes_ + "\0ab abba <|im_end|>\n 12 ab\0" + settings)
    write("tokenizers", "digits", tokenizer(
        {"type": "BPE", "vocab": {"1": 0, "2": 1, "12": 2}, "merges": ["1 2"], "ignore_merges": True},
        pre_tokenizer={"type": "Sequence", "pretokenizers": [{"type": "Digits", "individual_digits": True}, {"type": "ByteLevel", "add_prefix_space": True}]}) + "\0123 21")
    write("tokenizers", "byte-fallback", tokenizer(
        {"type": "BPE", "vocab": {"<unk>": 0, "<s>": 1, "<0x0A>": 2, "▁": 3, "a": 4, "▁a": 5}, "merges": ["▁ a"], "unk_token": "<unk>", "fuse_unk": True, "byte_fallback": True},
        added_tokens=[added(1, "<s>")],
        normalizer={"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": "▁"}, {"type": "Replace", "pattern": {"String": " "}, "content": "▁"}]},
        decoder={"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"}, {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]}) + "\0a <s> a\nbé")
    write("tokenizers", "metaspace", tokenizer(
        {"type": "BPE", "vocab": {"▁": 0, "a": 1, "▁a": 2}, "merges": ["▁ a"]},
        pre_tokenizer={"type": "Metaspace", "replacement": "▁", "prepend_scheme": "first", "split": True}, decoder={"type": "Metaspace", "prepend_scheme": "first"}) + "\0a  a")
    write("tokenizers", "word-piece", tokenizer(
        {"type": "WordPiece", "vocab": {"[UNK]": 0, "[CLS]": 1, "[SEP]": 2, "ab": 3, "##c": 4, "中": 5, ".": 6}, "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 8},
        added_tokens=[added(1, "[CLS]"), added(2, "[SEP]")], normalizer={"type": "BertNormalizer", "lowercase": True, "strip_accents": None}, pre_tokenizer={"type": "BertPreTokenizer"},
        post_processor={"type": "BertProcessing", "cls": ["[CLS]", 1], "sep": ["[SEP]", 2]}, decoder={"type": "WordPiece", "prefix": "##", "cleanup": True}) + "\0ÀBc ab. 中ab [SEP]")
    write("tokenizers", "no-model", '{"version": "1.0"}')
