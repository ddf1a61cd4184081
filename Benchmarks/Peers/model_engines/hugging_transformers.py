import time
from pathlib import Path

import torch
import transformers

from problem import Unsupported

TYPES = {"f32": torch.float32, "bf16": torch.bfloat16}


class Transformers:
    """Hugging Face Transformers on PyTorch, step by step as its `generate` does it. It widens a GGUF's weights while it loads."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        self.version = transformers.__version__
        self.model, self.vocabulary = None, 0

    def unload(self):
        self.model = None

    def load(self, path: Path, weights: str, cache: str | None, context: int) -> str:
        if weights not in TYPES:
            raise Unsupported("computes with f32 or bf16 weights")
        if cache not in (None, weights):
            raise Unsupported("keeps keys and values in the type of weights")
        if not path.exists():
            raise Unsupported(f"there is no {path}")
        self.model = transformers.AutoModelForCausalLM.from_pretrained(
            str(path.parent), gguf_file=path.name, dtype=TYPES[weights], attn_implementation="sdpa"
        ).eval()
        self.vocabulary = self.model.config.get_text_config().vocab_size
        return f"{self.model.config._attn_implementation}-{weights}"

    @torch.inference_mode()
    def generate(self, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
        tokens, seconds, given, cache = [], [], prompt, None
        for _ in range(count):
            start = time.perf_counter()
            output = self.model(torch.tensor([given]), past_key_values=cache, use_cache=True, logits_to_keep=1)
            cache = output.past_key_values
            tokens.append(output.logits[0, -1].argmax().item())
            seconds.append(time.perf_counter() - start)
            given = tokens[-1:]
        return tokens, seconds
