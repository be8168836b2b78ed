"""OpenVINO's operators for `backplane bench --peers`: compiled models of one operation; 4- and 8-bit weights in groups of 32 as its compressor writes them."""
from adapter import Missing, floats, give_up, serve

try:
    import numpy
    import openvino
    from openvino import opset13 as ops
except ImportError as error:
    give_up(f"openvino is not installed: {error}")

core = openvino.Core()


def compiled(result, inputs: list, values: list, threads: int, precision: str | None = "f32"):
    """`precision`: of the arithmetic; None leaves it to OpenVINO, which rounds f32 to bf16 where the processor has instructions for it."""
    properties = {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"} | ({"INFERENCE_PRECISION_HINT": precision} if precision else {})
    made = core.compile_model(openvino.Model([result], inputs), "CPU", properties)
    request = made.create_infer_request()
    for index, value in enumerate(values):
        request.set_input_tensor(index, openvino.Tensor(value))
    return request.infer


def make(op: str, format_name: str, sizes: dict, threads: int):
    rows, columns = sizes.get("rows", 0), sizes.get("columns", 0)
    if op == "matmul":
        depth = sizes["depth"]
        a = ops.parameter([rows, depth], numpy.float32)
        if format_name in ("f32", "bf16"):
            b = ops.constant(floats(columns, depth))
        elif format_name in ("q4_0", "q8_0"):
            generator = numpy.random.default_rng(1)
            if format_name == "q8_0":
                codes = ops.constant(generator.integers(-127, 128, (columns, depth // 32, 32), dtype=numpy.int8))
            else:
                packed = openvino.Tensor(generator.integers(0, 256, (columns, depth // 2), dtype=numpy.uint8).reshape(-1), [columns, depth // 32, 32], openvino.Type.i4)
                codes = openvino.op.Constant(packed, shared_memory=False)
            scales = ops.constant(numpy.full((columns, depth // 32, 1), 0.01, numpy.float16))
            b = ops.multiply(ops.convert(codes, numpy.float16), scales)
            b = ops.convert(ops.reshape(b, ops.constant(numpy.array([columns, depth])), False), numpy.float32)
        else:
            raise Missing(f"no {format_name}")
        return compiled(ops.matmul(a, b, False, True), [a], [floats(rows, depth)], threads, format_name if format_name in ("f32", "bf16") else None)
    if op in ("softmax", "add"):
        x, z = ops.parameter([rows, columns], numpy.float32), ops.parameter([rows, columns], numpy.float32)
        if op == "softmax":
            return compiled(ops.softmax(x, -1), [x], [floats(rows, columns)], threads)
        return compiled(ops.add(x, z), [x, z], [floats(rows, columns), floats(rows, columns)], threads)
    raise Missing(f"no {op}")


serve("OpenVINO", make)
