from pathlib import Path

import numpy as np
import sentence_transformers
import torch

from problem import Unsupported

TYPES = {"file": None, "f32": torch.float32, "bf16": torch.bfloat16}


class SentenceTransformers:
    """sentence-transformers on PyTorch: tokens, batches of 32 by length, the encoder, and what a model's folder says of pooling."""

    def __init__(self, threads: int):
        torch.set_num_threads(threads)
        self.version = sentence_transformers.__version__
        self.model = None

    def unload(self):
        self.model = None

    def load(self, path: Path, weights: str, cache: str | None, context: int) -> str:
        if weights not in TYPES:
            raise Unsupported("computes with f32 or bf16 weights")
        # Else a folder that is not there would be a name to look up.
        if not path.is_dir():
            raise Unsupported(f"there is no folder {path}")
        options = {} if TYPES[weights] is None else {"dtype": TYPES[weights]}
        self.model = sentence_transformers.SentenceTransformer(str(path), device="cpu", model_kwargs=options)
        return "encode" if weights == "file" else f"encode-{weights}"

    def embed(self, texts: list[str]) -> np.ndarray:
        rows = self.model.encode(texts, batch_size=32, show_progress_bar=False)
        return np.asarray(rows, np.float32)
