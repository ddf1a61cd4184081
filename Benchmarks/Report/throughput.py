"""Charts of useful GFLOP/s: against length, and of each shape."""

import math

from drawing import (
    LABEL,
    PADDING,
    Chart,
    axis,
    both,
    color_encoding,
    compared,
    engines_of,
    legend,
    name_axis,
    padded,
    shape_encoding,
    ticks,
)
from labels import block_width, lines_of
from results import short


def sweeps(rows):
    """Families of shapes that differ in one length: (words, name of the axis, rows with `x`)."""
    found = []
    measured = [row for row in rows if row.gflops and row.number("queries") and row.number("keys")]
    rest = ["batch", "query_heads", "key_value_heads", "head_dim", "value_dim", "mask"]

    def families(kind, x, key):
        """Rows of the same `key`, words about what stays the same; None is no family's."""
        groups = {}
        for row in measured:
            if (family := key(row.number("queries"), row.number("keys"))) is not None:
                groups.setdefault((family, *(row.counters.get(name) for name in rest)), []).append((row.number(x), row))
        for (family, *_), members in groups.items():
            # Of shapes that the counters do not tell apart, the first one.
            first = {}
            for length, row in members:
                first.setdefault(length, row.shape)
            kept = [(length, row) for length, row in members if first[length] == row.shape]
            if len(first) >= 3:
                found.append((words(members[0][1]) + family, kind, sorted(kept, key=lambda entry: entry[0])))

    def words(row):
        batch, heads, shared, mask, dim = (
            row.counters.get(name) for name in ("batch", "query_heads", "key_value_heads", "mask", "head_dim")
        )
        parts = [f"{heads} heads" + (f" on {shared}" if shared != heads else "") + f" of {dim}"]
        parts += [f"batch {batch}"] if batch != 1 else []
        parts += [mask] if mask and mask != "none" else []
        return ", ".join(parts)

    families("Queries and keys", "keys", lambda queries, keys: "" if queries == keys else None)
    families(
        "Keys",
        "keys",
        lambda queries, keys: f", {queries:,} quer{'y' if queries == 1 else 'ies'}" if queries < keys else None,
    )
    families("Queries", "queries", lambda queries, keys: f", {keys:,} keys" if queries < keys else None)
    return found


def spread(positions, gap):
    """Positions moved apart to at least `gap`, in order, as little as that takes."""
    order = sorted(range(len(positions)), key=lambda index: positions[index])
    moved = list(positions)
    for _ in range(200):
        for below, above in zip(order, order[1:]):
            if moved[above] - moved[below] < gap - 1e-9:
                middle = (moved[above] + moved[below]) / 2
                moved[below], moved[above] = middle - gap / 2, middle + gap / 2
    return moved


def sweep_chart(key, dtype, words, kind, members):
    rows = compared([row for _, row in members])
    points = [{"x": x, "y": row.gflops, "title": row.title} for x, row in members if row in rows]
    engines = engines_of(rows)
    lengths = sorted({point["x"] for point in points})
    domain = padded([point["y"] for point in points], 1.4)

    def make(width, narrow):
        height = 300 if narrow else 340
        last = {}
        for point in points:
            last[point["title"]] = point
        places = [math.log(point["y"]) for point in last.values()]
        written = {title: lines_of(title, 0.35 * width, LABEL) for title in last}
        pixels = max(block_width(lines, LABEL) for lines in written.values())
        gap = (2 + 15 * max(map(len, written.values()))) * (math.log(domain[1]) - math.log(domain[0])) / height
        labels = [
            point | {"label_y": math.exp(place), "lines": written[point["title"]]}
            for point, place in zip(last.values(), spread(places, gap))
        ]
        shown = (
            lengths
            if len(lengths) <= (5 if narrow else 12)
            else lengths[:: math.ceil(len(lengths) / (5 if narrow else 12))]
        )
        x = {
            "field": "x",
            "type": "quantitative",
            "scale": {"type": "log", "base": 2, "nice": False, "domain": [lengths[0], lengths[-1]]},
            "axis": axis(kind, shown, width - 90, grid=False, labelOverlap=True),
        }
        y = {
            "field": "y",
            "type": "quantitative",
            "scale": {"type": "log", "domain": domain, "nice": False},
            "axis": axis("Useful GFLOP/s", ticks(*domain)),
        }
        color = color_encoding(engines)
        shape = shape_encoding(engines)
        if narrow:
            key = legend(engines, width - 70)
            shape, color = shape | {"legend": key}, color | {"legend": key}
        layers = [
            {
                "data": {"values": points},
                "mark": {"type": "line", "strokeWidth": 2},
                "encoding": {"x": x, "y": y, "color": color},
            },
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1},
                "encoding": {"x": x, "y": y, "color": color, "shape": shape},
            },
        ]
        if not narrow:
            layers.append(
                {
                    "data": {"values": labels},
                    "mark": {"type": "text", "align": "left", "baseline": "middle", "dx": 10, "clip": False},
                    "encoding": {"x": x, "y": y | {"field": "label_y"}, "text": {"field": "lines"}, "color": color},
                }
            )
        # Vega leaves room for the labels in its own font; a fourth more is enough for every other.
        more = {} if narrow else {"right": PADDING["right"] + pixels / 4}
        return {"height": height, "layer": layers, "padding": PADDING | more}

    ends = "; ".join(
        f"{point['title']} {short(point['y'])} at {point['x']:,}" for point in {p["title"]: p for p in points}.values()
    )
    return Chart(
        key,
        f"Throughput by length, {dtype}: {words}",
        "Medians of the rounds. Both axes are logarithmic.",
        f"Lines of useful GFLOP/s against {kind.lower()}, one for each engine. Last points: {ends}.",
        both(make),
        [],
    )


def grid_chart(key, dtype, rows):
    rows = [row for row in compared(rows) if row.gflops]
    if not rows:
        return None
    engines, shapes = engines_of(rows), list(dict.fromkeys(row.shape for row in rows))
    points = [{"shape": row.shape, "x": row.gflops, "title": row.title} for row in rows]
    domain = padded([point["x"] for point in points])

    def make(width, narrow):
        names, step = name_axis({shape: shape for shape in shapes}, width)
        key = legend(engines, width - names["minExtent"] - PADDING["left"] - PADDING["right"])
        return {
            "height": {"step": step},
            "data": {"values": points},
            "padding": PADDING,
            "encoding": {
                "y": {
                    "field": "shape",
                    "type": "nominal",
                    "sort": shapes,
                    "axis": names | {"grid": True},
                }
            },
            "layer": [
                {
                    "mark": {"type": "point", "filled": True, "size": 75, "opacity": 0.95},
                    "encoding": {
                        "x": {
                            "field": "x",
                            "type": "quantitative",
                            "scale": {"type": "log", "domain": domain, "nice": False},
                            "axis": axis("Useful GFLOP/s", ticks(*domain, most=5 if narrow else 9), width / 2),
                        },
                        "color": color_encoding(engines) | {"legend": key},
                        "shape": shape_encoding(engines) | {"legend": key},
                    },
                }
            ],
        }

    best = max(points, key=lambda point: point["x"])
    return Chart(
        key,
        f"Throughput of each shape, {dtype}",
        "Medians of the rounds; further right is faster. The axis is logarithmic.",
        f"A dot for each of {len(shapes)} shapes and {len(engines)} engines. "
        f"The highest is {best['title']} with {short(best['x'])} useful GFLOP/s on {best['shape']}.",
        both(make),
        [],
    )
