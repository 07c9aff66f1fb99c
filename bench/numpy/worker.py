"""The numpy side of `npm run bench`: lines of JSON on the input, one answer for each on the output (bench/child.ts)."""

import json
import os
import platform
import sys
import time

for library in ("OPENBLAS", "OMP", "MKL", "NUMEXPR", "VECLIB_MAXIMUM", "BLIS"):
    os.environ[f"{library}_NUM_THREADS"] = "1"  # before numpy is loaded

import numpy as np  # noqa: E402

from rules import RULES  # noqa: E402

UNIT = np.float32(2.0**-16)


def status(field):
    with open("/proc/self/status") as lines:
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))


def mark_memory():
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
        before = status("VmRSS:")
    except OSError:
        return lambda: {"extraBytes": None, "peakBytes": None}
    return lambda: {"extraBytes": max(0, status("VmHWM:") - before), "peakBytes": status("VmHWM:")}


def load(task):
    """Rows [n, d] of float32 from a file of padded int16 rows, row by row: no second copy."""
    n, d, stride = task["n"], task["dimension"], task["rowBytes"] // 2
    U = np.empty((n, d), dtype=np.float32)
    with open(task["file"], "rb") as file:
        for i in range(n):
            U[i] = np.fromfile(file, dtype="<i2", count=stride)[:d] * UNIT
    return U


def main():
    U = None
    for line in sys.stdin:
        task = json.loads(line)
        if task["do"] == "version":
            answer = {"numpy": np.__version__, "python": platform.python_version()}
        elif task["do"] == "load":
            U = load(task)
            answer = {}
        else:
            rule = RULES[task["what"]]
            memory = mark_memory()
            started = time.perf_counter()
            aggregate = rule(U, task["byzantine"], task.get("options", {}))
            answer = {"seconds": time.perf_counter() - started, **memory()}
            if "sample" in task:
                answer["result"] = aggregate.ravel()[: task["sample"]].tolist()
        print(json.dumps(answer), flush=True)


main()
