"""Other engines, each with the call that was fastest for the shape.

An engine has `name`, `version`, `dtypes`, and `prepare(problem, dtype)`, which returns two functions: one that computes attention
once, and one that turns what it returned into an array [B, H, Tq, Dv].
"""

import numpy as np


class PyTorch:
    name, dtypes = "pytorch", ("f32", "bf16")

    def __init__(self, threads):
        import torch

        torch.set_num_threads(threads)
        self.torch, self.version = torch, torch.__version__

    def prepare(self, problem, dtype):
        torch = self.torch
        kind = {"f32": torch.float32, "bf16": torch.bfloat16}[dtype]
        tensors = [torch.from_numpy(x).to(kind) for x in (problem.queries, problem.keys, problem.values)]
        options = {"enable_gqa": True} if problem.group > 1 else {}
        if problem.is_square_causal and problem.window is None:
            options["is_causal"] = True
        elif (mask := problem.mask()) is not None:
            options["attn_mask"] = torch.from_numpy(mask)

        def run():
            with torch.inference_mode():
                return torch.nn.functional.scaled_dot_product_attention(*tensors, **options)

        return run, lambda output: output.float().numpy()


class ONNXRuntime:
    # Its CPU kernels for attention compute in Float32.
    name, dtypes = "onnxruntime", ("f32",)

    def __init__(self, threads):
        import onnxruntime

        self.ort, self.version, self.threads = onnxruntime, onnxruntime.__version__, threads

    def prepare(self, problem, dtype):
        node, feeds, opsets, is_flat = self._node(problem)
        session = self._session(node, feeds, opsets)

        def heads(outputs):
            if not is_flat:
                return outputs[0]
            return outputs[0].reshape(problem.batch, problem.query_count, problem.heads, -1).transpose(0, 2, 1, 3)

        return lambda: session.run(None, feeds), heads

    def _node(self, problem):
        """The operator, its inputs by name, its operator sets, and whether heads lie side by side in a row."""
        from onnx import helper

        tensors = dict(zip("qkv", (problem.queries, problem.keys, problem.values)))
        flat = {name: self._side_by_side(x) for name, x in tensors.items()}
        contrib = [("", 21), ("com.microsoft", 1)]
        if problem.group == 1 and problem.shape["mask"] == "none":
            node = helper.make_node(
                "MultiHeadAttention", list(flat), ["y"], domain="com.microsoft", num_heads=problem.heads
            )
            return node, flat, contrib, True
        if problem.is_square_causal:
            no_past = (problem.batch, problem.kv_heads, 0)
            feeds = flat | {
                "past_key": np.zeros((*no_past, problem.width), np.float32),
                "past_value": np.zeros((*no_past, problem.value_width), np.float32),
                "seqlens_k": np.full(problem.batch, problem.key_count - 1, np.int32),
                "total_sequence_length": np.array(problem.key_count, np.int32),
            }
            # It counts the query's own key as well.
            window = {} if problem.window is None else {"local_window_size": problem.window + 1}
            node = helper.make_node(
                "GroupQueryAttention",
                list(feeds),
                ["y", "present_key", "present_value"],
                domain="com.microsoft",
                num_heads=problem.heads,
                kv_num_heads=problem.kv_heads,
                **window,
            )
            return node, feeds, contrib, True
        feeds = dict(tensors)
        if (mask := problem.mask()) is not None:
            full = (mask.shape[0], 1, problem.query_count, problem.key_count)
            feeds["mask"] = np.ascontiguousarray(np.broadcast_to(mask, full))
        return helper.make_node("Attention", list(feeds), ["y"]), feeds, [("", 23)], False

    @staticmethod
    def _side_by_side(x):
        """[B, H, T, D] as [B, T, H·D]."""
        return np.ascontiguousarray(x.transpose(0, 2, 1, 3)).reshape(x.shape[0], x.shape[2], -1)

    def _session(self, node, feeds, opsets):
        from onnx import TensorProto, helper

        kinds = {"float32": TensorProto.FLOAT, "bool": TensorProto.BOOL, "int32": TensorProto.INT32}
        graph = helper.make_graph(
            [node],
            "attention",
            [helper.make_tensor_value_info(n, kinds[x.dtype.name], list(x.shape)) for n, x in feeds.items()],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None) for name in node.output],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid(*o) for o in opsets], ir_version=10)
        options = self.ort.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.threads, 1
        options.log_severity_level = 3
        return self.ort.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])


class OpenVINO:
    name, dtypes = "openvino", ("f32", "bf16")

    def __init__(self, threads):
        import openvino

        self.openvino, self.version, self.threads = openvino, openvino.__version__.split("-")[0], threads

    def prepare(self, problem, dtype):
        from openvino import opset13 as ops

        feeds = [problem.queries, problem.keys, problem.values]
        is_causal = problem.is_square_causal and problem.window is None
        if not is_causal and (mask := problem.mask()) is not None:
            feeds.append(np.where(mask, 0, -np.inf).astype(np.float32))
        inputs = [ops.parameter(list(x.shape), np.float32) for x in feeds]
        queries, keys, values, *bias = inputs
        attention = ops.scaled_dot_product_attention(
            queries, self._repeated(keys, problem), self._repeated(values, problem), *bias, causal=is_causal
        )
        compiled = self.openvino.Core().compile_model(
            self.openvino.Model([attention], inputs),
            "CPU",
            {
                "INFERENCE_NUM_THREADS": self.threads,
                "INFERENCE_PRECISION_HINT": dtype,
                "PERFORMANCE_HINT": "LATENCY",
            },
        )
        request = compiled.create_infer_request()
        # The request borrows them: the closure below keeps them alive.
        tensors = [self.openvino.Tensor(x, shared_memory=True) for x in feeds]
        for index, tensor in enumerate(tensors):
            request.set_input_tensor(index, tensor)

        def run():
            request.infer()
            return request, tensors

        return run, lambda result: np.array(result[0].get_output_tensor().data)

    @staticmethod
    def _repeated(tensor, problem):
        """Every key/value head as often as query heads share it: the operator wants as many as there are query heads."""
        if problem.group == 1:
            return tensor
        from openvino import opset13 as ops

        batch, heads, count, width = tensor.get_shape()
        wide = ops.broadcast(
            ops.unsqueeze(tensor, ops.constant(2)),
            ops.constant([batch, heads, problem.group, count, width]),
            broadcast_spec="BIDIRECTIONAL",
        )
        return ops.reshape(wide, ops.constant([batch, problem.heads, count, width]), False)


ENGINES = {engine.name: engine for engine in (PyTorch, ONNXRuntime, OpenVINO)}
