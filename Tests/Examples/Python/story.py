"""Lists devices, runs a small graph with numpy arrays, and generates text: story.py [MODEL.gguf PROMPT]"""
import sys

import numpy as np

import backplane

runtime = backplane.Runtime()
for device in runtime.devices():
    print(f"{device['id']}: {device['name']}")

graph = backplane.Graph()
rows = graph.symbol("rows", 1, 16)
x = graph.input("x", "f32", [rows, 4])
w = graph.constant("w", np.arange(12, dtype=np.float32).reshape(3, 4))
graph.output(graph.matmul(x, w, activation="relu"), "y")
session = runtime.compile(graph).session()
a = np.linspace(-1, 1, 8, dtype=np.float32).reshape(2, 4)
y = session.run({"x": a})["y"]
assert np.allclose(y, np.maximum(a @ np.arange(12).reshape(3, 4).T, 0), atol=1e-5), y
print(y)

if len(sys.argv) == 3:
    generator = runtime.generator(sys.argv[1])
    for piece in generator.generate(sys.argv[2], max_tokens=32):
        print(piece, end="", flush=True)
    print()
