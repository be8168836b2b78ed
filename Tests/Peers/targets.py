#!/usr/bin/env python3
"""Backplane beside other programs on this machine: what the tables of Specs/performance.md are made from.

usage: targets.py measure PIECE… --output FOLDER [--backplane PATH] [--python PATH] [--threads N] [--rounds N] [--isa LEVEL] [--model MODEL.gguf]
       targets.py table FOLDER

Pieces, each one run in which ours and the peers take turns: prefill, batch, decode, attention, light; roofline (ours alone, a picture: roofline.svg);
model (a GGUF file beside llama.cpp, both numerics classes) and memory (its peak proportional set size beside llama.cpp's). Each is a few minutes
at most and writes FOLDER/PIECE.json; `table` prints what is there as Markdown. Needs a quiet machine, and the peers that are to be compared.
"""
import argparse
import json
import os
import re
import subprocess
import sys
import time

FORMATS = "q4_0,q5_0,q8_0,q4_K,q6_K"
PIECES = {
    "prefill": ["--op", "matmul", "--format", FORMATS + ",f32,bf16", "--rows", "512"],
    "batch": ["--op", "matmul", "--format", FORMATS, "--rows", "2,4,8,32"],
    "decode": ["--op", "matmul", "--format", "q4_0,q4_1,q5_0,q5_1,q8_0,iq4_nl,mxfp4,q2_K,q3_K,q4_K,q5_K,q6_K,tq2_0", "--rows", "1"],
    "attention": ["--op", "attention", "--format", "f16,bf16,q8_0"],
    "light": ["--op", "softmax,rms_norm,gated_activation,add,argmax"],
}
FOLDER = os.path.dirname(os.path.abspath(__file__))


def bench(arguments: argparse.Namespace, extra: list[str]) -> list[str]:
    return [arguments.backplane, "bench", "--device", "cpu", "--threads", str(arguments.threads), "--numerics", "fast", "--tuning", "off"] + extra


def run(command: list[str], isa: str) -> str:
    environment = dict(os.environ, BACKPLANE_CPU_ISA=isa) if isa else None
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environment).stdout


def operators(arguments: argparse.Namespace, piece: str) -> dict:
    command = bench(arguments, PIECES[piece] + ["--repeats", str(arguments.rounds), "--peers", "--adapters", FOLDER, "--python", arguments.python])
    return {"command": command, "isa": arguments.isa, "report": json.loads(run(command + ["--json"], arguments.isa).splitlines()[-1])}


def roofline(arguments: argparse.Namespace) -> dict:
    page = os.path.join(arguments.output, "roofline.html")
    command = bench(arguments, ["--op", "matmul,attention", "--rows", "1,8,32,512", "--html", page])
    report = json.loads(run(command + ["--json"], arguments.isa).splitlines()[-1])
    picture = re.search(r"<svg.*?</svg>", open(page, encoding="utf-8").read(), re.S).group(0)
    picture = picture.replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" style="background:white" ', 1)
    with open(os.path.join(arguments.output, "roofline.svg"), "w", encoding="utf-8") as file:
        file.write(picture + "\n")
    return {"command": command, "isa": arguments.isa, "report": report}


def model(arguments: argparse.Namespace) -> dict:
    command = [arguments.python, os.path.join(FOLDER, "llama_bench.py"), arguments.model, "--backplane", arguments.backplane, "--threads", str(arguments.threads),
               "--rounds", str(arguments.rounds), "--numerics", "strict,fast", "--json"]
    return {"command": command, "isa": arguments.isa, "report": json.loads(run(command, arguments.isa).splitlines()[-1])}


def peak(command: list[str], isa: str) -> int:
    """Largest proportional set size of a process in bytes, looked at every 20 ms."""
    environment = dict(os.environ, BACKPLANE_CPU_ISA=isa) if isa else None
    process, most = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment), 0
    while process.poll() is None:
        try:
            with open(f"/proc/{process.pid}/smaps_rollup", encoding="ascii") as file:
                most = max(most, int(re.search(r"^Pss:\s+(\d+) kB", file.read(), re.M).group(1)) * 1024)
        except (OSError, AttributeError):
            pass  # it is on its way out
        time.sleep(0.02)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with {process.returncode}")
    return most


LLAMA = """
import sys
from llama_cpp import Llama
llama = Llama(sys.argv[1], n_ctx=1024, n_threads=int(sys.argv[2]), n_threads_batch=int(sys.argv[2]), n_batch=512, n_ubatch=512, verbose=False)
llama.eval([(i * 2654435761 + 12345) % llama.n_vocab() for i in range(512)])
for i in range(32): llama.eval([i])
"""


def memory(arguments: argparse.Namespace) -> dict:
    command = [arguments.backplane, "bench", arguments.model, "--device", "cpu", "--threads", str(arguments.threads), "--repeats", "1", "--decode-tokens", "32",
               "--context", "1024", "--tuning", "off", "--numerics", "fast"]
    return {"command": command, "isa": arguments.isa, "report": {
        "file": os.path.getsize(arguments.model), "Backplane": peak(command, arguments.isa),
        "llama.cpp": peak([arguments.python, "-c", LLAMA, arguments.model, str(arguments.threads)], ""),
        "Python with llama.cpp, no model": peak([arguments.python, "-c", "import llama_cpp, time; time.sleep(0.3)"], ""),
    }}


def print_operators(piece: str, record: dict) -> None:
    results = record["report"]["operators"]
    names = sorted({name for r in results for name in r["peers"]})
    print(f"\n{piece}: `{' '.join(record['command'])}`" + (f" with BACKPLANE_CPU_ISA={record['isa']}" if record["isa"] else "") + "\n")
    print("| work | µs, median (least … largest) | GFLOP/s | GB/s | of the limit | best peer |" + "".join(f" {n} |" for n in names))
    print("|---|---|---|---|---|---|" + "---|" * len(names))
    for r in results:
        us, peers = r["microseconds"], r["peers"]
        best = min(peers, key=peers.get) if peers else None
        cells = [r["name"], f"{us['median']:.0f} ({us['minimum']:.0f} … {us['maximum']:.0f})", f"{r['gflops']:.0f}" if r["gflops"] else "–", f"{r['gbps']:.1f}",
                 f"{100 * r['share_of_limit']:.0f} %", f"{best} {peers[best] / us['median']:.2f}" if best else "–"]
        cells += [f"{peers[n] / us['median']:.2f}" if n in peers else "–" for n in names]
        print("| " + " | ".join(cells) + " |")


def table(folder: str) -> None:
    for piece in list(PIECES) + ["model", "memory"]:
        path = os.path.join(folder, piece + ".json")
        if not os.path.exists(path):
            continue
        with open(path, encoding="utf-8") as file:
            record = json.load(file)
        if piece in PIECES:
            print_operators(piece, record)
        elif piece == "model":
            print(f"\nmodel: `{' '.join(record['command'])}`\n\n| numerics | work | Backplane, tokens/s | llama.cpp | ratio |\n|---|---|---|---|---|")
            for line in record["report"]:
                print(f"| {line['numerics']} | {line['work']} | {line['ours']} | {line['theirs']} | {line['ratio']} |")
        else:
            print(f"\nmemory: `{' '.join(record['command'])}`\n\n| | MB |\n|---|---|")
            for name, size in record["report"].items():
                print(f"| {name} | {size / 1e6:.0f} |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["measure", "table"])
    parser.add_argument("names", nargs="+", help="pieces, or the folder")
    parser.add_argument("--output", default="build/targets")
    parser.add_argument("--backplane", default=".build/release/backplane")
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--isa", default="")
    parser.add_argument("--model")
    arguments = parser.parse_args()
    if arguments.what == "table":
        return table(arguments.names[0])
    others = {"roofline": roofline, "model": model, "memory": memory}
    for piece in arguments.names:
        if piece not in PIECES and piece not in others:
            sys.exit(f"there is no piece '{piece}'; there are {', '.join([*PIECES, *others])}")
        if piece in ("model", "memory") and not arguments.model:
            sys.exit(f"{piece} needs --model MODEL.gguf")
    os.makedirs(arguments.output, exist_ok=True)
    for piece in arguments.names:
        record = others[piece](arguments) if piece in others else operators(arguments, piece)
        with open(os.path.join(arguments.output, piece + ".json"), "w", encoding="utf-8") as file:
            json.dump(record, file)


main()
