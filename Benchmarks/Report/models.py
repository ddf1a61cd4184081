"""Draws tokens a second against the length of the context, from what `attention-bench model --output` wrote.

    python models.py NUMBERS.json FOLDER         writes generation-light.svg and generation-dark.svg
"""

import json
import sys
from pathlib import Path

import vl_convert

from drawing import THEMES

# Which color of a theme an engine has; its storage types are told apart by dashes.
COLORS = {"ours": "chosen", "llamacpp": "pytorch", "openvino-genai": "openvino", "transformers": "onnxruntime"}
DASHES = [[1, 0], [6, 3], [2, 2], [8, 2, 2, 2]]


def points(rows):
    """(name, context, tokens a second) of every row that generated anything."""
    return [
        {"engine": row["name"], "context": int(context), "rate": rate}
        for row in rows
        for context, rate in pairs(row["generationRates"])
    ]


def pairs(rates):
    """Swift writes dictionaries of numbers as lists: key, value, key, value."""
    return zip(rates[::2], rates[1::2]) if isinstance(rates, list) else rates.items()


def styles(names, theme):
    """A color and dashes for each name."""
    seen = {}
    colors, dashes = [], []
    for name in names:
        engine = name.split()[0]
        colors.append(THEMES[theme][COLORS.get(engine, "other")])
        dashes.append(DASHES[seen.get(engine, 0) % len(DASHES)])
        seen[engine] = seen.get(engine, 0) + 1
    return colors, dashes


def specification(rows, theme):
    data = points(rows)
    names = list(dict.fromkeys(point["engine"] for point in data))
    contexts = sorted({point["context"] for point in data})
    colors, dashes = styles(names, theme)
    ink, grid = THEMES[theme]["ink"], THEMES[theme]["grid"]
    axis = {"labelColor": ink, "titleColor": ink, "gridColor": grid, "domainColor": grid, "tickColor": grid}
    return {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "width": 620,
        "height": 320,
        "background": THEMES[theme]["surface"],
        "view": {"stroke": None},
        "data": {"values": data},
        "mark": {"type": "line", "point": True, "strokeWidth": 2},
        "encoding": {
            "x": {
                "field": "context",
                "type": "quantitative",
                "scale": {"type": "log", "domain": [contexts[0], contexts[-1]], "nice": False},
                "axis": {**axis, "values": contexts, "title": "Tokens in the context"},
            },
            "y": {
                "field": "rate",
                "type": "quantitative",
                "scale": {"domainMin": 0},
                "axis": {**axis, "title": "Generated tokens per second"},
            },
            "color": {
                "field": "engine",
                "sort": names,
                "scale": {"domain": names, "range": colors},
                "legend": {"labelColor": ink, "title": None, "symbolStrokeWidth": 2},
            },
            "strokeDash": {"field": "engine", "sort": names, "scale": {"domain": names, "range": dashes}, "legend": None},
        },
    }


def main():
    numbers, folder = Path(sys.argv[1]), Path(sys.argv[2])
    rows = json.loads(numbers.read_text())
    for theme in THEMES:
        svg = vl_convert.vegalite_to_svg(json.dumps(specification(rows, theme)))
        (folder / f"generation-{theme}.svg").write_text(svg + "\n")


if __name__ == "__main__":
    main()
