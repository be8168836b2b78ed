#!/usr/bin/env python3
"""Backplane beside llama.cpp on one model, interleaved, as ratios.

usage: llama_bench.py MODEL.gguf [--backplane PATH] [--threads N] [--rounds N] [--numerics CLASS,…] [--json]    (needs the pip package llama-cpp-python, built with clang)

Each round runs `backplane bench` once for each class and then the same work in llama.cpp: a prompt of 512 tokens, then 64 tokens one by one after a prompt of 16.
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


def our_round(arguments: argparse.Namespace, numerics: str) -> tuple[float, float, int]:
    command = [arguments.backplane, "bench", arguments.model, "--device", "cpu", "--threads", str(arguments.threads), "--repeats", "1",
               "--prompt-tokens", str(PROMPT), "--decode-tokens", str(DECODE), "--context", "1024", "--numerics", numerics, "--json"]
    report = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout.splitlines()[-1])
    return report["prompt_tokens_per_second"]["median"], report["decode_tokens_per_second"]["median"], report["peak_memory_bytes"]


def comparison(work: str, numerics: str, ours: list[float], theirs: list[float]) -> dict:
    def spread(v: list[float], digits: int) -> str:
        return f"{statistics.median(v):.{digits}f} ({min(v):.{digits}f} … {max(v):.{digits}f})"

    return {"work": work, "numerics": numerics, "ours": spread(ours, 1), "theirs": spread(theirs, 1), "ratio": spread([a / b for a, b in zip(ours, theirs)], 2)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("--backplane", default=".build/release/backplane")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--numerics", default="fast", help="what our kernels may do to accuracy, with commas; fast rounds activations to 8 bits, as llama.cpp does")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    llama = Llama(arguments.model, n_ctx=1024, n_threads=arguments.threads, n_threads_batch=arguments.threads, n_batch=512, n_ubatch=512,
                  verbose=False, logits_all=False)
    llama_round(llama)  # warm-up
    classes = arguments.numerics.split(",")
    ours, theirs = {name: [] for name in classes}, []
    for _ in range(arguments.rounds):
        for name in classes:
            ours[name].append(our_round(arguments, name))
        theirs.append(llama_round(llama))
    lines = [comparison(work, name, [o[i] for o in ours[name]], [t[i] for t in theirs])
             for name in classes for i, work in enumerate((f"prompt of {PROMPT} tokens", f"decode, {DECODE} tokens"))]
    if arguments.json:
        return print(json.dumps(lines, ensure_ascii=False))
    print(f"llama-cpp-python {__version__}, {arguments.threads} thread(s), {arguments.rounds} rounds, peak memory of Backplane {ours[classes[0]][0][2] / 1e6:.0f} MB")
    for record in lines:
        print(f"{record['work']:<22} {record['numerics']:<8} Backplane {record['ours']}   llama.cpp {record['theirs']} tokens/s   ratio {record['ratio']}")


main()
