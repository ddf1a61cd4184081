#!/usr/bin/env python3
"""Another engine that stays up and is timed whenever it is asked to: a child of attention-bench.

    peers.py ENGINE --threads N

Requests and replies are lines of JSON on standard input and output; a reply has its request's number. Unasked, reply 0 says who it is:

    {"request": 0, "engine", "version"}
    {"request", "do": "prepare", "problem": NAME, "dtype", "shape": {...}, "inputs": FILE}  ->  {"request", "call", "seconds"}
    {"request", "do": "turn", "problem": NAME, "seconds"}  ->  {"request", "seconds", "calls", "cpu_seconds"}
    {"request", "do": "finish", "problem": NAME, "output": FILE}  ->  {"request"}

Whatever fails is answered {"request", "error"}. Several problems may be prepared at a time. Whatever engines print goes to standard error.
"""

import argparse
import ctypes
import gc
import json
import os
import signal
import sys
import time

from engines import MODULES, load_engine

# How long, and how often, an engine's ways to compute a problem are tried before one is chosen. Of calls that take long two tell enough.
TRIAL_SECONDS, TRIAL_PASSES, LONG_TRIAL_PASSES = 0.05, 3, 2
# An untimed call goes before a turn, or as many as fit in this: the engines between this round and the last one have put its threads to
# sleep and emptied the caches. A call that takes long has time for both.
WARM_SECONDS, LONG_CALL_SECONDS = 0.03, 0.25


def main():
    parser = argparse.ArgumentParser(description="Times an engine on request.")
    parser.add_argument("engine", choices=MODULES)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    # Read when libraries load, so before any import of one.
    for name in ("OMP", "OPENBLAS", "MKL"):
        os.environ[f"{name}_NUM_THREADS"] = str(arguments.threads)
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(reply):
        print(json.dumps(reply, allow_nan=False), file=replies, flush=True)

    try:
        engine = load_engine(arguments.engine, arguments.threads)
    except ImportError as error:
        say({"request": 0, "error": f"not installed: {error}"})
        sys.exit(1)
    say({"request": 0, "engine": arguments.engine, "version": engine.version})
    bench = PeerBench(engine)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = bench.answer(request)
        except Exception as error:  # Whatever an engine throws is its answer; the next shape may do.
            reply = {"error": sentence(error)}
        say({"request": request["request"]} | reply)


def sentence(error: Exception) -> str:
    from problem import Unsupported

    text = " ".join(str(error).split())[:200]
    return text if isinstance(error, Unsupported) else f"{type(error).__name__}: {text}"


def end_with_parent():
    """Asks Linux to end this process when the one that started it is gone, however that ended."""
    parent, set_death_signal = os.getppid(), 1
    try:
        ctypes.CDLL(None).prctl(set_death_signal, signal.SIGKILL)
    except (OSError, AttributeError):
        return  # It still ends with its standard input.
    if os.getppid() != parent:
        sys.exit(1)


class PeerBench:
    """An engine and the problems that it was asked to prepare."""

    def __init__(self, engine):
        self.engine, self.prepared = engine, {}

    def answer(self, request: dict) -> dict:
        match request["do"]:
            case "prepare":
                return self.prepare(request)
            case "turn":
                return self.prepared[request["problem"]].turn(request["seconds"])
            case "finish":
                self.prepared.pop(request["problem"]).write_output(request["output"])
                gc.collect()
                return {}
        raise ValueError(f"cannot do {request['do']}")

    def prepare(self, request: dict) -> dict:
        from problem import Problem

        problem = Problem(request["shape"], request["dtype"], request["inputs"])
        calls, errors = [], []
        for name, set_up in self.engine.calls(problem).items():
            try:
                call = PreparedCall(name, problem, *set_up())
                call.try_out()
                calls.append(call)
            except Exception as error:  # Another way may do.
                errors.append(error)
        if not calls:
            raise errors[0]
        for error in errors:
            print(f"{request['problem']}: {sentence(error)}", file=sys.stderr)
        # In turns, so that a slow moment decides nothing; not what is out of reach.
        fastest = min(call.call_seconds for call in calls)
        calls = [call for call in calls if call.call_seconds <= 2 * fastest]
        passes = LONG_TRIAL_PASSES if fastest > LONG_CALL_SECONDS else TRIAL_PASSES
        for _ in range(passes - 1 if len(calls) > 1 else 0):
            for call in calls:
                call.try_out()
        best = min(calls, key=lambda call: call.call_seconds)
        del calls, call
        gc.collect()
        best.settle()
        self.prepared[request["problem"]] = best
        return {"call": best.name, "seconds": best.call_seconds}


class PreparedCall:
    """One way to compute one problem, and how long that takes."""

    def __init__(self, name, problem, run, heads):
        self.name, self.problem, self.run, self.heads = name, problem, run, heads
        self.call_seconds = float("inf")

    def try_out(self):
        """Keeps the shortest time of all trials."""
        first_seconds, _ = spend(self.run, 0)
        # In a call that takes long, what it sets up and its fresh pages are a small part.
        is_long = first_seconds > 2 * LONG_CALL_SECONDS
        seconds = first_seconds if is_long else spend(self.run, TRIAL_SECONDS)[0]
        self.call_seconds = min(self.call_seconds, seconds)

    def settle(self, batch_seconds=0.05, most_batches=20):
        """Calls until a twentieth of a second brings no more than 3 %: clocks, caches, threads and what engines set up late."""
        for _ in range(most_batches if self.call_seconds < LONG_CALL_SECONDS else 1):
            before = self.call_seconds
            self.call_seconds, _ = spend(self.run, batch_seconds)
            if self.call_seconds > 0.97 * before:
                break
        rest()

    def turn(self, seconds: float) -> dict:
        if self.call_seconds < LONG_CALL_SECONDS:
            spend(self.run, WARM_SECONDS)
        cpu_start = time.process_time()
        self.call_seconds, calls = spend(self.run, seconds)
        cpu_seconds = (time.process_time() - cpu_start) / calls
        rest()
        return {"seconds": self.call_seconds, "calls": calls, "cpu_seconds": cpu_seconds}

    def write_output(self, path: str):
        import numpy as np
        from tensors import widened, write_tensor

        output = np.array(widened(np.asarray(self.heads(self.run()))), order="C")
        write_tensor(path, "Y", self.problem.without_padding(output))


def spend(run, seconds: float) -> tuple[float, int]:
    """Seconds of a call, their mean, and how many: until that many seconds have passed, at least one."""
    calls, start = 0, time.perf_counter()
    while True:
        run()
        calls += 1
        elapsed = time.perf_counter() - start
        if elapsed >= seconds:
            return elapsed / calls, calls


def rest(most_seconds=0.5, step=0.005):
    """Waits until nobody comes to harm by this process.

    First until its threads have stopped waiting busily for work, for the CPU time of two steps on end: Linux may count it late. Then
    twice as long as that took: where one CPU had a thread that span, as ONNX Runtime's do for 35 ms, Linux takes it for busy for some
    time, and puts the threads of whoever comes next together on the other.
    """
    start, quiet = time.perf_counter(), 0
    last_busy = start
    while quiet < 2 and time.perf_counter() - start < most_seconds:
        before = time.process_time()
        time.sleep(step)
        if time.process_time() - before < 0.2 * step:
            quiet += 1
        else:
            quiet, last_busy = 0, time.perf_counter()
    time.sleep(2 * (last_busy - start))


if __name__ == "__main__":
    main()
