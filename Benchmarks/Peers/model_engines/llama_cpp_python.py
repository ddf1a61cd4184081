import time
from pathlib import Path

import llama_cpp
import numpy as np

from model_engines import stored
from problem import Unsupported

# ggml's numbers of types.
CACHES = {"f32": 0, "f16": 1, "q8_0": 8, "bf16": 30}


class LlamaCpp:
    """llama.cpp, compiled for this CPU, with its flash attention."""

    def __init__(self, threads: int):
        self.version, self.threads = llama_cpp.__version__, threads
        self.model, self.vocabulary = None, 0

    def unload(self):
        if self.model is not None:
            self.model.close()
        self.model = None

    def load(self, path: Path, weights: str, cache: str | None, context: int) -> str:
        kept = cache or "f16"
        if kept not in CACHES:
            raise Unsupported(f"has no cache of {kept}")
        self.model = llama_cpp.Llama(
            str(stored(path, weights)),
            n_ctx=context,
            n_batch=512,
            n_ubatch=512,
            n_threads=self.threads,
            n_threads_batch=self.threads,
            flash_attn=True,
            # Keys outside a window are forgotten, as its own programs have it.
            swa_full=False,
            type_k=CACHES[kept],
            type_v=CACHES[kept],
            verbose=False,
        )
        self.vocabulary = self.model.n_vocab()
        return f"flash-cache-{kept}"

    def generate(self, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
        # The next call to eval then empties the cache.
        self.model.reset()
        tokens, seconds, given = [], [], prompt
        for _ in range(count):
            start = time.perf_counter()
            self.model.eval(given)
            tokens.append(self.most_probable())
            seconds.append(time.perf_counter() - start)
            given = tokens[-1:]
        return tokens, seconds

    def most_probable(self) -> int:
        logits = llama_cpp.llama_get_logits_ith(self.model.ctx, -1)
        return int(np.ctypeslib.as_array(logits, shape=(self.vocabulary,)).argmax())
