"""ONNX Runtime's operators for `backplane bench --peers`: graphs of one node; 4- and 8-bit weights as MatMulNBits in blocks of 32."""
from adapter import Missing, floats, give_up, serve

try:
    import numpy
    import onnx
    import onnxruntime
    from onnx import TensorProto, helper, numpy_helper
except ImportError as error:
    give_up(f"onnxruntime and onnx are not installed: {error}")

FLOAT = TensorProto.FLOAT


def session(nodes, inputs: dict, constants: dict, threads: int):
    graph = helper.make_graph(nodes, "work", [helper.make_tensor_value_info(n, FLOAT, v.shape) for n, v in inputs.items()],
                              [helper.make_empty_tensor_value_info("y")], [numpy_helper.from_array(v, n) for n, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads, options.log_severity_level = threads, 1, 4
    made = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda: made.run(None, inputs)


def make(op: str, format_name: str, sizes: dict, threads: int):
    rows, columns = sizes.get("rows", 0), sizes.get("columns", 0)
    if op == "matmul":
        depth = sizes["depth"]
        if format_name == "f32":
            return session([helper.make_node("MatMul", ["a", "b"], ["y"])], {"a": floats(rows, depth)}, {"b": floats(depth, columns)}, threads)
        bits = {"q4_0": 4, "q8_0": 8}.get(format_name)
        if not bits:
            raise Missing(f"no {format_name}")
        generator = numpy.random.default_rng(1)
        constants = {"b": generator.integers(0, 256, (columns, depth // 32, 4 * bits), dtype=numpy.uint8), "scales": numpy.full(columns * depth // 32, 0.01, numpy.float32)}
        # Level 4 lets it round activations to 8 bits, as our kernels and llama.cpp do.
        node = helper.make_node("MatMulNBits", ["a", "b", "scales"], ["y"], domain="com.microsoft", K=depth, N=columns, bits=bits, block_size=32, accuracy_level=4)
        return session([node], {"a": floats(rows, depth)}, constants, threads)
    if op == "softmax":
        return session([helper.make_node("Softmax", ["x"], ["y"])], {"x": floats(rows, columns)}, {}, threads)
    if op == "add":
        return session([helper.make_node("Add", ["x", "z"], ["y"])], {"x": floats(rows, columns), "z": floats(rows, columns)}, {}, threads)
    if op == "argmax":
        return session([helper.make_node("ArgMax", ["x"], ["y"], axis=-1)], {"x": floats(rows, columns)}, {}, threads)
    if op == "rms_norm":
        node = helper.make_node("SimplifiedLayerNormalization", ["x", "w"], ["y"], epsilon=1e-6)
        return session([node], {"x": floats(rows, columns)}, {"w": floats(columns)}, threads)
    raise Missing(f"no {op}")


serve("ONNX Runtime", make)
