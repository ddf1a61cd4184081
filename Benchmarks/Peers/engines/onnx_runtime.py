import numpy as np
import onnxruntime
from onnx import TensorProto, helper

from problem import Unsupported

KINDS = {
    "float32": TensorProto.FLOAT,
    "float16": TensorProto.FLOAT16,
    "float64": TensorProto.DOUBLE,
    "bool": TensorProto.BOOL,
    "int32": TensorProto.INT32,
}
STANDARD, CONTRIB = [("", 23)], [("", 21), ("com.microsoft", 1)]


class ONNXRuntime:
    """A session with one node: ONNX's own `Attention`, or one of the contributed operators where they can compute the problem."""

    def __init__(self, threads: int):
        self.version, self.threads = onnxruntime.__version__, threads

    def calls(self, problem):
        if problem.dtype == "bf16":
            raise Unsupported("computes no bf16 on CPUs")
        calls = {"attention": lambda: self.standard(problem)}
        if problem.can_fold:
            calls["folded"] = lambda: self.standard(problem.folded())
        has_options = problem.slopes is not None or problem.softcap is not None
        if problem.rule != "causal" and problem.group == 1 and not has_options:
            calls["mha"] = lambda: self.multi_head(problem, by_head=False)
        if problem.is_open and problem.group == 1 and not has_options:
            calls["mha-heads"] = lambda: self.multi_head(problem, by_head=True)
        if problem.is_open and problem.can_fold and not has_options:
            calls["mha-folded"] = lambda: self.multi_head(problem.folded(), by_head=True)
        if problem.is_square_causal:
            calls["gqa"] = lambda: self.group_query(problem)
        elif problem.rule == "causal" and problem.slopes is None:
            calls["gqa-cache"] = lambda: self.cached(problem)
        return calls

    def standard(self, problem):
        feeds = dict(zip("qkv", (problem.queries, problem.keys, problem.values)))
        if (mask := problem.mask()) is not None:
            full = (*mask.shape[:2], problem.query_count, problem.key_count)
            kind = bool if mask.dtype == bool else problem.queries.dtype
            feeds["mask"] = np.ascontiguousarray(np.broadcast_to(mask, full), kind)
        node = helper.make_node("Attention", list(feeds), ["y"], softcap=float(problem.softcap or 0))
        session = self.session(node, feeds, STANDARD)
        return lambda: session.run(None, feeds), lambda outputs: outputs[0]

    def multi_head(self, problem, by_head: bool):
        """Keys and values [B, T, H · D], or [B, H, T, D] as a cache has them."""
        pick = (lambda x: x) if by_head else side_by_side
        feeds = {"q": side_by_side(problem.queries), "k": pick(problem.keys), "v": pick(problem.values)}
        names = list(feeds)
        if problem.lengths:
            feeds["lengths"] = np.array(problem.lengths, np.int32)
            names += ["", "lengths"]
        node = helper.make_node("MultiHeadAttention", names, ["y"], domain="com.microsoft", num_heads=problem.heads)
        session = self.session(node, feeds, CONTRIB)
        return lambda: session.run(None, feeds), lambda outputs: heads_apart(outputs[0], problem)

    def group_query(self, problem):
        """A prompt without a past."""
        no_past = (problem.batch, problem.kv_heads, 0)
        feeds = {
            "q": side_by_side(problem.queries),
            "k": side_by_side(problem.keys),
            "v": side_by_side(problem.values),
            "past_key": np.zeros((*no_past, problem.keys.shape[3]), problem.keys.dtype),
            "past_value": np.zeros((*no_past, problem.values.shape[3]), problem.keys.dtype),
        } | lengths_of(problem)
        session = self.session(group_query_node(problem, feeds), feeds, CONTRIB)
        return lambda: session.run(None, feeds), lambda outputs: heads_apart(outputs[0], problem)

    def cached(self, problem):
        """The last keys and values join a cache, in place, that has the others."""
        new = slice(problem.key_count - problem.query_count, None)
        feeds = {
            "q": side_by_side(problem.queries),
            "k": side_by_side(problem.keys[:, :, new]),
            "v": side_by_side(problem.values[:, :, new]),
            "past_key": problem.keys.copy(),
            "past_value": problem.values.copy(),
        } | lengths_of(problem)
        session = self.session(group_query_node(problem, feeds), feeds, CONTRIB)
        output = np.zeros((problem.batch, problem.query_count, problem.heads * problem.values.shape[3]), problem.queries.dtype)
        values = {name: onnxruntime.OrtValue.ortvalue_from_numpy(x) for name, x in (feeds | {"y": output}).items()}
        binding = session.io_binding()
        for name in feeds:
            binding.bind_ortvalue_input(name, values[name])
        for name, place in (("y", "y"), ("present_key", "past_key"), ("present_value", "past_value")):
            binding.bind_ortvalue_output(name, values[place])

        def run():
            session.run_with_iobinding(binding)
            return values["y"]

        return run, lambda value: heads_apart(value.numpy(), problem)

    def session(self, node, feeds, opsets):
        try:
            kinds = {name: KINDS[x.dtype.name] for name, x in feeds.items()}
            graph = helper.make_graph(
                [node],
                "attention",
                [helper.make_tensor_value_info(n, kinds[n], list(x.shape)) for n, x in feeds.items()],
                [helper.make_tensor_value_info(name, kinds["q"], None) for name in node.output],
            )
            model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*o) for o in opsets], ir_version=10)
            options = onnxruntime.SessionOptions()
            options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
            options.log_severity_level = 3
            return onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
        except Exception as error:
            if "Could not find an implementation" in str(error) or "Type Error" in str(error):
                raise Unsupported("has no kernel for this type on CPUs") from error
            raise


def lengths_of(problem):
    return {
        "seqlens_k": np.full(problem.batch, problem.key_count - 1, np.int32),
        "total_sequence_length": np.array(problem.key_count, np.int32),
    }


def group_query_node(problem, feeds):
    # Its window counts the query's own key as well.
    window = {} if problem.window is None else {"local_window_size": problem.window + 1}
    return helper.make_node(
        "GroupQueryAttention",
        list(feeds),
        ["y", "present_key", "present_value"],
        domain="com.microsoft",
        num_heads=problem.heads,
        kv_num_heads=problem.kv_heads,
        softcap=float(problem.softcap or 0),
        **window,
    )


def side_by_side(x):
    """[B, H, T, D] as [B, T, H · D]."""
    return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(x.shape[0], x.shape[2], -1)


def heads_apart(x, problem):
    """[B, T, H · D] as [B, H, T, D]."""
    return x.reshape(problem.batch, problem.query_count, problem.heads, -1).transpose(0, 2, 1, 3)
