#!/usr/bin/env python3
"""Writes weights of few bits as other programs pack them, and what those programs make of them.

    pip install numpy onnx onnxruntime
    python3 make_packed_vectors.py Tests/Fixtures/packed

test_NAME/            an ONNX test: a product with MatMulNBits or MatMulBnb4, inputs, and onnxruntime's output
gptq_*.bin, awq.bin   i32 outputs, inputs, group, whether there is a g_idx; i32 qweight, qzeros; f32 scales; i32 g_idx; f32 weights [outputs, inputs],
                      unpacked by NumPy as AutoGPTQ and AutoAWQ do (shifts and masks over whole tensors, nothing in common with the packer's loops)
The same on every run.
"""
import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

rng = np.random.default_rng(20240611)


def onnx_test(folder, op, attributes, rows, depth, columns, operands):
    node = helper.make_node(op, [name if value is not None else "" for name, value in [("a", 0)] + operands], ["y"], domain="com.microsoft", K=depth, N=columns, **attributes)
    constants = [numpy_helper.from_array(value, name) for name, value in operands if value is not None]
    a = rng.standard_normal((rows, depth)).astype(np.float32)
    graph = helper.make_graph([node], "test", [helper.make_tensor_value_info("a", TensorProto.FLOAT, a.shape)],
                              [helper.make_tensor_value_info("y", TensorProto.FLOAT, [rows, columns])], constants)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21), helper.make_opsetid("com.microsoft", 1)], ir_version=10)
    y = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"]).run(None, {"a": a})[0]
    data = folder / "test_data_set_0"
    data.mkdir(parents=True, exist_ok=True)
    onnx.save(model, folder / "model.onnx")
    (data / "input_0.pb").write_bytes(numpy_helper.from_array(a, "a").SerializeToString())
    (data / "output_0.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())


def n_bits(folder, bits, group, depth, columns, zeros, halves=False, bias=False, rows=3):
    groups = -(-depth // group)
    scales = rng.uniform(0.01, 0.1, columns * groups).astype(np.float32)
    if halves:
        scales = scales.astype(np.float16).astype(np.float32)
    points = None
    if zeros == "packed":
        points = rng.integers(0, 256, columns * -(-groups * bits // 8), dtype=np.uint8)
    elif zeros == "float":
        points = rng.uniform(0, 15, columns * groups).astype(np.float32)
    codes = rng.integers(0, 256, (columns, groups, group * bits // 8), dtype=np.uint8)
    onnx_test(folder, "MatMulNBits", {"bits": bits, "block_size": group}, rows, depth, columns, [
        ("b", codes), ("scales", scales), ("zeros", points), ("order", None), ("bias", rng.standard_normal(columns).astype(np.float32) if bias else None)])


def write(path, outputs, inputs, group, qweight, qzeros, scales, index, weights):
    parts = [np.array([outputs, inputs, group, index is not None], "<i4"), qweight.astype("<i4"), qzeros.astype("<i4"), scales.astype("<f4")]
    parts += [] if index is None else [index.astype("<i4")]
    path.write_bytes(b"".join(np.ascontiguousarray(part).tobytes() for part in parts + [weights.astype("<f4")]))


def words(shape):
    return rng.integers(-2**31, 2**31, shape, dtype=np.int64).astype(np.int32)


def gptq(path, outputs, inputs, group, acts_ordered, less_one):
    groups, shifts = inputs // group, np.arange(0, 32, 4)
    qweight, qzeros = words((inputs // 8, outputs)), words((groups, outputs // 8))
    scales = rng.uniform(0.001, 0.05, (groups, outputs)).astype(np.float16).astype(np.float32)
    index = np.arange(inputs) // group
    if acts_ordered:
        index = rng.permutation(index)
    zeros = (qzeros[:, :, None] >> shifts) & 15
    zeros = ((zeros + less_one) & 15).reshape(groups, outputs)
    codes = ((qweight[:, None, :] >> shifts[None, :, None]) & 15).reshape(inputs, outputs)
    weights = scales[index] * (codes - zeros[index]).astype(np.float32)
    write(path, outputs, inputs, group, qweight, qzeros, scales, index if acts_ordered else None, weights.T)


def awq(path, outputs, inputs, group):
    groups, shifts = inputs // group, np.arange(0, 32, 4)
    qweight, qzeros = words((inputs, outputs // 8)), words((groups, outputs // 8))
    scales = rng.uniform(0.001, 0.05, (groups, outputs)).astype(np.float16).astype(np.float32)
    order = np.array([0, 4, 1, 5, 2, 6, 3, 7])  # AutoAWQ's reverse order
    codes = ((qweight[:, :, None] >> shifts) & 15)[:, :, order].reshape(inputs, outputs)
    zeros = ((qzeros[:, :, None] >> shifts) & 15)[:, :, order].reshape(groups, outputs)
    weights = (codes - zeros.repeat(group, 0)).astype(np.float32) * scales.repeat(group, 0)
    write(path, outputs, inputs, group, qweight, qzeros, scales, None, weights.T)


def main():
    out = Path(sys.argv[1])
    out.mkdir(parents=True, exist_ok=True)
    n_bits(out / "test_nbits_plain", 4, 32, 96, 9, None, halves=True)
    n_bits(out / "test_nbits_zeros", 4, 32, 96, 9, "packed")
    n_bits(out / "test_nbits_group_128", 4, 128, 256, 5, "packed", bias=True)
    n_bits(out / "test_nbits_float_zeros", 4, 32, 64, 5, "float")
    n_bits(out / "test_nbits_ragged", 4, 16, 40, 5, "packed")
    n_bits(out / "test_nbits_8", 8, 32, 64, 5, "packed")
    for rows, depth in [(3, 128), (1, 64)]:
        columns = 7
        onnx_test(out / f"test_bnb4_{depth}", "MatMulBnb4", {"block_size": 64, "quant_type": 1}, rows, depth, columns, [
            ("b", rng.integers(0, 256, columns * depth // 2, dtype=np.uint8)), ("absmax", rng.uniform(0.01, 2, columns * depth // 64).astype(np.float32))])
    gptq(out / "gptq_1.bin", 16, 128, 64, False, True)
    gptq(out / "gptq_2_ordered.bin", 8, 96, 32, True, False)
    awq(out / "awq.bin", 16, 256, 128)


if __name__ == "__main__":
    main()
