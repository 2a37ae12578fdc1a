#!/usr/bin/env python3
"""What `grosr record` costs a PyTorch program that the host keeps busy, beside torch.profiler.

    tests/bench/recorder.py [GROSR [ROUNDS]]          # default: build/release/grosr, 7

Each round runs the same process alone, under torch.profiler and under `grosr record --trace cuda`, one after the other, so
that drift affects all alike; the order rotates. A process measures the loops of pytorch_loop.py. Standard output is JSON:
for each loop and mode the median, lowest and highest rate, and the median of the ratios to the run alone in the same round;
for recorded runs the size of the trace for each kernel in it, too. Each run has a line on standard error, and a table ends
it. SIGTERM or SIGINT ends it after the rounds that are whole.
"""
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
GROSR = sys.argv[1] if len(sys.argv) > 1 else os.path.join(HERE, "../../build/release/grosr")
ROUNDS = int(sys.argv[2]) if len(sys.argv) > 2 else 7
LOOP = [sys.executable, os.path.join(HERE, "pytorch_loop.py")]
MODES = ["alone", "torch.profiler", "torch.profiler, CUDA only", "grosr record, whole graphs", "grosr record",
         "grosr record, all calls"]


def command(mode, trace):
    if mode.startswith("torch"):
        return LOOP + ["cuda" if mode.endswith("only") else "all"]
    if mode.startswith("grosr"):
        graphs = "graph" if mode.endswith("graphs") else "node"
        return [GROSR, "record", "--trace", "cuda=all" if mode.endswith("calls") else "cuda", "--cuda-graph-trace", graphs, "-o",
                trace, "--"] + LOOP
    return LOOP


def query(trace, sql):
    out = subprocess.run([GROSR, "query", trace, sql, "--json"], stdout=subprocess.PIPE, check=True).stdout
    return json.loads(out)[0]


def run(mode, folder):
    trace = os.path.join(folder, "t.db")
    done = subprocess.run(command(mode, trace), stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    if done.returncode:
        sys.exit(f"{mode}: exit code {done.returncode}\n{done.stderr.decode()[-2000:]}")
    result = {"rates": json.loads(done.stdout)}
    if os.path.exists(trace):
        result.update(query(trace, "SELECT (SELECT count(*) FROM kernels) AS kernels, (SELECT count(*) FROM api_calls) AS calls, "
                                   "(SELECT sum(dropped) FROM GROSR_STREAM) AS dropped"))
        result["bytes_per_kernel"] = os.path.getsize(trace) / max(result["kernels"], 1)
        os.unlink(trace)
    return result


def spread(values):
    return {"median": statistics.median(values), "lowest": min(values), "highest": max(values)}


class Stopped(Exception):
    """A signal asks for an end."""


def stop(signum, _frame):
    raise Stopped(signal.Signals(signum).name)


def one_round(first, folder):
    done = {}
    for mode in MODES[first:] + MODES[:first]:
        done[mode] = run(mode, folder)
        print(mode, *(f"{loop} {rate:.1f}/s" for loop, rate in done[mode]["rates"].items()), file=sys.stderr, flush=True)
    return done


signal.signal(signal.SIGTERM, stop)
signal.signal(signal.SIGINT, stop)
runs = {mode: [] for mode in MODES}
rounds = 0
with tempfile.TemporaryDirectory() as folder:
    try:
        run("alone", folder)  # the first one loads everything from the disk
        while rounds < ROUNDS:
            for mode, result in one_round(rounds % len(MODES), folder).items():
                runs[mode].append(result)
            rounds += 1
    except Stopped as signal_name:
        if not rounds:
            sys.exit(f"{signal_name} before one round was whole: nothing to report")
report = {"rounds": rounds, "loops": {}, "traces": {}}
for loop in runs["alone"][0]["rates"]:
    report["loops"][loop] = {}
    for mode in MODES:
        rates = [r["rates"][loop] for r in runs[mode]]
        ratios = [r["rates"][loop] / alone["rates"][loop] for r, alone in zip(runs[mode], runs["alone"])]
        added = [(1 / r["rates"][loop] - 1 / alone["rates"][loop]) * 1e6 for r, alone in zip(runs[mode], runs["alone"])]
        report["loops"][loop][mode] = {"per_s": spread(rates), "of_alone": spread(ratios), "added_us": spread(added)}
for mode in MODES[-2:]:
    report["traces"][mode] = {key: spread([r[key] for r in runs[mode]])
                              for key in ("kernels", "calls", "dropped", "bytes_per_kernel")}
json.dump(report, sys.stdout, indent=1)
print()
for loop, modes in report["loops"].items():
    print(f"{loop:<10} {'median/s':>12} {'lowest':>12} {'highest':>12} {'of alone':>9} {'added us':>9}", file=sys.stderr)
    for mode, m in modes.items():
        print(f"  {mode:<26} {m['per_s']['median']:>10.1f} {m['per_s']['lowest']:>10.1f} {m['per_s']['highest']:>10.1f} "
              f"{m['of_alone']['median']:>8.3f} {m['added_us']['median']:>9.2f}", file=sys.stderr)
for mode, t in report["traces"].items():
    print(f"{mode}: {t['bytes_per_kernel']['median']:.0f} bytes a kernel, {t['calls']['median'] / t['kernels']['median']:.2f} "
          f"calls a kernel, {t['dropped']['highest']} records dropped", file=sys.stderr)
