"""Other engines with whole models, a module each, imported when it is asked for.

An engine has `version`, `unload()` and `load(path, weights, cache, context)`, which returns a word that says how it computes.
A language model's has `vocabulary`, how many tokens there are, and `generate(prompt, count)`: the most probable tokens after a prompt,
and the seconds that each took, those of the prompt in the first. An encoder's has `embed(texts)`: an array [texts, width].
"""

import importlib
from pathlib import Path

from problem import Unsupported

MODULES = {
    "openvino-genai": ("model_engines.open_vino_genai", "OpenVINOGenAI"),
    "llamacpp": ("model_engines.llama_cpp_python", "LlamaCpp"),
    "transformers": ("model_engines.hugging_transformers", "Transformers"),
    "sentence-transformers": ("model_engines.sentence_encoders", "SentenceTransformers"),
}


def load_engine(name: str, threads: int):
    """An engine that computes on so many threads."""
    module, kind = MODULES[name]
    return getattr(importlib.import_module(module), kind)(threads)


def stored(path: Path, weights: str) -> Path:
    """The GGUF beside a model's that has its weights in another type, for engines that take files as they are."""
    if weights != "file":
        path = path.with_name(f"{path.stem}-{weights}{path.suffix}")
    if not path.exists():
        raise Unsupported(f"there is no {path}" + ("" if weights == "file" else ", which requantize.py makes"))
    return path
