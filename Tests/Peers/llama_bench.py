#!/usr/bin/env python3
"""Backplane beside llama.cpp on one model, interleaved, as ratios.

usage: llama_bench.py MODEL.gguf [--backplane PATH] [--threads N] [--rounds N] [--numerics CLASS]    (needs the pip package llama-cpp-python, built with clang)

Each round runs `backplane bench` once and then the same work in llama.cpp: a prompt of 512 tokens, then 64 tokens one by one after a prompt of 16.
Prints the median and the spread of both and of the ratio pair by pair. On a shared machine only the ratios mean something.
"""
import argparse
import json
import statistics
import subprocess
import time

from llama_cpp import Llama, __version__

PROMPT, DECODE = 512, 64


def token(i: int, vocabulary: int) -> int:
    return (i * 2654435761 + 12345) % 2**64 % vocabulary


def llama_round(llama: Llama) -> tuple[float, float]:
    vocabulary = llama.n_vocab()
    llama.reset()
    begin = time.perf_counter()
    llama.eval([token(i, vocabulary) for i in range(PROMPT)])
    prompt = PROMPT / (time.perf_counter() - begin)
    llama.reset()
    llama.eval([token(i, vocabulary) for i in range(16)])
    begin = time.perf_counter()
    for i in range(DECODE):
        llama.eval([token(i, vocabulary)])
    return prompt, DECODE / (time.perf_counter() - begin)


def our_round(arguments: argparse.Namespace) -> tuple[float, float, int]:
    command = [arguments.backplane, "bench", arguments.model, "--device", "cpu", "--threads", str(arguments.threads), "--repeats", "1",
               "--prompt-tokens", str(PROMPT), "--decode-tokens", str(DECODE), "--context", "1024", "--numerics", arguments.numerics, "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return report["prompt_tokens_per_second"]["median"], report["decode_tokens_per_second"]["median"], report["peak_memory_bytes"]


def line(name: str, ours: list[float], theirs: list[float]) -> str:
    ratios = [a / b for a, b in zip(ours, theirs)]

    def spread(v: list[float], digits: int) -> str:
        return f"{statistics.median(v):.{digits}f} ({min(v):.{digits}f} … {max(v):.{digits}f})"

    return f"{name:<12} Backplane {spread(ours, 1)}   llama.cpp {spread(theirs, 1)} tokens/s   ratio {spread(ratios, 2)}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--backplane", default=".build/release/backplane")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--numerics", default="fast", help="what our kernels may do to accuracy; fast rounds activations to 8 bits, as llama.cpp does")
    arguments = parser.parse_args()
    llama = Llama(arguments.model, n_ctx=1024, n_threads=arguments.threads, n_threads_batch=arguments.threads, n_batch=512, n_ubatch=512,
                  verbose=False, logits_all=False)
    llama_round(llama)  # warm-up
    ours, theirs = [], []
    for _ in range(arguments.rounds):
        ours.append(our_round(arguments))
        theirs.append(llama_round(llama))
    print(f"llama-cpp-python {__version__}, numerics {arguments.numerics}, {arguments.threads} thread(s), {arguments.rounds} rounds, peak memory of Backplane {ours[0][2] / 1e6:.0f} MB")
    print(line(f"prompt {PROMPT}", [o[0] for o in ours], [t[0] for t in theirs]))
    print(line(f"decode {DECODE}", [o[1] for o in ours], [t[1] for t in theirs]))


main()
