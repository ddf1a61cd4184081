"""Other engines, a module each, imported when it is asked for.

An engine has `version` and `calls(problem)`: functions by name, each of which sets up one way to compute the problem and returns
two functions: one that computes attention once, and one that turns what it returned into an array [B, H, Tq, Dv] (or the same numbers
in another shape). What is set up is not timed; where there are several ways, the fastest is used.
"""

import importlib

MODULES = {
    "pytorch": ("engines.pytorch", "PyTorch"),
    "onnxruntime": ("engines.onnx_runtime", "ONNXRuntime"),
    "openvino": ("engines.open_vino", "OpenVINO"),
    "numpy": ("engines.plain_numpy", "PlainNumPy"),
    "vllm": ("engines.vllm_cpu", "VLLM"),
    "zentorch": ("engines.zen_torch", "Zentorch"),
    "flex": ("engines.flex_attention", "FlexAttention"),
}


def load_engine(name: str, threads: int):
    """An engine that computes on so many threads."""
    module, kind = MODULES[name]
    return getattr(importlib.import_module(module), kind)(threads)
