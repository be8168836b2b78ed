"""Kernel Tuner's strategies on recorded spaces, in its simulation mode: the same measure as `backplane tune replay`.

    python -m pip install kernel-tuner
    python Tests/Peers/kernel_tuner_replay.py FILE.jsonl … [--seeds 30] [--strategies genetic_algorithm,greedy_ils,...]

Each recording becomes a Kernel Tuner cache; a parameter that a variant lacks stands at its first value. Prints the share of the optimum, median [worst] of the
seeds, after 8, 16, 32, 64 and 128 evaluations.
"""
import argparse, contextlib, io, json, os, random, statistics, tempfile
import numpy

BUDGETS = [8, 16, 32, 64, 128]


def load(path):
    with open(path) as file:
        header = json.loads(file.readline())
        rows = [json.loads(line) for line in file]
    names = ["variant"] + sorted({p["name"] for v in header["variants"] for p in v["parameters"] if len(p["values"]) > 1})
    values = {name: set() for name in names}
    points = {}
    for v, free, times in rows:
        variant = header["variants"][v]
        chosen = dict(zip([p["name"] for p in variant["parameters"] if len(p["values"]) > 1], free))
        points[(v, tuple(sorted(chosen.items())))] = statistics.median(times) if times else None
        values["variant"].add(v)
        for name, value in chosen.items():
            values[name].add(value)
    order = {name: sorted(values[name]) for name in names}
    table = {}
    for (v, chosen), time in points.items():
        chosen = dict(chosen)
        key = (v,) + tuple(chosen.get(name, order[name][0]) for name in names[1:])
        table[key] = time
    return header, names, order, table


def write_cache(path, header, names, order, table):
    cache = {}
    for key, time in table.items():
        entry = dict(zip(names, key))
        milliseconds = time / 1000 if time else "RuntimeFailedConfig"
        entry.update(time=milliseconds, times=[milliseconds] if time else [], compile_time=1, verification_time=0, benchmark_time=1, strategy_time=0,
                     framework_time=0, timestamp="2026-01-01T00:00:00+00:00")
        cache[",".join(str(k) for k in key)] = entry
    with open(path, "w") as file:
        json.dump({"device_name": header["device"], "kernel_name": "recorded", "problem_size": [1], "tune_params_keys": names, "tune_params": order,
                   "objective": "time", "cache": cache}, file)


def evaluations(kernel_tuner, path, names, order, table, strategy, seed):
    """Milliseconds in the order in which the strategy asked for new configurations."""
    random.seed(seed)
    numpy.random.seed(seed)
    legal = set(table)

    def is_recorded(point):
        return tuple(point[name] for name in names) in legal

    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        results, _ = kernel_tuner.tune_kernel(
            "recorded", "__global__ void recorded() {}", 1, [], {name: order[name] for name in names}, simulation_mode=True, cache=path, strategy=strategy,
            restrictions=is_recorded, strategy_options={"max_fevals": max(BUDGETS)}, lang="CUDA", verbose=False)
    seen, times = set(), []
    for result in results:
        key = tuple(result[n] for n in names)
        if key in seen:
            continue
        seen.add(key)
        times.append(table.get(key))
    return times


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--strategies", default="random_sample,greedy_ils,genetic_algorithm,simulated_annealing,diff_evo,bayes_opt")
    options = parser.parse_args()
    import kernel_tuner
    for path in options.files:
        header, names, order, table = load(path)
        optimum = min(t for t in table.values() if t)
        print(f"{header['case']} on {header['device']}: {len(table)} configurations")
        with tempfile.TemporaryDirectory() as folder:
            cache = os.path.join(folder, "cache.json")
            write_cache(cache, header, names, order, table)
            for strategy in options.strategies.split(","):
                shares = {budget: [] for budget in BUDGETS}
                try:
                    for seed in range(options.seeds):
                        times = evaluations(kernel_tuner, cache, names, order, table, strategy, seed)
                        for budget in BUDGETS:
                            found = [t for t in times[:budget] if t]
                            shares[budget].append(100 * optimum / min(found) if found else 0)
                except Exception as error:  # a strategy that cannot do such a space
                    print(f"  {strategy:24} {type(error).__name__}: {str(error)[:90]}")
                    continue
                print(f"  {strategy:24}" + "".join(f"{statistics.median(shares[b]):8.1f} [{min(shares[b]):.0f}]" for b in BUDGETS))


if __name__ == "__main__":
    main()
