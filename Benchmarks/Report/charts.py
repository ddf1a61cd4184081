"""The report's charts: Vega-Lite specifications from rows, and their SVG.

Every color in a specification is a token that stands for nothing else. The page replaces tokens by CSS variables, so that one SVG is
right in light, dark and print; a file of its own gets the colors of one theme.
"""

import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import vl_convert

from results import OURS, PEERS, TITLES, quantile, short

# Okabe and Ito's palette, which people with any color vision tell apart, darker or lighter where the background asks for it.
THEMES = {
    "light": {
        "ink": "#1b1f24", "muted": "#59636e", "grid": "#d8dee4", "surface": "#ffffff",
        "chosen": "#0072b2", "pytorch": "#d55e00", "onnxruntime": "#00795a", "openvino": "#b1518a", "numpy": "#8a6d00",
        "naive": "#6e7781", "gemm": "#3d9bd1", "fused": "#4a4aa8", "decode": "#1b8a8a", "other": "#1b1f24",
    },
    "dark": {
        "ink": "#e6edf3", "muted": "#9aa5b1", "grid": "#343b44", "surface": "#14181d",
        "chosen": "#56b4e9", "pytorch": "#ff8c42", "onnxruntime": "#2fc59b", "openvino": "#e39bc6", "numpy": "#f0d24a",
        "naive": "#9aa5b1", "gemm": "#9bd3f5", "fused": "#a3a3ff", "decode": "#5fd0d0", "other": "#e6edf3",
    },
}
TOKENS = {name: f"#fe01{index:02x}" for index, name in enumerate(THEMES["light"])}
SHAPES = {
    "chosen": "circle", "rotary": "circle", "pytorch": "square", "onnxruntime": "triangle-up", "openvino": "diamond",
    "numpy": "triangle-down", "naive": "cross", "gemm": "triangle-left", "fused": "triangle-right", "decode": "stroke",
}
# Readers' fonts may be wider than those that charts are laid out with.
PADDING = {"left": 12, "top": 8, "bottom": 4, "right": 8}
FONT = "Liberation Sans, Arial, Helvetica, sans-serif"
WIDTHS = {"wide": 940, "narrow": 350}


@dataclass
class Chart:
    """A chart in two widths."""

    key: str
    title: str
    caption: str
    description: str
    svgs: dict
    # Names for numbers in the narrow one.
    numbered: list


def token(engine):
    return TOKENS.get("chosen" if engine == "rotary" else engine, TOKENS["other"])


def engines_of(rows):
    known = OURS + PEERS + ["naive"]
    present = list(dict.fromkeys(row.engine for row in rows))
    return sorted(present, key=lambda engine: known.index(engine) if engine in known else len(known))


def compared(rows):
    """Without forced kernels, where the library's own choice is there: they are ways to get at it."""
    if any(row.engine == "chosen" for row in rows):
        return [row for row in rows if row.engine not in ("gemm", "fused", "decode")]
    return rows


def wrapped(title, limit):
    return title if len(title) <= limit else title[: limit - 1] + "…"


# Axes and rendering


def ticks(low, high, most=7):
    """Round numbers of a logarithmic axis."""
    for steps in ([1, 2, 5], [1, 3], [1]):
        values = [step * 10.0**power for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1) for step in steps]
        values = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(values) <= most:
            break
    return values[:: math.ceil(len(values) / most)]


PLAIN_NUMBERS = "datum.value >= 1 ? format(datum.value, ',') : format(datum.value, '~g')"


def axis(title, values=None, **more):
    # A count as well would drop some of the values.
    return {"title": title, "labelExpr": PLAIN_NUMBERS, **({"values": values} if values else {"tickCount": 6}), **more}


def padded(values, factor=1.25):
    return [min(values) / factor, max(values) * factor]


def color_encoding(engines):
    return {
        "field": "title", "type": "nominal", "legend": None,
        "scale": {"domain": [TITLES.get(engine, engine) for engine in engines], "range": [token(engine) for engine in engines]},
    }


def shape_encoding(engines):
    return color_encoding(engines) | {
        "scale": {"domain": [TITLES.get(engine, engine) for engine in engines], "range": [SHAPES.get(engine, "circle") for engine in engines]}
    }


def legend(width, columns):
    return {"orient": "top", "title": None, "columns": columns, "labelLimit": width // columns - 20, "symbolSize": 90, "columnPadding": 18}


def config():
    return {
        "font": FONT, "background": None, "aria": False,
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": 13, "titleFontSize": 13, "titleFontWeight": "normal", "labelColor": TOKENS["ink"],
            "titleColor": TOKENS["muted"], "gridColor": TOKENS["grid"], "domainColor": TOKENS["muted"],
            "tickColor": TOKENS["muted"], "labelLimit": 320, "titlePadding": 8,
        },
        "legend": {"labelFontSize": 13, "labelColor": TOKENS["ink"], "titleColor": TOKENS["muted"]},
        "text": {"fontSize": 13, "color": TOKENS["ink"]},
        "title": {"color": TOKENS["ink"], "fontSize": 14, "anchor": "start"},
        "header": {"labelColor": TOKENS["ink"], "labelFontSize": 13, "titleColor": TOKENS["muted"]},
    }


def render(spec, width):
    """The SVG. Nothing is loaded from anywhere."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json", "config": config(), "width": width,
        "autosize": {"type": "fit-x", "contains": "padding"}, **spec,
    }
    return vl_convert.vegalite_to_svg(spec, vl_version="6.1", allowed_base_urls=[])


def themed(svg, theme):
    """A picture of its own, on the theme's background."""
    colors = THEMES[theme]
    for name, value in TOKENS.items():
        svg = svg.replace(value, colors[name])
    opening = svg.index(">", svg.index("<svg")) + 1
    return f'{svg[:opening]}<rect width="100%" height="100%" fill="{colors["surface"]}"/>{svg[opening:]}'


DRAWING = {"svg", "g", "path", "text", "tspan", "rect", "line", "defs", "clipPath", "title", "circle"}


def inline(svg, prefix):
    """For a page: colors are variables, ids are the page's only ones, and nothing is in it but drawing."""
    for element in ElementTree.fromstring(svg).iter():
        name = element.tag.split("}")[-1]
        if name not in DRAWING or any(key.lower().startswith("on") or key.endswith("href") for key in element.attrib):
            raise ValueError(f"a chart has an element {name} that does not belong there")
    for name, value in TOKENS.items():
        svg = svg.replace(value, f"var(--{name})")
    svg = re.sub(r'\bid="', f'id="{prefix}-', svg)
    svg = svg.replace("url(#", f"url(#{prefix}-")
    width, height = (float(value) for value in re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
    body = svg[svg.index("<svg"):]
    body = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", body, count=1)
    return body.replace("<svg", f'<svg aria-hidden="true" style="max-width:{width:.0f}px" data-height="{height:.0f}"', 1)


def both(make):
    return {name: render(make(width, name == "narrow"), width) for name, width in WIDTHS.items()}


# Throughput


def sweeps(rows):
    """Families of shapes that differ in one length: (words, name of the axis, rows with `x`)."""
    found = []
    measured = [row for row in rows if row.gflops and row.number("queries") and row.number("keys")]
    rest = ["batch", "query_heads", "key_value_heads", "head_dim", "value_dim", "mask"]

    def families(kind, key, x):
        groups = {}
        for row in measured:
            if (family := key(row)) is not None:
                groups.setdefault(family + tuple(row.counters.get(name) for name in rest), []).append((x(row), row))
        for family, members in groups.items():
            # Of shapes that the counters do not tell apart, the first one.
            first = {}
            for length, row in members:
                first.setdefault(length, row.shape)
            kept = [(length, row) for length, row in members if first[length] == row.shape]
            if len(first) >= 3:
                found.append((kind, family, sorted(kept, key=lambda entry: entry[0])))

    def words(row):
        heads = f"{row.counters.get('query_heads')} heads"
        if row.counters.get("key_value_heads") != row.counters.get("query_heads"):
            heads += f" on {row.counters.get('key_value_heads')}"
        batch = row.counters.get("batch")
        mask = row.counters.get("mask")
        return f"{heads} of {row.counters.get('head_dim')}" + (f", batch {batch}" if batch != 1 else "") + (f", {mask}" if mask and mask != "none" else "")

    queries, keys = (lambda row: row.number("queries")), (lambda row: row.number("keys"))
    families("Queries and keys", lambda row: ("square",) if queries(row) == keys(row) else None, keys)
    families("Keys", lambda row: ("queries", queries(row)) if queries(row) < keys(row) else None, keys)
    families("Queries", lambda row: ("keys", keys(row)) if queries(row) < keys(row) else None, queries)
    result = []
    for kind, family, members in found:
        more = {"Keys": f", {family[1]:,} quer{'y' if family[1] == 1 else 'ies'}", "Queries": f", {family[1]:,} keys"}.get(kind, "") if kind != "Queries and keys" else ""
        result.append((words(members[0][1]) + more, kind, members))
    return result


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
        gap = 17 * (math.log(domain[1]) - math.log(domain[0])) / height
        labels = [point | {"label_y": math.exp(place)} for point, place in zip(last.values(), spread(places, gap))]
        shown = lengths if len(lengths) <= (5 if narrow else 12) else lengths[:: math.ceil(len(lengths) / (5 if narrow else 12))]
        x = {"field": "x", "type": "quantitative", "scale": {"type": "log", "base": 2, "nice": False, "domain": [lengths[0], lengths[-1]]},
             "axis": axis(kind, shown, grid=False, labelOverlap=True)}
        y = {"field": "y", "type": "quantitative", "scale": {"type": "log", "domain": domain, "nice": False},
             "axis": axis("Useful GFLOP/s", ticks(*domain))}
        color = color_encoding(engines)
        shape = shape_encoding(engines)
        if narrow:
            shape = shape | {"legend": legend(width, 2)}
            color = color | {"legend": legend(width, 2)}
        layers = [
            {"data": {"values": points}, "mark": {"type": "line", "strokeWidth": 2}, "encoding": {"x": x, "y": y, "color": color}},
            {"data": {"values": points}, "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1}, "encoding": {"x": x, "y": y, "color": color, "shape": shape}},
        ]
        if not narrow:
            layers.append({"data": {"values": labels}, "mark": {"type": "text", "align": "left", "dx": 10, "clip": False},
                           "encoding": {"x": x, "y": y | {"field": "label_y"}, "text": {"field": "title"}, "color": color}})
        return {"height": height, "layer": layers, "padding": PADDING}

    ends = "; ".join(f"{point['title']} {short(point['y'])} at {point['x']:,}" for point in {p["title"]: p for p in points}.values())
    return Chart(key, f"Throughput by length, {dtype}: {words}", f"Medians of the rounds. Both axes are logarithmic.",
                 f"Lines of useful GFLOP/s against {kind.lower()}, one for each engine. Last points: {ends}.", both(make), [])


def grid_chart(key, dtype, rows):
    rows = [row for row in compared(rows) if row.gflops]
    if not rows:
        return None
    engines, shapes = engines_of(rows), list(dict.fromkeys(row.shape for row in rows))
    points = [{"shape": row.shape, "x": row.gflops, "title": row.title} for row in rows]
    domain = padded([point["x"] for point in points])

    def make(width, narrow):
        columns = 2 if narrow else min(len(engines), 6)
        return {
            "height": {"step": 20}, "data": {"values": points}, "padding": PADDING,
            "encoding": {"y": {"field": "shape", "type": "nominal", "sort": shapes, "axis": {"title": None, "grid": True, "labelLimit": 130 if narrow else 320}}},
            "layer": [
                {"mark": {"type": "point", "filled": True, "size": 75, "opacity": 0.95},
                 "encoding": {
                     "x": {"field": "x", "type": "quantitative", "scale": {"type": "log", "domain": domain, "nice": False},
                           "axis": axis("Useful GFLOP/s", ticks(*domain, most=5 if narrow else 9))},
                     "color": color_encoding(engines) | {"legend": legend(width, columns)},
                     "shape": shape_encoding(engines) | {"legend": legend(width, columns)}}}],
        }

    best = max(points, key=lambda point: point["x"])
    return Chart(key, f"Throughput of each shape, {dtype}", "Medians of the rounds; further right is faster. The axis is logarithmic.",
                 f"A dot for each of {len(shapes)} shapes and {len(engines)} engines. The highest is {best['title']} with {short(best['x'])} useful GFLOP/s on {best['shape']}.",
                 both(make), [])


# Roofline


def roofline_chart(key, dtype, results, rows):
    shown = [row for row in rows if row.intensity and row.gflops]
    first = "chosen" if any(row.engine == "chosen" for row in shown) else (shown[0].engine if shown else None)
    shown = [row for row in shown if row.engine == first]
    # The arithmetic of f16 is that of f32.
    peaks = [row.number("peak_gflops") for row in shown if row.number("peak_gflops")]
    peak = max(peaks, default=None) or results.rate("peak_gflops", dtype) or results.rate("peak_gflops", "f32")
    rates = [(name, results.rate("read_gbytes_per_s", name)) for name in ("memory", "cache")]
    rates = [(name, rate) for name, rate in rates if rate]
    if not shown or not peak:
        return None
    # Room at the left for the name of the line of the cache.
    x_domain = padded([row.intensity for row in shown] + [peak / rate / 2.5 for _, rate in rates], 1.8)
    y_domain = [min(row.gflops for row in shown) / 2.2, peak * 2]
    roofs = []
    for name, rate in rates:
        start = max(x_domain[0], y_domain[0] / rate)
        roofs += [{"roof": name, "x": start, "y": rate * start}, {"roof": name, "x": peak / rate, "y": peak}]
    roofs += [{"roof": "peak", "x": min((peak / rate for _, rate in rates), default=x_domain[0]), "y": peak},
              {"roof": "peak", "x": x_domain[1], "y": peak}]
    points = [{"name": row.shape, "number": str(index + 1), "x": row.intensity, "y": row.gflops} for index, row in enumerate(shown)]

    def make(width, narrow):
        height = 380 if narrow else 560
        inner = width - 70

        def pixel(x, y):
            return (math.log(x / x_domain[0]) / math.log(x_domain[1] / x_domain[0]) * inner,
                    height - math.log(y / y_domain[0]) / math.log(y_domain[1] / y_domain[0]) * height)

        def value(px, py):
            return (x_domain[0] * (x_domain[1] / x_domain[0]) ** (px / inner), y_domain[0] * (y_domain[1] / y_domain[0]) ** ((height - py) / height))

        lines, taken = [], []
        for name, rate in rates:
            text = f"{name} {short(rate)} GB/s"
            low, high = max(x_domain[0], y_domain[0] / rate), peak / rate
            # Where along the line points are farthest.
            spots = [low ** (1 - part / 20) * high ** (part / 20) for part in range(5, 17)]
            spot = max(spots, key=lambda x: min(math.dist(pixel(x, rate * x), pixel(point["x"], point["y"])) for point in points))
            lines.append({"x": spot, "y": rate * spot, "text": text})
            px, py = pixel(spot, rate * spot)
            taken += [(px + step * 9 - 14, py - step * 12 - 10, px + step * 9 + 4, py - step * 12 + 8) for step in range(-4, 5)]
        taken.append((inner - 150, pixel(x_domain[1], peak)[1] - 22, inner, pixel(x_domain[1], peak)[1] + 2))
        placed = place_labels([(pixel(point["x"], point["y"]), point["number" if narrow else "name"]) for point in points], taken, inner, height)
        labels, leaders = [], []
        for point, (left, middle, text) in zip(points, placed):
            x, y = value(left, middle)
            labels.append({"x": x, "y": y, "text": text})
            px, py = pixel(point["x"], point["y"])
            end = leader_end((px, py), left, middle, text)
            if math.dist(end, (px, py)) > 14:
                x, y = value(*end)
                leaders += [{"id": point["number"], "x": point["x"], "y": point["y"]}, {"id": point["number"], "x": x, "y": y}]
        titles = [{"x": x_domain[1], "y": peak, "text": f"peak {short(peak)} GFLOP/s"}]
        slope = -math.degrees(math.atan2(height / math.log(y_domain[1] / y_domain[0]), inner / math.log(x_domain[1] / x_domain[0])))
        x = {"field": "x", "type": "quantitative", "scale": {"type": "log", "domain": x_domain, "nice": False},
             "axis": axis("Useful FLOP per byte of keys and values", ticks(*x_domain, most=5 if narrow else 9), grid=False)}
        y = {"field": "y", "type": "quantitative", "scale": {"type": "log", "domain": y_domain, "nice": False}, "axis": axis("Useful GFLOP/s", ticks(*y_domain))}
        position = {"x": x, "y": y}
        layers = [
            {"data": {"values": roofs}, "mark": {"type": "line", "strokeWidth": 2, "color": TOKENS["muted"]}, "encoding": position | {"detail": {"field": "roof"}}},
            {"data": {"values": titles}, "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -5, "color": TOKENS["muted"]}, "encoding": position | {"text": {"field": "text"}}},
        ]
        for line in lines:
            layers.append({"data": {"values": [line]}, "mark": {"type": "text", "angle": slope, "baseline": "bottom", "dy": -4, "color": TOKENS["muted"]},
                           "encoding": position | {"text": {"field": "text"}}})
        if leaders:
            layers.append({"data": {"values": leaders}, "mark": {"type": "line", "strokeWidth": 1, "color": TOKENS["muted"], "opacity": 0.6}, "encoding": position | {"detail": {"field": "id"}}})
        layers += [
            {"data": {"values": points}, "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": token(first)}, "encoding": position},
            {"data": {"values": labels}, "mark": {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12}, "encoding": position | {"text": {"field": "text"}}},
        ]
        return {"height": height, "layer": layers, "padding": PADDING}

    near = max(shown, key=lambda row: row.number("share_of_limit") or 0)
    share = near.number("share_of_limit")
    return Chart(key, f"Roofline, {dtype}", "Lines are limits measured on this machine in this run: arithmetic from registers on all threads, and reading from memory and "
                 "from the last-level cache. Keys and values that fit into the cache may lie above the line of memory.",
                 f"Useful GFLOP/s of {len(shown)} shapes against their operations for a byte, below a peak of {short(peak)} GFLOP/s."
                 + (f" {near.shape} comes nearest to its limit, {share:.0%}." if share else ""), both(make),
                 [point["name"] for point in points])


# Pixels, of 12 pixel text.
LETTER = 6.2
DIRECTIONS = [(1, 0), (-1, 0), (0.8, -1), (0.8, 1), (-0.8, -1), (-0.8, 1), (0, -1.3), (0, 1.3), (1, -0.5), (1, 0.5), (-1, -0.5), (-1, 0.5)]


def place_labels(points, taken, width, height):
    """A place for each label, near its point and on no other label, point or leader, nor on what is `taken`: (left, middle, text), greedily.

    Vega-Lite places no labels, and these are too many to leave to chance.
    """
    boxes = [(x - 5, y - 5, x + 5, y + 5) for (x, y), _ in points] + taken
    leaders, placed = [], []
    for (x, y), text in points:
        size = len(text) * LETTER + 4
        best = None
        for distance in (9, 16, 26, 40, 58, 80, 105, 130, 160, 190, 220):
            for dx, dy in DIRECTIONS:
                left = x + dx * distance - (size if dx < 0 else size / 2 if dx == 0 else 0)
                middle = y + dy * distance
                box = (left, middle - 8, left + size, middle + 8)
                if box[0] < 0 or box[2] > width or box[1] < 0 or box[3] > height:
                    continue
                leader = between((x, y), leader_end((x, y), left, middle, text))
                cost = distance + 10 * sum(overlap(box, other) for other in boxes)
                # The label's own point is no obstacle to its leader.
                cost += 25 * sum(any(holds(other, spot) for spot in leader[4:]) for other in boxes if not holds(other, (x, y)))
                cost += 60 * sum(any(holds(box, spot) for spot in other) for other in leaders)
                if best is None or cost < best[0]:
                    best = (cost, left, middle, box, leader)
            if best and best[0] <= distance:
                break
        _, left, middle, box, leader = best or (0, x, y, (x, y, x, y), [])
        boxes.append(box)
        leaders.append(leader)
        placed.append((left, middle, text))
    return placed


def leader_end(point, left, middle, text):
    """Where a line from a point meets the edge of its label."""
    right = left + len(text) * LETTER
    beside = left > point[0] or right < point[0]
    return min(max(point[0], left), right), middle + (0 if beside else 8 if middle < point[1] else -8)


def between(start, end, count=14):
    return [(start[0] + (end[0] - start[0]) * step / count, start[1] + (end[1] - start[1]) * step / count) for step in range(count + 1)]


def holds(box, spot):
    return box[0] <= spot[0] <= box[2] and box[1] <= spot[1] <= box[3]


def overlap(one, other):
    return max(0, min(one[2], other[2]) - max(one[0], other[0])) * max(0, min(one[3], other[3]) - max(one[1], other[1]))


# Distributions

BRIEF = {"chosen": "ours", "rotary": "ours", "pytorch": "PyTorch", "onnxruntime": "ORT", "openvino": "OpenVINO", "numpy": "NumPy"}

ROWS_PER_CHART = 30
MOST_POINTS = 4000


def distribution_charts(key, dtype, rows):
    rows = [row for row in rows if row.rounds_ms]
    shapes = list(dict.fromkeys(row.shape for row in rows))
    order = {engine: index for index, engine in enumerate(engines_of(rows))}
    rows = sorted(rows, key=lambda row: (shapes.index(row.shape), order[row.engine]))
    pages, page = [], []
    most = math.ceil(len(rows) / math.ceil(len(rows) / ROWS_PER_CHART)) if rows else 0
    # A shape's engines stay together.
    for shape in shapes:
        of_shape = [row for row in rows if row.shape == shape]
        if page and len(page) + len(of_shape) / 2 > most:
            pages.append(page)
            page = []
        page = page + of_shape
    pages += [page] if page else []
    return [distribution_chart(f"{key}-{index + 1}", dtype, page, f"{index + 1} of {len(pages)}" if len(pages) > 1 else "") for index, page in enumerate(pages)]


def distribution_chart(key, dtype, rows, part):
    engines = engines_of(rows)
    names = [f"{row.shape} {row.title}" for row in rows]
    boxes, points = [], []
    for row, name in zip(rows, names):
        median = row.median_ms
        boxes.append({"name": name, "title": row.title, "text": f"{short(median)} ms"} | {f"q{percent}": quantile(row.rounds_ms, percent / 100) / median for percent in (5, 25, 75, 95)})
        points += [{"name": name, "title": row.title, "x": ms / median} for ms in row.rounds_ms]
    values = [point["x"] for point in points]
    domain = [min(0.9, min(values)) / 1.02, max(1.15, max(values)) * 1.02]
    # Beyond a factor of four, what is usual would be a line.
    domain = [max(domain[0], 0.5), min(domain[1], 4)]
    outside = sum(not domain[0] <= value <= domain[1] for value in values)
    if len(points) > MOST_POINTS:
        points = []

    def make(width, narrow):
        short_names = {name: f"{wrapped(row.shape, 16)} {wrapped(BRIEF.get(row.engine, row.engine), 8)}" for row, name in zip(rows, names)}
        x_scale = {"type": "log", "domain": domain, "nice": False, "clamp": True}
        candidates = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4]
        if narrow or domain[1] / domain[0] > 3:
            candidates = [0.5, 0.7, 1, 1.5, 2, 3, 4] if domain[1] / domain[0] > 1.8 else [0.8, 0.9, 1, 1.1, 1.25, 1.5]
        x_axis = {"title": "Round over median" if narrow else "Time of a round over the row's median", "values": [value for value in candidates if domain[0] <= value <= domain[1]], "labelExpr": "format(datum.value, '~g')"}
        y = {"field": "name", "type": "nominal", "sort": names,
             "axis": {"title": None, "ticks": False, "domain": False, "labelLimit": 170 if narrow else 320, "labelFontSize": 11 if narrow else 12,
                      "labelExpr": "({" + ",".join(f"{js(name)}:{js(label)}" for name, label in short_names.items()) + "})[datum.label]" if narrow else "datum.label"}}
        color = color_encoding(engines)

        def x(name):
            return {"field": name, "type": "quantitative", "scale": x_scale, "axis": x_axis}

        layers = [
            {"data": {"values": boxes}, "mark": {"type": "rule", "strokeWidth": 1.5}, "encoding": {"y": y, "x": x("q5"), "x2": {"field": "q95"}, "color": color}},
            {"data": {"values": boxes}, "mark": {"type": "bar", "height": 8, "opacity": 0.45}, "encoding": {"y": y, "x": x("q25"), "x2": {"field": "q75"}, "color": color}},
            {"data": {"values": points}, "mark": {"type": "tick", "thickness": 1, "size": 11, "opacity": 0.7, "clip": True}, "encoding": {"y": y, "x": x("x"), "color": color}},
        ]
        if not points:
            layers.pop()
        layers.append({"data": {"values": boxes}, "mark": {"type": "text", "align": "right", "dx": 60 if narrow else 70, "fontSize": 12, "color": TOKENS["muted"]},
                       "encoding": {"y": y, "x": {"value": "width"}, "text": {"field": "text"}}})
        return {"height": {"step": 17}, "layer": layers, "padding": PADDING}

    widest = max(boxes, key=lambda box: box["q95"])
    caption = "A tick for each round, a box for the middle half, a line from the 5th to the 95th percentile" if points else "A box for the middle half of the rounds, a line from the 5th to the 95th percentile"
    return Chart(key, f"Latency of the rounds, {dtype}" + (f", {part}" if part else ""),
                 caption + "; medians at the right." + (f" {outside} rounds beyond the axis are drawn at its end." if outside else ""),
                 f"Spread of {sum(len(row.rounds_ms) for row in rows)} rounds of {len(rows)} rows around their medians. The widest is {widest['name']}, with a 95th percentile of {short(widest['q95'])} medians.",
                 both(make), [])


def js(text):
    """A string literal of Vega's expressions."""
    import json
    return json.dumps(text)
