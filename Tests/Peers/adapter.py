"""What the peers' adapters of `backplane bench --peers` share: the loop of questions and answers, numbers, the clock.

An adapter calls `serve(name, make)`. `make(op, format, sizes, threads)` returns a function that does the work once, or raises `Missing`. One JSON line
comes in for each question and one goes out; anything a library prints is kept off that pipe.
"""
import json
import os
import sys
import time

import numpy


class Missing(Exception):
    """This peer cannot do the work; the text says why."""


BLOCKS = {"q4_0": (32, 18), "q4_1": (32, 20), "q5_0": (32, 22), "q5_1": (32, 24), "q8_0": (32, 34), "iq4_nl": (32, 18), "mxfp4": (32, 17),
          "q2_K": (256, 84), "q3_K": (256, 110), "q4_K": (256, 144), "q5_K": (256, 176), "q6_K": (256, 210), "tq2_0": (256, 66),
          "f32": (1, 4), "f16": (1, 2), "bf16": (1, 2)}


def numbers(format_name: str, count: int) -> numpy.ndarray:
    """Bytes that are finite numbers of moderate size in any format."""
    generator = numpy.random.default_rng(1)
    if format_name == "f32":
        return generator.uniform(-1, 1, count).astype(numpy.float32).view(numpy.uint8)
    elements, size = BLOCKS[format_name]
    return generator.integers(0x20, 0x30, count // elements * size, dtype=numpy.uint8)


def floats(*shape: int) -> numpy.ndarray:
    return numpy.random.default_rng(1).uniform(-1, 1, shape).astype(numpy.float32)


def measure(run, seconds: float) -> list[float]:
    run()
    times, total = [], 0.0
    while len(times) < 3 or (total < seconds and len(times) < 10000):
        begin = time.perf_counter()
        run()
        times.append((time.perf_counter() - begin) * 1e6)
        total += times[-1] / 1e6
    return times


def serve(name: str, make) -> None:
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def answer(record: dict) -> None:
        out.write(json.dumps(record) + "\n")
        out.flush()

    answer({"name": name})
    made = {}  # the last work, kept from round to round
    for line in sys.stdin:
        question = json.loads(line)
        key = json.dumps([question["op"], question["format"], question["sizes"]], sort_keys=True)
        try:
            if key not in made:
                made.clear()
                made[key] = make(question["op"], question["format"], question["sizes"], question["threads"])
            answer({"microseconds": measure(made[key], question["seconds"])})
        except Missing as reason:
            answer({"missing": str(reason)})
        except Exception as error:  # whatever the library says
            answer({"missing": f"{type(error).__name__}: {error}"})


def give_up(reason: str) -> None:
    print(json.dumps({"missing": reason}), flush=True)
    sys.exit(0)
