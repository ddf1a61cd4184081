#!/usr/bin/env python3
"""Another engine with a whole model, which stays up and is timed whenever it is asked to: a child of attention-bench.

    model_peers.py ENGINE --threads N

Requests and replies are lines of JSON, as those of peers.py are. Unasked, reply 0 says who it is: {"request": 0, "engine", "version"}.

    {"request", "do": "load", "model": PATH, "weights": TYPE, "cache": TYPE, "context": N}  ->  {"request", "seconds", "call"}
    {"request", "do": "prefill", "tokens": [ID…]}  ->  {"request", "seconds", "cpu_seconds", "token"}
    {"request", "do": "generate", "tokens": [ID…], "count": N}
        ->  {"request", "seconds_prefill", "seconds_each": [N - 1 of them], "cpu_seconds", "tokens": [N IDs]}
    {"request", "do": "embed", "texts": [TEXT…], "output": FILE}  ->  {"request", "seconds", "cpu_seconds", "rows", "width"}
    {"request", "do": "memory"}  ->  {"request", "peak_bytes", "resident_bytes"}

load takes the place of what was loaded before. `weights` is f32, bf16, f16 or q8_0, or `file` (which is taken without one) for what a file
stores; engines that compute with a file's types take MODEL-q8_0.gguf beside MODEL.gguf, say, which requantize.py writes. `cache` is the
type of stored keys and values, the engine's own choice without one; `context` is how many tokens it may be given and generate at a time,
8,192 without one. `call` says in a word how it computes.

prefill and generate start with an empty cache each time: no engine keeps a prompt's keys. The most probable token is taken every
time, whether it ends a text or not. seconds_prefill is the time until the first one is known, seconds_each that of each further one.
embed's texts can be a file's, a JSON array: `"file": FILE` in place of `texts`, where they are too many for a line. With `output`
the rows go there as safetensors, `Y`. A model's first call sets up what later ones find: whoever measures asks once before.

Whatever fails is answered {"request", "error"}, a line that is no JSON with request 0. Whatever engines print goes to standard error.
"""

import argparse
import gc
import json
import os
import sys
import time
from pathlib import Path

from model_engines import MODULES, load_engine
from peers import end_with_parent, rest, sentence

MOST_CONTEXT = 8192


def main():
    parser = argparse.ArgumentParser(description="Times an engine's models on request.")
    parser.add_argument("engine", choices=MODULES)
    parser.add_argument("--threads", type=int, required=True)
    arguments = parser.parse_args()
    end_with_parent()
    # Read when libraries load, so before any import of one.
    for name in ("OMP", "OPENBLAS", "MKL", "RAYON"):
        os.environ[f"{name}_NUM_THREADS"] = str(arguments.threads)
    # Models are files here: nothing is looked up.
    os.environ["HF_HUB_OFFLINE"] = "1"
    replies = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())

    def say(answer):
        print(json.dumps(answer, allow_nan=False), file=replies, flush=True)

    try:
        engine = load_engine(arguments.engine, arguments.threads)
    except ImportError as error:
        say({"request": 0, "error": f"not installed: {error}"})
        sys.exit(1)
    say({"request": 0, "engine": arguments.engine, "version": engine.version})
    bench = ModelBench(engine)
    for line in sys.stdin:
        say(reply(bench, line))


def reply(bench, line: str) -> dict:
    """The answer to a line, whatever it is."""
    number = 0
    try:
        request = json.loads(line)
        number = request["request"]
        return {"request": number} | bench.answer(request)
    except Exception as error:  # Whatever an engine throws is its answer; the next request may do.
        return {"request": number, "error": sentence(error)}


class ModelBench:
    """An engine and the model that it was asked to load."""

    def __init__(self, engine):
        self.engine, self.context, self.is_loaded = engine, 0, False

    def answer(self, request: dict) -> dict:
        match request["do"]:
            case "load":
                return self.load(request)
            case "prefill":
                (tokens, seconds), _, cpu_seconds = timed(lambda: self.generate(request["tokens"], 1))
                return {"seconds": seconds[0], "cpu_seconds": cpu_seconds, "token": tokens[0]}
            case "generate":
                (tokens, seconds), _, cpu_seconds = timed(lambda: self.generate(request["tokens"], request["count"]))
                each = {"seconds_prefill": seconds[0], "seconds_each": seconds[1:]}
                return each | {"cpu_seconds": cpu_seconds, "tokens": tokens}
            case "embed":
                return self.embed(request)
            case "memory":
                return {"peak_bytes": status_bytes("VmHWM"), "resident_bytes": status_bytes("VmRSS")}
        raise ValueError(f"cannot do {request['do']}")

    def load(self, request: dict) -> dict:
        context = request.get("context", MOST_CONTEXT)
        if not isinstance(context, int) or context < 2:
            raise ValueError(f"context is {context}, expected at least 2")
        self.is_loaded = False
        self.engine.unload()
        gc.collect()
        weights = request.get("weights", "file")
        path = Path(request["model"])
        call, seconds, _ = timed(lambda: self.engine.load(path, weights, request.get("cache"), context))
        self.context, self.is_loaded = context, True
        return {"seconds": seconds, "call": call}

    def generate(self, prompt: list[int], count: int) -> tuple[list[int], list[float]]:
        """The tokens that follow a prompt, and the seconds that each took."""
        self.check("generate")
        if not isinstance(count, int) or count < 1:
            raise ValueError(f"count is {count}, expected at least 1")
        if not prompt or len(prompt) + count > self.context:
            raise ValueError(f"{len(prompt)} tokens and {count} more, expected some and at most {self.context}")
        if not all(isinstance(token, int) and 0 <= token < self.engine.vocabulary for token in prompt):
            raise ValueError(f"tokens have to be 0 to {self.engine.vocabulary - 1}")
        tokens, seconds = self.engine.generate(prompt, count)
        if len(tokens) != count or len(seconds) != count:
            raise RuntimeError(f"it generated {len(tokens)} tokens and timed {len(seconds)}, expected {count}")
        return tokens, seconds

    def embed(self, request: dict) -> dict:
        self.check("embed")
        texts = request["texts"] if "texts" in request else json.loads(Path(request["file"]).read_text())
        if not isinstance(texts, list) or not texts or not all(isinstance(text, str) for text in texts):
            raise ValueError("texts have to be an array of at least one text")
        rows, seconds, cpu_seconds = timed(lambda: self.engine.embed(texts))
        if "output" in request:
            from tensors import write_tensor

            write_tensor(request["output"], "Y", rows)
        return {"seconds": seconds, "cpu_seconds": cpu_seconds, "rows": rows.shape[0], "width": rows.shape[1]}

    def check(self, ability: str):
        from problem import Unsupported

        if not hasattr(self.engine, ability):
            raise Unsupported(f"cannot {ability}")
        if not self.is_loaded:
            raise ValueError("nothing is loaded")


def timed(run) -> tuple:
    """What it returns, the seconds that it took, and those of all CPUs together. The process is at rest again then."""
    cpu_start, start = time.process_time(), time.perf_counter()
    result = run()
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - cpu_start
    rest()
    return result, seconds, cpu_seconds


def status_bytes(field: str) -> int:
    """Memory of this process as Linux counts it. Unlike getrusage, this knows nothing of the program that started it."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) << 10
    raise OSError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    main()
