"""Charts of how times spread over the rounds."""

import math

from drawing import PADDING, TOKENS, Chart, both, color_encoding, engines_of, name_axis
from labels import block_width
from results import quantile, short

BRIEF = {
    "chosen": "ours",
    "rotary": "ours",
    "pytorch": "PyTorch",
    "onnxruntime": "ORT",
    "openvino": "OpenVINO",
    "numpy": "NumPy",
    "vllm": "vLLM",
    "flex": "Flex",
}

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
    return [
        distribution_chart(f"{key}-{index + 1}", dtype, page, f"{index + 1} of {len(pages)}" if len(pages) > 1 else "")
        for index, page in enumerate(pages)
    ]


def distribution_chart(key, dtype, rows, part):
    engines = engines_of(rows)
    names = [f"{row.shape} {row.title}" for row in rows]
    boxes, points = [], []
    for row, name in zip(rows, names):
        median = row.median_ms
        boxes.append(
            {"name": name, "title": row.title, "text": f"{short(median)} ms"}
            | {f"q{percent}": quantile(row.rounds_ms, percent / 100) / median for percent in (5, 25, 75, 95)}
        )
        points += [{"name": name, "title": row.title, "x": ms / median} for ms in row.rounds_ms]
    values = [point["x"] for point in points]
    domain = [min(0.9, min(values)) / 1.02, max(1.15, max(values)) * 1.02]
    # Beyond a factor of four, what is usual would be a line.
    domain = [max(domain[0], 0.5), min(domain[1], 4)]
    outside = sum(not domain[0] <= value <= domain[1] for value in values)
    if len(points) > MOST_POINTS:
        points = []

    def make(width, narrow):
        titles = {
            name: f"{row.shape} {BRIEF.get(row.engine, row.engine) if narrow else row.title}" for row, name in zip(rows, names)
        }
        name_labels, step = name_axis(titles, width, 11 if narrow else 12, share=0.5)
        x_scale = {"type": "log", "domain": domain, "nice": False, "clamp": True}
        candidates = [0.5, 0.6, 0.7, 0.8, 0.9, 1, 1.1, 1.25, 1.5, 2, 3, 4]
        if narrow or domain[1] / domain[0] > 3:
            candidates = [0.5, 0.7, 1, 1.5, 2, 3, 4] if domain[1] / domain[0] > 1.8 else [0.8, 0.9, 1, 1.1, 1.25, 1.5]
        x_axis = {
            "title": "Round over median" if narrow else "Time of a round over the row's median",
            "values": [value for value in candidates if domain[0] <= value <= domain[1]],
            "labelExpr": "format(datum.value, '~g')",
        }
        y = {
            "field": "name",
            "type": "nominal",
            "sort": names,
            "axis": name_labels | {"ticks": False, "domain": False},
        }
        color = color_encoding(engines)

        def x(name):
            return {"field": name, "type": "quantitative", "scale": x_scale, "axis": x_axis}

        layers = [
            {
                "data": {"values": boxes},
                "mark": {"type": "rule", "strokeWidth": 1.5},
                "encoding": {"y": y, "x": x("q5"), "x2": {"field": "q95"}, "color": color},
            },
            {
                "data": {"values": boxes},
                "mark": {"type": "bar", "height": 8, "opacity": 0.45},
                "encoding": {"y": y, "x": x("q25"), "x2": {"field": "q75"}, "color": color},
            },
            {
                "data": {"values": points},
                "mark": {"type": "tick", "thickness": 1, "size": 11, "opacity": 0.7, "clip": True},
                "encoding": {"y": y, "x": x("x"), "color": color},
            },
        ]
        if not points:
            layers.pop()
        layers.append(
            {
                "data": {"values": boxes},
                "mark": {
                    "type": "text",
                    "align": "right",
                    "dx": block_width([box["text"] for box in boxes], 12) + 8,
                    "fontSize": 12,
                    "color": TOKENS["muted"],
                },
                "encoding": {"y": y, "x": {"value": "width"}, "text": {"field": "text"}},
            }
        )
        return {"height": {"step": step}, "layer": layers, "padding": PADDING}

    widest = max(boxes, key=lambda box: box["q95"])
    caption = (
        "A tick for each round, a box for the middle half, a line from the 5th to the 95th percentile"
        if points
        else "A box for the middle half of the rounds, a line from the 5th to the 95th percentile"
    )
    return Chart(
        key,
        f"Latency of the rounds, {dtype}" + (f", {part}" if part else ""),
        caption
        + "; medians at the right."
        + (f" {outside} rounds beyond the axis are drawn at its end." if outside else ""),
        f"Spread of {sum(len(row.rounds_ms) for row in rows)} rounds of {len(rows)} rows around their medians. "
        f"The widest is {widest['name']}, with a 95th percentile of {short(widest['q95'])} medians.",
        both(make),
        [],
    )
