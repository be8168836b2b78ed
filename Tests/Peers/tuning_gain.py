"""What tuning gains on a device, by operator, and whether shapes that it never saw are slower for it.

    python Tests/Peers/tuning_gain.py --tool .build/release/backplane --device opencl:0 [--seconds 40] [--seeds 0] [--numerics standard]

Each problem is tuned from nothing in a store of its own making; then a shape of the same bucket that was not tuned runs with what the store says and with the
device's default, in turns in one process. Prints a Markdown table: the gains with the interval that holds 95 % (order statistics of paired ratios).
--seeds 0,1,2 tunes the first of the problems again from nothing with each of the seeds, and counts the winners. --model MODEL.gguf tunes a model instead
(--seconds for all of it) and runs it tuned and untuned in turns.
"""
import argparse, json, os, statistics, subprocess, sys, tempfile

# (tuned, held back: in the same bucket)
PROBLEMS = [
    ("attention/q=f32.32x8x64/k=f16.512x2x64/v=f16.512x2x64", "attention/q=f32.29x8x64/k=f16.411x2x64/v=f16.411x2x64"),
    ("matmul/a=f32.64x512/b=f32.512x512", "matmul/a=f32.53x512/b=f32.512x512"),
    ("matmul/a=f32.64x768/b=q4_K.1024x768", "matmul/a=f32.61x768/b=q4_K.1024x768"),
    ("matmul/a=f32.6x768/b=q4_K.1024x768", "matmul/a=f32.7x768/b=q4_K.1024x768"),
    ("matmul/a=f32.1x768/b=q8_0.2048x768", None),
    ("matmul_gated/a=f32.16x768/gate=q4_K.1024x768/up=q4_K.1024x768", "matmul_gated/a=f32.13x768/gate=q4_K.1024x768/up=q4_K.1024x768"),
    ("softmax/x=f32.64x1024", "softmax/x=f32.53x1024"),
    ("rms_norm/x=f32.64x768/weight=f32.768", "rms_norm/x=f32.57x768/weight=f32.768"),
    ("transpose/x=f32.512x768/permutation=1,0", "transpose/x=f32.431x768/permutation=1,0"),
]


def said(tool, data, *words):
    """What the tool writes with the store in `data`; its errors go to ours."""
    done = subprocess.run([tool, *words], env=dict(os.environ, XDG_DATA_HOME=data), capture_output=True, text=True)
    if done.returncode:
        sys.stderr.write(f"{' '.join(words)}: exit {done.returncode}: {done.stderr.strip()[:400]}\n")
    return done.stdout


def run(tool, data, *words):
    """The last line's JSON object; None where there is none."""
    try:
        return json.loads(said(tool, data, *words, "--json").strip().splitlines()[-1])
    except (IndexError, json.JSONDecodeError):
        return None


def gain(ratio, low, high):
    """A ratio of times, winner to default, as how many times faster with its interval."""
    return f"{1 / ratio:.2f} ({1 / high:.2f} … {1 / low:.2f})"


class Device:
    def __init__(self, arguments):
        self.tool, self.arguments = arguments.tool, arguments
        self.options = ["--device", arguments.device, "--numerics", arguments.numerics]
        for setting in arguments.set:
            self.options += ["--set", setting]

    def tune(self, data, case, seed=0):
        answer = run(self.tool, data, "tune", *self.options, "--case", case, "--budget", f"{self.arguments.seconds}s", "--effort", self.arguments.effort, "--seed", str(seed))
        return answer["tuned"][0] if answer and answer["tuned"] else None

    def held_back(self, data, case):
        """What the store's choice gains for `case` beside the device's default; "default" where they are the same."""
        lines = [line.split() for line in said(self.tool, data, "tune", "explain", case, *self.options).splitlines()]
        places = {line[0]: line[1] for line in reversed(lines) if len(line) > 1}
        default, tuned = places.get("default"), places.get("used")
        if default is None:
            return "failed"
        if ":" not in (tuned or "") or default == tuned:
            return "default"
        operator = case.split("/")[0]
        both = run(self.tool, data, "bench", *self.options, "--case", case, "--tuning", "off", "--repeats", str(self.arguments.repeats),
                   "--variant", f"{operator}={default}", "--variant", f"{operator}={tuned}")
        if not both:
            return "failed"
        row = both["results"][1]
        return gain(row["ratio"], row["ratio_low"], row["ratio_high"])


def model(device, arguments):
    """Prompt and decode of a model, tuned to untuned, in `repeats` pairs."""
    with tempfile.TemporaryDirectory() as data:
        answer = run(arguments.tool, data, "tune", *device.options, "--model", arguments.model, "--budget", f"{arguments.seconds}s", "--effort", arguments.effort)
        tuned = answer["tuned"] if answer else []
        print(f"{len(tuned)} problems tuned in {sum(t['seconds'] for t in tuned):.0f} s, {sum(not t['is_default'] for t in tuned)} got another choice", flush=True)
        rates = {(mode, what): [] for mode in ("off", "on") for what in ("prompt", "decode")}
        for _ in range(arguments.repeats):
            for mode in ("off", "on"):
                got = run(arguments.tool, data, "bench", arguments.model, *device.options, "--prompt-tokens", str(arguments.prompt), "--decode-tokens", str(arguments.decode),
                          "--repeats", "1", "--tuning", mode)
                for what in ("prompt", "decode"):
                    rates[mode, what].append(got[what + "_tokens_per_second"]["median"])
        for what in ("prompt", "decode"):
            ratios = sorted(on / off for off, on in zip(rates["off", what], rates["on", what]))
            print(f"{what}: {statistics.median(rates['off', what]):.1f} tokens/s untuned; tuned to untuned {statistics.median(ratios):.2f} ({ratios[0]:.2f} … {ratios[-1]:.2f})", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", required=True)
    parser.add_argument("--device", required=True)
    parser.add_argument("--seconds", type=int, default=40, help="of each problem")
    parser.add_argument("--effort", default="normal")
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--numerics", default="standard")
    parser.add_argument("--seeds", default="")
    parser.add_argument("--set", action="append", default=[])
    parser.add_argument("--op", default="", help="only these operators, with commas")
    parser.add_argument("--model", help="tune and run this model instead")
    parser.add_argument("--prompt", type=int, default=64, help="tokens of the model's prompt")
    parser.add_argument("--decode", type=int, default=8, help="tokens decoded")
    arguments = parser.parse_args()
    device = Device(arguments)
    if arguments.model:
        return model(device, arguments)
    wanted = set(filter(None, arguments.op.split(",")))
    problems = [p for p in PROBLEMS if not wanted or p[0].split("/")[0] in wanted]
    print("| problem | default, µs | trials | gain | winner | held-back shape |\n|---|---|---|---|---|---|", flush=True)
    for tuned, held in problems:
        with tempfile.TemporaryDirectory() as data:
            best = device.tune(data, tuned)
            if best is None:
                print(f"| `{tuned}` | – | – | failed | – | – |", flush=True)
                continue
            won = "the default" if best["is_default"] else gain(best["ratio"], best["ratio_low"], best["ratio_high"])
            beside = "–" if held is None else device.held_back(data, held)
            print(f"| `{tuned}` | {best['default_us']:.0f} | {best['trials']} | {won} | `{best['winner']}` | {beside} |", flush=True)
    seeds = [int(s) for s in filter(None, arguments.seeds.split(","))]
    winners = []
    for seed in seeds:
        with tempfile.TemporaryDirectory() as data:
            best = device.tune(data, problems[0][0], seed)
            if best:
                winners.append((best["winner"], 1 / best["ratio"], best["us"]))
    if winners:
        gains, times = sorted(w[1] for w in winners), sorted(w[2] for w in winners)
        most = max((sum(w[0] == name for w in winners), name) for name in {w[0] for w in winners})
        print(f"\n{len(winners)} tunings of `{problems[0][0]}` from nothing: gains {gains[0]:.2f} … {gains[-1]:.2f}, median {statistics.median(gains):.2f}; winners take "
              f"{times[0]:.0f} … {times[-1]:.0f} µs; {len({w[0] for w in winners})} configurations, `{most[1]}` {most[0]} times")


if __name__ == "__main__":
    main()
