"""Lists devices, runs a small graph with numpy arrays, with an operator of its own, and generates text: story.py [MODEL.gguf PROMPT]"""
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

# An operator of one's own: no device has it, so its function runs on the host.
backplane.register_operator({
    "op": "story.hypot", "version": 1, "summary": "The length of (a, b), element by element.",
    "inputs": [{"name": "a", "formats": ["@float"], "shape": "..."}, {"name": "b", "formats": ["=a"], "shape": "..."}],
    "outputs": [{"name": "y", "formats": ["=a"], "shape": "..."}], "attributes": [{"name": "gain", "type": "float", "default": 1.0, "text": "Times this."}],
    "semantics": ["y = gain * sqrt(a * a + b * b)"], "numerics": {"bound": "ulp", "ulp": 4},
}, reference=lambda a, b, gain: gain * np.hypot(a, b))
graph = backplane.Graph()
a, b = graph.input("a", "f32", [3]), graph.input("b", "f32", [3])
graph.output(graph.apply("story.hypot", a, b, gain=2.0), "y")
compiled = runtime.compile(graph, fallback="allow")
assert "host" in compiled.placement, compiled.placement
y = compiled.session().run({"a": [3, 5, 8], "b": [4, 12, 15]})["y"]
assert np.allclose(y, [10, 26, 34]), y

if len(sys.argv) == 3:
    generator = runtime.generator(sys.argv[1])
    for piece in generator.generate(sys.argv[2], max_tokens=32):
        print(piece, end="", flush=True)
    print()
