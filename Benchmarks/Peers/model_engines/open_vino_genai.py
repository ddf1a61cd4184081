from pathlib import Path

import numpy as np
import openvino
import openvino_genai

from model_engines import stored
from problem import Unsupported

CACHES = {"f32": "f32", "f16": "f16", "bf16": "bf16", "q8_0": "u8"}
# Of keys and values on CPUs.
PAGE_TOKENS = 32


class OpenVINOGenAI:
    """OpenVINO's own reader of GGUF files and its paged attention.

    It packs weights anew while it loads. Q4_1 loses on the way: its offsets become whole steps.
    """

    def __init__(self, threads: int):
        self.version, self.threads = openvino_genai.__version__.split("-")[0], threads
        self.pipeline, self.vocabulary = None, 0

    def unload(self):
        self.pipeline = None

    def load(self, path: Path, weights: str, cache: str | None, context: int) -> str:
        if cache is not None and cache not in CACHES:
            raise Unsupported(f"has no cache of {cache}")
        scheduler = openvino_genai.SchedulerConfig()
        # A prompt whose keys are still there would cost nothing.
        scheduler.enable_prefix_caching = False
        # A prompt in one piece, as its pipeline for single prompts has it.
        scheduler.max_num_batched_tokens = context
        scheduler.num_kv_blocks = -(-context // PAGE_TOKENS) + 1
        properties = {} if cache is None else {"KV_CACHE_PRECISION": CACHES[cache]}
        self.pipeline = openvino_genai.LLMPipeline(
            str(stored(path, weights)),
            "CPU",
            ATTENTION_BACKEND="PA",
            INFERENCE_NUM_THREADS=self.threads,
            scheduler_config=scheduler,
            **properties,
        )
        self.vocabulary = len(self.pipeline.get_tokenizer().get_vocab())
        core = openvino.Core()
        arithmetic = core.get_property("CPU", "INFERENCE_PRECISION_HINT").get_type_name()
        kept = CACHES[cache] if cache else core.get_property("CPU", "KV_CACHE_PRECISION").get_type_name()
        return f"paged-{arithmetic}-cache-{kept}"

    def generate(self, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
        # With min_new_tokens it would rule out the token that ends a text.
        config = openvino_genai.GenerationConfig(
            max_new_tokens=count, ignore_eos=True, do_sample=False, apply_chat_template=False
        )
        ids = np.array([prompt], np.int64)
        inputs = openvino_genai.TokenizedInputs(openvino.Tensor(ids), openvino.Tensor(np.ones_like(ids)))
        results = self.pipeline.generate(inputs, config)
        # In microseconds, taken where a token is handed out.
        measured = results.perf_metrics.raw_metrics
        taken = [*measured.m_times_to_first_token, *measured.m_durations]
        return [int(token) for token in results.tokens[0]], [seconds / 1e6 for seconds in taken]
