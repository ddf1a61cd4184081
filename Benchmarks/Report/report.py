"""Writes a page of results: `attention-bench report RESULTS.json -o report.html` runs this.

The page is one file that loads nothing. Names in results are anybody's: the template escapes all text, and charts are checked to be
drawing and nothing else before they become part of the page.
"""

import argparse
import os
import signal
import sys
import tempfile
from pathlib import Path

import jinja2
import markupsafe
import vl_convert

import distribution
import drawing
import roofline
import throughput
from results import OURS, PEERS, TITLES, ResultError, load, short


def main(arguments=None):
    # What is written is removed where the page is not wanted any more.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    parser = argparse.ArgumentParser(description="Write a page of results.")
    parser.add_argument("results", nargs="+", help="files of attention-bench --format json")
    parser.add_argument("-o", "--output", required=True, help="the page")
    parser.add_argument("--charts", help="a folder for the charts as files of their own")
    options = parser.parse_args(arguments)
    try:
        files = [load(path) for path in options.results]
        pages = [section(results, f"f{index}") for index, results in enumerate(files)]
        write(Path(options.output), page(pages))
        if options.charts:
            write_charts(Path(options.charts), pages)
    except ResultError as error:
        sys.exit(f"Error: {error}")


def write(path, data):
    """Beside, then renamed: a reader never sees half a file."""
    data = data.encode() if isinstance(data, str) else data
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
            os.chmod(beside, 0o644)
            os.replace(beside, path)
        except BaseException:
            os.unlink(beside)
            raise
    except OSError as error:
        raise ResultError(f"{path}: {error.strerror}") from None


def page(pages):
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    variables = {
        theme: markupsafe.Markup(" ".join(f"--{name}: {value};" for name, value in colors.items()))
        for theme, colors in drawing.THEMES.items()
    }
    machines = ", ".join(dict.fromkeys(entry["machine"] for entry in pages))
    return environment.get_template("page.html.j2").render(files=pages, variables=variables, machines=machines)


def write_charts(folder, pages):
    """Each chart in both themes, as SVG and for readers that show none as PNG."""
    for entry in pages:
        prefix = "" if len(pages) == 1 else f"{entry['key']}-"
        for chart in (chart for dtype in entry["dtypes"] for chart in dtype["charts"]):
            for theme in drawing.THEMES:
                svg = drawing.themed(chart["source"].svgs["wide"], theme)
                name = f"{prefix}{chart['source'].key}-{theme}"
                write(folder / f"{name}.svg", svg)
                write(folder / f"{name}.png", vl_convert.svg_to_png(svg, scale=2))


# A file's part of the page


def section(results, key):
    return {
        "key": key,
        "machine": machine(results),
        "when": when(results),
        "noise": sentences(results, "noise"),
        "precision": sentences(results, "precision"),
        "facts": facts(results),
        "dtypes": [dtype_section(results, dtype, key) for dtype in results.dtypes],
    }


def machine(results):
    name = results.fact("cpu_model", str) or results.fact("host_name", str) or "unknown machine"
    threads = results.fact("threads", int)
    return name + (f", {threads} thread{'s' if threads != 1 else ''}" if threads else "")


def when(results):
    parts = [results.fact("date", str), revision(results)]
    return " · ".join(part for part in parts if part)


def revision(results):
    name = results.fact("git_revision", str)
    return f"revision {name[:12]}" if name else None


def sentences(results, name):
    told = results.fact(name, list)
    return None if told is None else [str(sentence) for sentence in told]


def facts(results):
    def joined(*parts):
        return ", ".join(str(part) for part in parts if part not in (None, ""))

    def labelled(group, form):
        """What a group of the context says, each with its name."""
        return joined(*(form(name, value) for name, value in (results.fact(group, dict) or {}).items()))

    def rates(group, unit):
        return labelled(group, lambda name, _: (rate := results.rate(group, name)) and f"{name} {short(rate)} {unit}")

    def cache_words(cache):
        size = cache["size"] / 1024
        kind = {"Data": "d", "Instruction": "i"}.get(cache.get("type"), "")
        return f"L{cache.get('level')}{kind} " + (f"{size:.0f} KiB" if size < 1024 else f"{size / 1024:.0f} MiB")

    def is_number(value):
        return isinstance(value, (int, float))

    def named(name, word):
        return (value := results.fact(name, str)) and f"{word} {value}"

    caches = [c for c in results.fact("caches", list) or [] if isinstance(c, dict) and isinstance(c.get("size"), int)]
    rounds = [len(row.rounds_ms) for row in results.rows if row.rounds_ms]
    found = {
        "CPUs": joined(results.fact("num_cpus", int), *map(cache_words, caches)),
        "Kernel set": results.fact("kernel_set", str),
        "System": joined(named("kernel", "Linux"), named("governor", "governor")),
        "Load before": joined(*(short(value) for value in results.fact("load_avg", list) or [] if is_number(value))),
        "Arithmetic peak": rates("peak_gflops", "GFLOP/s"),
        "Read rate": rates("read_gbytes_per_s", "GB/s"),
        "Hand-off": labelled("hand_off_us", lambda name, value: f"{name} {short(value)} µs" if is_number(value) else ""),
        "OpenBLAS": joined(results.fact("openblas_version", str), results.fact("openblas_core", str)),
        "Swift": results.fact("swift_version", str),
        "Engines": labelled("engines", lambda name, version: f"{TITLES.get(name, name)} {version}"),
        "Environment": labelled("environment", lambda name, value: f"{name}={value}"),
        "Rounds": f"{min(rounds)} to {max(rounds)} for each row" if rounds else None,
        "Command": " ".join(str(word) for word in results.fact("arguments", list) or []),
    }
    return [(name, value) for name, value in found.items() if value]


def dtype_section(results, dtype, key):
    rows = results.of(dtype)
    name = dtype or "all"
    found = [
        throughput.sweep_chart(f"length-{name}-{index + 1}", name, *sweep)
        for index, sweep in enumerate(throughput.sweeps(rows))
    ]
    found += [
        throughput.grid_chart(f"throughput-{name}", name, rows),
        roofline.roofline_chart(f"roofline-{name}", name, results, rows),
    ]
    found += distribution.distribution_charts(f"latency-{name}", name, rows)
    return {
        "name": name,
        "table": table(rows),
        "charts": [
            {
                "id": f"{key}-{safe(chart.key)}",
                "title": chart.title,
                "caption": chart.caption,
                "description": chart.description,
                "numbered": chart.numbered,
                "source": chart,
                "svgs": [
                    (width, markupsafe.Markup(drawing.inline(svg, f"{key}-{safe(chart.key)}-{width}")))
                    for width, svg in chart.svgs.items()
                ],
            }
            for chart in found
            if chart
        ],
    }


def safe(text):
    return "".join(letter if letter.isascii() and letter.isalnum() else "-" for letter in text)


def table(rows):
    """Ours, the others, and how many times as long the fastest other one takes."""
    present = {row.engine: row for row in rows}
    columns = OURS + PEERS + ["naive"]
    order = sorted(present, key=lambda name: (columns.index(name) if name in columns else len(columns), name))
    ours = next((name for name in order if present[name].is_ours), None)
    # The naive kernel has a column at the end, and of our kernels the first is enough.
    others = [name for name in order if not present[name].is_ours and name != "naive"] if ours else order
    lines, notes = [], []
    for shape in dict.fromkeys(row.shape for row in rows):
        of = {row.engine: row for row in rows if row.shape == shape}
        mine = of.get(ours) or of.get("rotary")
        ratios = {name: mine.times_of(of[name]) for name in others if name in of} if mine else {}
        ratios = {name: ratio for name, ratio in ratios.items() if ratio}
        best = min(ratios, key=ratios.get, default=None)
        cells = []

        def add(text, kind=""):
            cells.append({"text": text or "–", "kind": kind})

        if ours:
            median = mine.median_ms if mine else None
            add(short(median), "best" if median and (best is None or ratios[best] >= 1) else "")
            ci = mine.number("median_ci_percent") if mine else None
            add(f"± {short(ci)} %" if ci else "")
            add(str(mine.counters.get("plan") or "") if mine else "", "words")
            add(short(mine.gflops) if mine else "")
            share = mine.number("share_of_limit") if mine else None
            add(f"{share:.0%} {mine.counters.get('limit') or ''}" if share else "")
        for name in others:
            add(
                short(of[name].median_ms if name in of else None),
                "best" if name == best and ratios[best] < 1 else "",
            )
        if ours and others:
            add(f"{ratios[best]:.2f}" if best else "")
        if ours and "naive" in present:
            naive = of["naive"].median_ms if "naive" in of else None
            add(short(naive / mine.median_ms) if naive and mine and mine.median_ms else "")
        lines.append({"shape": shape, "cells": cells})
        notes += [f"{row.title}, {shape}: {row.problem}" for row in of.values() if row.problem]
    heads = ["shape"]
    if ours:
        heads += ["ours, ms", "interval", "kernel", "GFLOP/s", "of limit"]
    heads += [f"{TITLES.get(name, name)}, ms" for name in others]
    if ours and others:
        heads.append("× best peer")
    if ours and "naive" in present:
        heads.append("× naive")
    # What a thousand notes say, few read.
    notes = notes[:60] + ([f"and {len(notes) - 60} more"] if len(notes) > 60 else [])
    caption = "Medians of the rounds in milliseconds."
    if ours and others:
        caption += (
            " × best peer is the fastest other engine's time over ours, in medians of the rounds that both took part in:"
            " above 1, ours is faster."
        )
    return {"caption": caption, "heads": heads, "lines": lines, "notes": notes}


if __name__ == "__main__":
    main()
