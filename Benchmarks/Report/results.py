"""What a file of results says, as the report needs it. `attention-bench report` has checked the file before."""

import json
import math
import statistics
import unicodedata
from dataclasses import dataclass, field

# In the order of columns. Whose a row is, its file says: a kernel that is new is ours.
OURS = ["chosen", "gemm", "fused", "decode", "rotary"]
PEERS = ["pytorch", "onnxruntime", "openvino", "numpy", "vllm", "zentorch", "flex"]
TITLES = {
    "chosen": "swift-attention",
    "gemm": "gemm, forced",
    "fused": "fused, forced",
    "decode": "decode, forced",
    "rotary": "swift-attention, rotary",
    "naive": "naive",
    "pytorch": "PyTorch",
    "onnxruntime": "ONNX Runtime",
    "openvino": "OpenVINO",
    "numpy": "NumPy",
    "vllm": "vLLM",
    "zentorch": "zentorch",
    "flex": "FlexAttention",
}
SECONDS = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}


class ResultError(Exception):
    """Why a file cannot be shown, in one line."""


@dataclass
class Row:
    """One engine on one shape."""

    name: str
    shape: str
    dtype: str
    engine: str
    # Known of files that name engines, as google-benchmark's own do not.
    is_ours: bool = False
    rounds_ms: list = field(default_factory=list)
    problem: str = ""
    counters: dict = field(default_factory=dict)

    @property
    def median_ms(self):
        return statistics.median(self.rounds_ms) if self.rounds_ms else None

    def times_of(self, other):
        """The other's time over this one's, from the rounds that both took part in: they met the same moments of the machine."""
        count = min(len(self.rounds_ms), len(other.rounds_ms))
        if not count:
            return None
        return statistics.median(other.rounds_ms[:count]) / statistics.median(self.rounds_ms[:count])

    @property
    def title(self):
        return TITLES.get(self.engine, self.engine)

    def number(self, name):
        """A counter that is a number above 0; None where it is not."""
        return positive(self.counters.get(name))

    @property
    def gflops(self):
        flops = self.number("useful_flops")
        return flops / self.median_ms / 1e6 if flops and self.rounds_ms else None

    @property
    def intensity(self):
        flops, moved = self.number("useful_flops"), self.number("kv_bytes")
        return flops / moved if flops and moved else None


@dataclass
class Results:
    """A file."""

    context: dict
    rows: list

    @property
    def dtypes(self):
        return list(dict.fromkeys(row.dtype for row in self.rows))

    def of(self, dtype):
        return [row for row in self.rows if row.dtype == dtype]

    def fact(self, name, kind):
        """What the context says, where it has the right type."""
        value = self.context.get(name)
        return value if isinstance(value, kind) and not isinstance(value, bool) else None

    def rate(self, group, name):
        return positive((self.fact(group, dict) or {}).get(name))


def positive(value):
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return value if is_number and math.isfinite(value) and value > 0 else None


def load(path):
    """The results of a file of `attention-bench --format json`, or of google-benchmark's own."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
        return parse(document)
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise ResultError(f"{path}: not valid JSON") from None
    except (ResultError, TypeError, KeyError, AttributeError) as error:
        raise ResultError(f"{path}: not a file of results ({type(error).__name__})") from None


def plain(value):
    """The same with spaces for what no XML can have, or what steers a terminal, in all its text."""
    if isinstance(value, str):
        return "".join(
            " " if unicodedata.category(letter) in ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp") else letter
            for letter in value[:1000]
        )
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    return value


def parse(document):
    document = plain(document)
    rows = {}
    entries = document["benchmarks"]
    engines = document["context"].get("engines") or {}
    rounds = [entry for entry in entries if entry.get("run_type", "iteration") == "iteration"]
    for entry in sorted(rounds, key=lambda entry: entry.get("repetition_index", 0)):
        milliseconds = entry.get("real_time", 0) * SECONDS[entry.get("time_unit", "ns")] * 1e3
        row = rows.setdefault(entry["name"], row_of(entry, engines))
        if entry.get("error_occurred"):
            row.problem = f"failed: {entry.get('error_message', '')}"
        elif entry.get("skipped"):
            row.problem = f"skipped: {entry.get('skip_message', '')}"
        elif milliseconds > 0 and math.isfinite(milliseconds):
            row.rounds_ms.append(milliseconds)
    for entry in entries:
        if entry.get("run_type") == "aggregate" and entry.get("aggregate_name") == "median":
            if row := rows.get(entry.get("run_name")):
                row.counters = entry
    # Sorting by round is stable, so names stand in the order of their first rounds: the file's.
    results = Results(document["context"], [row for row in rows.values() if row.rounds_ms or row.problem])
    for row in results.rows:
        if row.problem:
            row.rounds_ms = []
    if not results.rows or not isinstance(results.context, dict):
        raise ResultError("no rows")
    return results


def row_of(entry, others):
    parts = str(entry["name"]).split("/")
    engine = str(entry.get("engine", "/".join(parts[1:]) or parts[0]))
    return Row(
        name=str(entry["name"]),
        shape=str(entry.get("shape", parts[0])),
        dtype=str(entry.get("dtype", "")),
        engine=engine,
        is_ours="engine" in entry and engine != "naive" and engine not in others,
    )


def quantile(values, fraction):
    """Interpolated linearly, NumPy's default."""
    ordered = sorted(values)
    position = fraction * (len(ordered) - 1)
    below = int(position)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (position - below)


def short(value):
    """Three significant digits, without an exponent where people read them."""
    if value is None:
        return ""
    if value == 0 or not 1e-4 <= abs(value) < 1e5:
        return f"{value:.2g}"
    return f"{value:.{max(2 - math.floor(math.log10(abs(value))), 0)}f}"
