#!/usr/bin/env python3
"""Another engine that stays up and times a shape whenever it is asked to.

    peers.py pytorch|onnxruntime|openvino --threads N [--shapes FILE]

First it says who it is: {"engine", "version", "dtypes"}. Then it answers each line {"shape", "dtype", "seconds"} of standard input with
one line: {"median_ms", "p20_ms", "p80_ms", "runs", "relative_error"}, or {"error"}. The last shape stays prepared, so that rounds
cost no more than their seconds. Whatever engines print goes to standard error.
"""

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path

BUNDLED_SHAPES = Path(__file__).resolve().parent.parent / "AttentionBench" / "Resources" / "shapes.json"


def main():
    parser = argparse.ArgumentParser(description="Times an engine on request.")
    parser.add_argument("engine", choices=["pytorch", "onnxruntime", "openvino"])
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--shapes", default=BUNDLED_SHAPES)
    arguments = parser.parse_args()
    # Read when libraries load, so before any import of one.
    os.environ["OMP_NUM_THREADS"] = str(arguments.threads)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    from engines import ENGINES
    from problem import Unsupported, load_shapes

    engine = ENGINES[arguments.engine](arguments.threads)
    bench = PeerBench(engine, load_shapes(arguments.shapes))
    say(replies, {"engine": engine.name, "version": engine.version, "dtypes": engine.dtypes})
    for line in sys.stdin:
        try:
            say(replies, bench.answer(json.loads(line)))
        except Unsupported as error:
            say(replies, {"error": str(error)})
        except Exception as error:  # Whatever an engine throws is its answer; the next shape may do.
            say(replies, {"error": f"{type(error).__name__}: {error}".splitlines()[0][:200]})


def say(replies, message):
    print(json.dumps(message), file=replies, flush=True)


class PeerBench:
    """An engine and the problem that it was last asked for."""

    def __init__(self, engine, shapes):
        self.engine, self.shapes = engine, shapes
        self.prepared, self.run, self.error = None, None, None

    def answer(self, request):
        wanted = (request["shape"], request["dtype"])
        if wanted != self.prepared:
            self.prepare(*wanted)
        else:
            # The engines between this round and the last one have put its threads to sleep and emptied the caches.
            spend(self.run, 0.02)
        samples = sorted(spend(self.run, request["seconds"], least=3))
        at = lambda share: round(1e3 * samples[round(share * (len(samples) - 1))], 6)
        return {
            "median_ms": at(0.5),
            "p20_ms": at(0.2),
            "p80_ms": at(0.8),
            "runs": len(samples),
            "relative_error": self.error,
        }

    def prepare(self, name, dtype):
        from problem import FEATURES, TOLERANCE, Problem, Unsupported

        self.prepared, self.run = None, None
        gc.collect()
        shape = self.shapes[name]
        if feature := next((f for f in FEATURES if f in shape), None):
            raise Unsupported(f"{feature} is not compared")
        if dtype not in self.engine.dtypes:
            raise Unsupported(f"computes no {dtype} on CPUs")
        problem = Problem(shape)
        run, heads = self.engine.prepare(problem, dtype)
        self.error = problem.relative_error(heads(run()))
        if not self.error <= TOLERANCE[dtype]:
            raise ArithmeticError(f"wrong by {self.error:.1e} of the largest output")
        settle(run)
        self.run, self.prepared = run, (name, dtype)


def settle(run, batch_seconds=0.1, most_batches=20):
    """Calls until a tenth of a second brings no more than 3 %: clocks, caches, threads and what engines set up late."""
    before = float("inf")
    for _ in range(most_batches):
        samples = spend(run, batch_seconds)
        mean = sum(samples) / len(samples)
        if mean > 0.97 * before:
            return
        before = mean


def spend(run, seconds, least=1):
    """Seconds of each call, until that many have passed."""
    samples, start = [], time.perf_counter()
    end = start
    while end - start < seconds or len(samples) < least:
        begin = time.perf_counter()
        run()
        end = time.perf_counter()
        samples.append(end - begin)
    return samples


if __name__ == "__main__":
    main()
