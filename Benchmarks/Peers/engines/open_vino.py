import numpy as np
import openvino
from openvino import opset13 as ops

from problem import Unsupported

KINDS = {"f32": openvino.Type.f32, "f16": openvino.Type.f16, "bf16": openvino.Type.bf16}


class OpenVINO:
    """A model of one `scaled_dot_product_attention`, compiled for latency."""

    def __init__(self, threads: int):
        self.version, self.threads = openvino.__version__.split("-")[0], threads
        self.core = openvino.Core()

    def calls(self, problem):
        if problem.dtype not in KINDS:
            raise Unsupported(f"computes no {problem.dtype} on CPUs")
        if problem.softcap is not None:
            raise Unsupported("has no softcap")
        calls = {"sdpa": lambda: self.attention(problem, problem.wide, openvino.Type.f32)}
        if problem.dtype != "f32":
            raw = (problem.queries, problem.keys, problem.values)
            calls["narrow"] = lambda: self.attention(problem, raw, KINDS[problem.dtype])
        if problem.can_fold:
            fold = problem.folded()
            calls["folded"] = lambda: self.attention(fold, fold.wide, openvino.Type.f32)
        return calls

    def attention(self, problem, tensors, kind):
        """With inputs of a type; the arithmetic's is a hint, and Float32 the output's."""
        feeds = [openvino.Tensor(np.ascontiguousarray(x), list(x.shape), kind) for x in tensors]
        is_causal = problem.is_square_causal and problem.window is None
        if not is_causal and (mask := problem.mask()) is not None:
            feeds.append(openvino.Tensor(problem.bias(mask) if mask.dtype == bool else mask))
        inputs = [ops.parameter(list(x.shape), x.element_type) for x in feeds]
        queries, keys, values, *bias = inputs
        attention = ops.scaled_dot_product_attention(
            queries, repeated(keys, problem), repeated(values, problem), *(ops.convert(b, kind) for b in bias), causal=is_causal
        )
        compiled = self.core.compile_model(
            openvino.Model([ops.convert(attention, np.float32)], inputs),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": self.threads,
                "INFERENCE_PRECISION_HINT": KINDS[problem.dtype],
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        if (used := compiled.get_property("INFERENCE_PRECISION_HINT")) != KINDS[problem.dtype]:
            raise Unsupported(f"computes {problem.dtype} as {used.get_type_name()} on this CPU")
        request = compiled.create_infer_request()
        for index, feed in enumerate(feeds):
            request.set_input_tensor(index, feed)

        def run():
            request.infer()
            # The request borrows its inputs: this keeps them alive.
            return request, feeds

        return run, lambda result: np.array(result[0].get_output_tensor().data)


def repeated(tensor, problem):
    """Every key/value head as often as query heads share it: the operator wants as many as there are query heads."""
    if problem.group == 1:
        return tensor
    batch, heads, count, width = tensor.get_shape()
    wide = ops.broadcast(
        ops.unsqueeze(tensor, ops.constant(2)),
        ops.constant([batch, heads, problem.group, count, width]),
        broadcast_spec="BIDIRECTIONAL",
    )
    return ops.reshape(wide, ops.constant([batch, problem.heads, count, width]), False)
