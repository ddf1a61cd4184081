"""Published models in Transformers, unchanged, with PyTorch's attention and with ours."""

from pathlib import Path

import pytest
import torch
import transformers

from swift_attention.torch import replace_sdpa

MODELS = Path(__file__).resolve().parents[4] / "Models"
SENTENCES = [
    "How do I reset my password?",
    "It rains.",
    "The committee adjourned before anybody could raise the question of the budget.",
]


@pytest.fixture(scope="module")
def minilm():
    path = MODELS / "all-minilm-l6-v2"
    return transformers.AutoTokenizer.from_pretrained(path), transformers.AutoModel.from_pretrained(
        path, attn_implementation="sdpa"
    ).eval()


@pytest.fixture(scope="module")
def smollm2():
    options = dict(gguf_file="model.gguf")
    path = str(MODELS / "smollm2-135m-instruct")
    tokenizer = transformers.AutoTokenizer.from_pretrained(path, **options)
    return tokenizer, transformers.AutoModelForCausalLM.from_pretrained(
        path, dtype=torch.float32, attn_implementation="sdpa", **options
    ).eval()


@pytest.mark.parametrize("padded", [False, True])
def test_sentence_embeddings(minilm, padded):
    tokenizer, model = minilm
    inputs = tokenizer(SENTENCES if padded else SENTENCES[:1], padding=True, return_tensors="pt")
    expected = model(**inputs).last_hidden_state
    with replace_sdpa() as replaced:
        found = model(**inputs).last_hidden_state
    assert replaced.calls == model.config.num_hidden_layers and not replaced.passed_on
    seen = inputs["attention_mask"].bool()
    # Six layers of float32: some units in the last place of numbers around 1.
    torch.testing.assert_close(found[seen], expected[seen], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_prompt(smollm2, dtype):
    tokenizer, model = smollm2
    model = model.to(dtype)
    tokens = torch.tensor([tokenizer.encode(" ".join(SENTENCES) * 4)])
    expected = model(tokens).logits.float()
    with replace_sdpa() as replaced:
        found = model(tokens).logits.float()
    model.to(torch.float32)
    assert replaced.calls == model.config.num_hidden_layers and not replaced.passed_on
    if dtype == torch.float32:
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=5e-4)
    else:
        # 30 layers rounded to 8 bits each: PyTorch's own distance from float32 is the measure.
        exact = model(tokens).logits
        assert (found - exact).abs().mean() <= 1.5 * (expected - exact).abs().mean()


def test_generated_tokens(smollm2):
    tokenizer, model = smollm2
    prompts = ["The capital of France is", "Water boils at a temperature of one hundred"]
    tokenizer.pad_token, tokenizer.padding_side = tokenizer.eos_token, "left"
    inputs = tokenizer(prompts, padding=True, return_tensors="pt")
    options = dict(max_new_tokens=12, do_sample=False, pad_token_id=tokenizer.eos_token_id)
    expected = model.generate(**inputs, **options)
    with replace_sdpa() as replaced:
        found = model.generate(**inputs, **options)
    assert replaced.calls == 12 * model.config.num_hidden_layers and not replaced.passed_on
    assert torch.equal(found, expected)


def test_operands_are_read_where_they_lie(minilm, monkeypatch):
    """The library gets the addresses of the tensors that Transformers passes, and the result is the tensor that it gets back."""
    import struct

    from swift_attention import _frames as frames
    from swift_attention import _sdpa, _sdpa_calls

    tokenizer, model = minilm
    given, received = [], []
    attend, run = _sdpa.attend, _sdpa_calls.library.run

    def watch_attend(query, key, value, *others):
        given.append([query.data_ptr(), key.data_ptr(), value.data_ptr()])
        output = attend(query, key, value, *others)
        given[-1].append(output.data_ptr())
        return output

    def watch_run(queries, key_values, options, output, sums):
        import ctypes

        places = (queries, key_values + frames.KEYS, key_values + frames.VALUES, output)
        received.append([struct.unpack("Q", ctypes.string_at(place, 8))[0] for place in places])
        return run(queries, key_values, options, output, sums)

    monkeypatch.setattr("swift_attention._replacement.attend", watch_attend)
    monkeypatch.setattr(_sdpa_calls.library, "run", watch_run)
    with replace_sdpa() as replaced:
        model(**tokenizer(SENTENCES, padding=True, return_tensors="pt"))
    assert replaced.calls == len(given) == 6 and given == received
