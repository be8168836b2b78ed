"""What a run costs by Swift, C and Python, interleaved: bindings.py TOOL RUN_OVERHEAD [DEVICE]

TOOL is the built `backplane`, RUN_OVERHEAD the program of run_overhead.c, both of release builds; Python needs this package's module
(PYTHONPATH=Sources/BackplanePython, BACKPLANE_LIBRARY). The graph is one relu of four numbers, so that a run is nearly all overhead. Five rounds, each
of every binding; medians and ranges of the rounds' times.
"""
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time

import numpy as np

import backplane

ROUNDS, RUNS = 5, 20000


def main():
    tool, program, device = sys.argv[1], sys.argv[2], sys.argv[3] if len(sys.argv) > 3 else "cpu"
    times = {}

    def add(name, microseconds):
        times.setdefault(name, []).append(microseconds)

    with tempfile.TemporaryDirectory() as folder:
        graph = os.path.join(folder, "relu.graph")
        subprocess.run([program, "write", graph], check=True)
        session = backplane.Runtime().compile(backplane.Model(graph), device).session()
        x = np.zeros(4, np.float32)
        for _ in range(ROUNDS):
            swift = subprocess.run([tool, "bench", graph, "--device", device], check=True, capture_output=True, text=True).stdout
            add("Swift", float(re.search(r"a run ([\d.]+) us", swift).group(1)))
            for name, value in re.findall(r"(\w+) +([\d.]+) us a run", subprocess.run([program, graph, device], check=True, capture_output=True, text=True).stdout):
                add(f"C, {name}", float(value))
            for name, inputs in (("Python, nothing given", None), ("Python, an array given", {"x": x})):
                session.run(inputs)
                begin = time.perf_counter()
                for _ in range(RUNS // 4):
                    session.run(inputs)
                add(name, (time.perf_counter() - begin) / (RUNS // 4) * 1e6)
    swift = statistics.median(times["Swift"])
    for name, values in times.items():
        middle = statistics.median(values)
        print(f"{name:24} {middle:7.2f} us a run ({min(values):.2f} … {max(values):.2f}), {middle - swift:+.2f} beside Swift")


if __name__ == "__main__":
    main()
