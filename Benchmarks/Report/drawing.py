"""What the report's charts have in common: themes, axes, and Vega-Lite's way to SVG.

Every color in a specification is a token that stands for nothing else. The page replaces tokens by CSS variables, so that
one SVG is right in light, dark and print; a file of its own gets the colors of one theme.
"""

import json
import math
import re
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass

import vl_convert

from labels import block_width, lines_of
from results import OURS, PEERS, TITLES

# Okabe and Ito's palette, which people with any color vision tell apart, darker or lighter where the background asks
# for it.
THEMES = {
    "light": {
        "ink": "#1b1f24",
        "muted": "#59636e",
        "grid": "#d8dee4",
        "surface": "#ffffff",
        "chosen": "#0072b2",
        "pytorch": "#d55e00",
        "onnxruntime": "#00795a",
        "openvino": "#b1518a",
        "numpy": "#8a6d00",
        "vllm": "#a3172f",
        "zentorch": "#5b7f00",
        "flex": "#7a4b2a",
        "naive": "#6e7781",
        "gemm": "#3d9bd1",
        "fused": "#4a4aa8",
        "decode": "#1b8a8a",
        "other": "#1b1f24",
    },
    "dark": {
        "ink": "#e6edf3",
        "muted": "#9aa5b1",
        "grid": "#343b44",
        "surface": "#14181d",
        "chosen": "#56b4e9",
        "pytorch": "#ff8c42",
        "onnxruntime": "#2fc59b",
        "openvino": "#e39bc6",
        "numpy": "#f0d24a",
        "vllm": "#ff7a8a",
        "zentorch": "#b5d94c",
        "flex": "#d9a679",
        "naive": "#9aa5b1",
        "gemm": "#9bd3f5",
        "fused": "#a3a3ff",
        "decode": "#5fd0d0",
        "other": "#e6edf3",
    },
}
TOKENS = {name: f"#fe01{index:02x}" for index, name in enumerate(THEMES["light"])}
SHAPES = {
    "chosen": "circle",
    "rotary": "circle",
    "pytorch": "square",
    "onnxruntime": "triangle-up",
    "openvino": "diamond",
    "numpy": "triangle-down",
    "vllm": "M0,-1L0.3,-0.3L1,0L0.3,0.3L0,1L-0.3,0.3L-1,0L-0.3,-0.3Z",
    "zentorch": "M-1,-0.25H1V0.25H-1Z",
    "flex": "M-0.8,-0.5L0.8,-0.5L0,-0.05L0.8,0.5L-0.8,0.5L0,0.05Z",
    "naive": "cross",
    "gemm": "triangle-left",
    "fused": "triangle-right",
    "decode": "stroke",
}
PADDING = {"left": 4, "top": 8, "bottom": 4, "right": 8}
LABEL = 13
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


def title_of(engine):
    return TITLES.get(engine, engine)


def engines_of(rows):
    known = OURS + PEERS + ["naive"]
    present = list(dict.fromkeys(row.engine for row in rows))
    return sorted(present, key=lambda engine: known.index(engine) if engine in known else len(known))


def compared(rows):
    """Without forced kernels, where the library's own choice is there: they are ways to get at it."""
    if any(row.engine == "chosen" for row in rows):
        return [row for row in rows if row.engine in ("chosen", "rotary") or not row.is_ours]
    return rows


# Axes and rendering


def ticks(low, high, most=7):
    """Round numbers of a logarithmic axis."""
    for steps in ([1, 2, 5], [1, 3], [1]):
        values = [
            step * 10.0**power
            for power in range(math.floor(math.log10(low)) - 1, math.ceil(math.log10(high)) + 1)
            for step in steps
        ]
        values = [value for value in values if low * 0.999 <= value <= high * 1.001]
        if len(values) <= most:
            break
    return values[:: math.ceil(len(values) / most)]


PLAIN_NUMBERS = "datum.value >= 1 ? format(datum.value, ',') : format(datum.value, '~g')"


def axis(title, values=None, width=math.inf, **more):
    # A count as well would drop some of the values.
    places = {"values": values} if values else {"tickCount": 6}
    return {"title": lines_of(title, width, LABEL), "labelExpr": PLAIN_NUMBERS, **places, **more}


def padded(values, factor=1.25):
    return [min(values) / factor, max(values) * factor]


def color_encoding(engines):
    return {
        "field": "title",
        "type": "nominal",
        "legend": None,
        "scale": {
            "domain": [title_of(engine) for engine in engines],
            "range": [token(engine) for engine in engines],
        },
    }


def shape_encoding(engines):
    return color_encoding(engines) | {
        "scale": {
            "domain": [title_of(engine) for engine in engines],
            "range": [SHAPES.get(engine, "circle") for engine in engines],
        }
    }


def written(names, width, size=LABEL):
    """What an axis or a legend writes for names, in lines where one is longer: an expression, the pixels that it takes, and the most
    lines. Vega itself would measure in a font of its own, and cut."""
    lines = {name: lines_of(text, width, size) for name, text in names.items()}
    most = max(map(len, lines.values()))
    # In the middle of as many, which begin above their row.
    centered = {name: [""] * ((most - len(of_name)) // 2) + of_name for name, of_name in lines.items()}
    pixels = max(block_width(of_name, size) for of_name in lines.values())
    return f"({json.dumps(centered)})[datum.label]", pixels, most


def name_axis(names, width, size=LABEL, share=0.4):
    """An axis of rows with names of their own, at most that share of the chart, and the height of a row."""
    text, pixels, lines = written(names, share * width, size)
    axis = {
        "title": None,
        "labelExpr": text,
        "labelLimit": 0,
        "labelFontSize": size,
        "labelLineHeight": size + 2,
        "labelOffset": -(size + 2) * (lines - 1) / 2,
        "minExtent": pixels + 7,
    }
    return axis, (size + 2) * lines + 5


def legend(engines, width):
    """Above a plot of that width."""
    text, pixels, _ = written({title_of(engine): title_of(engine) for engine in engines}, width - 30)
    return {
        "orient": "top",
        "title": None,
        "labelExpr": text,
        "columns": int(min(len(engines), max(1, width // (pixels + 40)))),
        "labelLimit": 0,
        "symbolSize": 90,
        "columnPadding": 24,
    }


def config():
    return {
        "font": FONT,
        "background": None,
        "aria": False,
        "view": {"stroke": None},
        "axis": {
            "labelFontSize": LABEL,
            "titleFontSize": LABEL,
            "titleFontWeight": "normal",
            "labelColor": TOKENS["ink"],
            "titleColor": TOKENS["muted"],
            "gridColor": TOKENS["grid"],
            "domainColor": TOKENS["muted"],
            "tickColor": TOKENS["muted"],
            "titlePadding": 8,
        },
        "legend": {"labelFontSize": LABEL, "labelColor": TOKENS["ink"], "titleColor": TOKENS["muted"]},
        "text": {"fontSize": LABEL, "color": TOKENS["ink"]},
        "title": {"color": TOKENS["ink"], "fontSize": 14, "anchor": "start"},
        "header": {"labelColor": TOKENS["ink"], "labelFontSize": LABEL, "titleColor": TOKENS["muted"]},
    }


def render(spec, width):
    """The SVG. Nothing is loaded from anywhere."""
    spec = {
        "$schema": "https://vega.github.io/schema/vega-lite/v6.json",
        "config": config(),
        "width": width,
        "autosize": {"type": "fit-x", "contains": "padding"},
        **spec,
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
    body = svg[svg.index("<svg") :]
    body = re.sub(r'(<svg[^>]*?) width="[\d.]+" height="[\d.]+"', r"\1", body, count=1)
    return body.replace(
        "<svg", f'<svg aria-hidden="true" style="max-width:{width:.0f}px" data-height="{height:.0f}"', 1
    )


def both(make):
    return {name: render(make(width, name == "narrow"), width) for name, width in WIDTHS.items()}
