#!/usr/bin/env python3
"""Writes what llama.cpp generates greedily, as a fixture for the end-to-end tests.

usage: llama_greedy.py MODEL.gguf OUT.json [--threads N]     (needs the pip package llama-cpp-python, built with clang)

For each prompt: its token ids, 64 generated ids, and at each step the gap between the two largest logits, so that a test can tell a
near tie from a fault. Text decoded from the ids is kept for the reader.
"""
import json
import sys

import numpy as np
from llama_cpp import Llama, __version__

PROMPTS = [
    "The three primary colors are",
    "Once upon a time, in a small village by the sea,",
    "def fibonacci(n):\n    ",
    "Water boils at a temperature of",
    "Die Hauptstadt von Frankreich ist",
    "Q: What is the largest planet in the solar system?\nA:",
    "1, 1, 2, 3, 5, 8, 13,",
    "The history of the printing press begins",
]
TOKENS = 64


def main() -> None:
    model, out = sys.argv[1], sys.argv[2]
    threads = int(sys.argv[4]) if len(sys.argv) > 4 else 1
    llama = Llama(model, n_ctx=512, n_threads=threads, n_threads_batch=threads, verbose=False, logits_all=False)
    cases = []
    for prompt in PROMPTS:
        ids = llama.tokenize(prompt.encode(), add_bos=True, special=False)
        llama.reset()
        llama.eval(ids)
        generated, gaps = [], []
        for _ in range(TOKENS):
            logits = np.ctypeslib.as_array(llama._ctx.get_logits_ith(-1), shape=(llama.n_vocab(),)).astype(np.float64)
            second, first = np.partition(logits, -2)[-2:]
            token = int(np.argmax(logits))
            generated.append(token)
            gaps.append(round(float(first - second), 4))
            llama.eval([token])
        text = llama.detokenize(generated).decode("utf-8", errors="replace")
        cases.append({"prompt": prompt, "prompt_token_ids": ids, "token_ids": generated, "gaps": gaps, "text": text})
        print(repr(text[:70]))
    with open(out, "w") as file:
        json.dump({"made_by": f"Tests/Peers/llama_greedy.py with llama-cpp-python {__version__}", "cases": cases}, file, indent=1)
        file.write("\n")


main()
