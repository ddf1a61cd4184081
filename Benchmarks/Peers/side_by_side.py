#!/usr/bin/env python3
"""attention-bench beside other engines, in interleaved rounds: a table in Markdown and the machine that it is from.

    side_by_side.py --bench .build/release/attention-bench --output table.md [--dtype f32,bf16] [--only NAME,...]

Shape by shape, each round gives everyone a turn: ours in a process of its own, the others (`peers.py`) in processes that stay up.
A turn's result is the median of its calls, a cell the median of the rounds. The file is written anew after each shape, and every
turn is a line of `table.jsonl` beside it.
"""

import argparse
import datetime
import json
import os
import platform
import re
import select
import statistics
import subprocess
import sys
import time
from pathlib import Path

from peers import BUNDLED_SHAPES
from problem import FEATURES, load_shapes

TITLES = {"pytorch": "PyTorch", "onnxruntime": "ONNX Runtime", "openvino": "OpenVINO"}
# Between turns, so that the threads of the one before have stopped spinning.
PAUSE_SECONDS = 0.05
# For setting up and checking the largest shape, and for its slowest engine: then something hangs.
REPLY_SECONDS = 180


def main():
    arguments = parse_arguments()
    shapes = load_shapes(arguments.shapes)
    names = chosen_names(arguments.only, shapes)
    ours = Ours(arguments)
    peers = [Peer(engine, arguments) for engine in arguments.engines]
    page = Page(arguments, ours, peers)
    try:
        for dtype in arguments.dtype:
            for name in names:
                row = measure(name, dtype, ours, peers, arguments)
                page.add(dtype, name, row)
                print(f"{name} {dtype}: {page.cells(row)}", file=sys.stderr, flush=True)
    finally:
        for peer in peers:
            peer.stop()


def parse_arguments():
    parser = argparse.ArgumentParser(description="attention-bench beside other engines, in interleaved rounds.")
    parser.add_argument("--bench", required=True, help="attention-bench, built")
    parser.add_argument("--output", required=True, type=Path, help="the Markdown file to write")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)), help="default: all")
    parser.add_argument("--dtype", type=names_of("f32", "bf16"), default=["f32"], help="f32, bf16 or both")
    parser.add_argument("--only", help="shapes, with commas between them; default: all that others can compute")
    parser.add_argument("--engines", type=names_of(*TITLES), default=list(TITLES), help=", ".join(TITLES))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.4, help="of a turn, at least three calls; default 0.4")
    parser.add_argument("--shapes", type=Path, default=BUNDLED_SHAPES)
    arguments = parser.parse_args()
    if not os.access(arguments.bench, os.X_OK):
        parser.error(f"--bench: {arguments.bench} cannot be run")
    if arguments.rounds < 1 or arguments.threads < 1:
        parser.error("--rounds and --threads are at least 1")
    return arguments


def names_of(*known):
    def parse(text):
        names = text.split(",")
        if unknown := set(names) - set(known):
            raise argparse.ArgumentTypeError(f"{', '.join(sorted(unknown))}: expected {', '.join(known)}")
        return names

    return parse


def chosen_names(only, shapes):
    if not only:
        return [name for name, shape in shapes.items() if not any(feature in shape for feature in FEATURES)]
    names = only.split(",")
    if unknown := [name for name in names if name not in shapes]:
        sys.exit(f"--only: no shape is called {', '.join(unknown)}; there are {', '.join(shapes)}")
    return names


# --- Turns


def measure(name, dtype, ours, peers, arguments):
    """Each contender's turns, or the error that ended them."""
    turns = {contender.name: [] for contender in (ours, *peers)}
    errors = {}
    for round_number in range(arguments.rounds):
        order = [ours, *peers]
        for contender in order if round_number % 2 == 0 else reversed(order):
            if contender.name in errors:
                continue
            time.sleep(PAUSE_SECONDS)
            try:
                turn = contender.turn(name, dtype)
            except Unmeasured as error:
                errors[contender.name] = str(error)
            else:
                turns[contender.name].append(turn)
                record = {"shape": name, "dtype": dtype, "round": round_number, "contender": contender.name}
                with arguments.output.with_suffix(".jsonl").open("a") as file:
                    print(json.dumps(record | turn), file=file)
    return {"turns": turns, "errors": errors}


class Unmeasured(Exception):
    """Why a contender has no number."""


class Ours:
    """attention-bench, one process a turn: it probes the machine's limits around each."""

    name = "ours"

    def __init__(self, arguments):
        self.command = [os.path.abspath(arguments.bench), "--kernel", "chosen", "--format", "jsonl"]
        self.command += ["--threads", str(arguments.threads), "--seconds", str(arguments.seconds)]
        if arguments.shapes != BUNDLED_SHAPES:
            self.command += ["--shapes", str(arguments.shapes)]
        # OpenBLAS shall choose its kernels for this CPU.
        self.environment = {k: v for k, v in os.environ.items() if k != "OPENBLAS_CORETYPE"}
        self.facts = {}

    def turn(self, name, dtype):
        command = [*self.command, "--only", name, "--dtype", dtype]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment)
        try:
            row = json.loads(done.stdout)
        except ValueError:
            raise Unmeasured((done.stderr.strip() or f"exit code {done.returncode}").splitlines()[-1]) from None
        if row["status"] != "ok":
            raise Unmeasured(f"{row['status']}: {row['reason']}")
        # What is left is progress: "attention-bench: 1/1 tiny f32".
        told = re.findall(r"^attention-bench: ([A-Za-z][^:\n]*): (.*)$", done.stderr, re.MULTILINE)
        self.facts = self.facts or dict(told)
        return row


class Peer:
    """Another engine in a process that stays up."""

    def __init__(self, engine, arguments):
        self.name, self.seconds, self.version = engine, arguments.seconds, "not available"
        script = Path(__file__).resolve().parent / "peers.py"
        self.command = [sys.executable, str(script), engine, "--threads", str(arguments.threads)]
        self.command += ["--shapes", str(arguments.shapes)]
        self.process = None
        try:
            self.start()
        except Unmeasured as error:
            print(f"{engine}: {error}", file=sys.stderr)

    def start(self):
        self.process = subprocess.Popen(self.command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.version = self.reply()["version"]

    def turn(self, name, dtype):
        if self.version == "not available":
            raise Unmeasured("not installed")
        if self.process is None:
            self.start()
        request = json.dumps({"shape": name, "dtype": dtype, "seconds": self.seconds})
        try:
            self.process.stdin.write(request.encode() + b"\n")
            self.process.stdin.flush()
        except BrokenPipeError:
            pass  # The reply tells.
        reply = self.reply()
        if "error" in reply:
            raise Unmeasured(reply["error"])
        return reply

    def reply(self):
        """The next line; a process that has none to give is ended, and started anew for the next shape."""
        ready, _, _ = select.select([self.process.stdout], [], [], REPLY_SECONDS)
        line = self.process.stdout.readline() if ready else b""
        if line:
            return json.loads(line)
        self.stop()
        raise Unmeasured("the process ended" if ready else f"no answer within {REPLY_SECONDS} s")

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


# --- The page


class Page:
    """The file: what was measured on, then a table for each element type."""

    def __init__(self, arguments, ours, peers):
        self.arguments, self.ours, self.peers = arguments, ours, peers
        self.tables = {}
        self.started = datetime.datetime.now().astimezone().isoformat(timespec="minutes")
        arguments.output.with_suffix(".jsonl").write_text("")

    def add(self, dtype, name, row):
        self.tables.setdefault(dtype, {})[name] = row
        self.arguments.output.write_text(self.text())

    def text(self):
        lines = ["# Attention beside other engines", "", *self.machine(), ""]
        for dtype, rows in self.tables.items():
            titles = ["shape", "ours, ms", "kernel", "of limit"]
            titles += [f"{TITLES[peer.name]}, ms" for peer in self.peers] + ["× best peer"]
            lines += [f"## {dtype}", "", as_line(titles), as_line(["---"] + ["--:"] * (len(titles) - 1))]
            lines += [as_line([name, *self.cells(row)]) for name, row in rows.items()]
            lines += self.notes(rows)
        return "\n".join(lines)

    def machine(self):
        versions = ", ".join(f"{TITLES[peer.name]} {peer.version}" for peer in self.peers)
        facts = {
            "date": self.started,
            "system": f"{system_name()}, Linux {platform.release()}, {platform.machine()}",
            **self.ours.facts,
            "swift-attention": revision(),
            "engines": f"{versions}; Python {platform.python_version()}",
            "rounds": f"{self.arguments.rounds}, interleaved; a turn lasts {self.arguments.seconds} s or three calls,"
            f" on {self.arguments.threads} threads; medians of calls, then of rounds; caches warm",
        }
        return [f"* {name}: {value}" for name, value in facts.items()]

    def cells(self, row):
        """What the table says beside the shape's name."""
        ours = row["turns"]["ours"]
        own = middle(ours)
        best = min((middle(row["turns"][peer.name]) for peer in self.peers), default=float("inf"))
        share = statistics.median(turn["share_of_limit"] for turn in ours) if ours else 0
        return [
            milliseconds(own),
            ours[-1]["plan"] if ours else "",
            f"{100 * share:.0f} % {ours[-1]['limit']}" if ours else "",
            *(milliseconds(middle(row["turns"][peer.name])) for peer in self.peers),
            f"{best / own:.2f}" if ours and best < float("inf") else "",
        ]

    def notes(self, rows):
        """Why cells are empty, once each."""
        reasons = {}
        for name, row in rows.items():
            for contender, error in row["errors"].items():
                reasons.setdefault((TITLES.get(contender, contender), error), []).append(name)
        lines = [f"* {title}, {', '.join(names)}: {error}" for (title, error), names in reasons.items()]
        return ["", *lines, ""] if lines else [""]


def middle(turns):
    """The median of the rounds; infinite where there is none."""
    return statistics.median(turn["median_ms"] for turn in turns) if turns else float("inf")


def milliseconds(value):
    """Three significant digits."""
    if value == float("inf"):
        return "–"
    return f"{value:.0f}" if value >= 100 else f"{float(f'{value:.3g}'):#.3g}"


def as_line(cells):
    return "| " + " | ".join(cells) + " |"


def system_name():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    except OSError:
        return "Linux"


def revision():
    """The commit that is checked out, marked where files differ from it."""
    command = ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() or "unknown"


if __name__ == "__main__":
    main()
