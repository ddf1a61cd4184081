"""The roofline: every shape below the machine's limits."""

import math

from drawing import LABEL, PADDING, TOKENS, Chart, axis, both, padded, ticks, token
from labels import between, leader_end, lines_of, place_labels, text_width
from results import short


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
    roofs += [
        {"roof": "peak", "x": min((peak / rate for _, rate in rates), default=x_domain[0]), "y": peak},
        {"roof": "peak", "x": x_domain[1], "y": peak},
    ]
    points = [
        {"name": row.shape, "number": str(index + 1), "x": row.intensity, "y": row.gflops}
        for index, row in enumerate(shown)
    ]

    def make(width, narrow):
        height = 380 if narrow else 560
        inner = width - 70

        def pixel(x, y):
            return (
                math.log(x / x_domain[0]) / math.log(x_domain[1] / x_domain[0]) * inner,
                height - math.log(y / y_domain[0]) / math.log(y_domain[1] / y_domain[0]) * height,
            )

        def value(px, py):
            return (
                x_domain[0] * (x_domain[1] / x_domain[0]) ** (px / inner),
                y_domain[0] * (y_domain[1] / y_domain[0]) ** ((height - py) / height),
            )

        lines, taken = [], []
        for name, rate in rates:
            text = f"{name} {short(rate)} GB/s"
            low, high = max(x_domain[0], y_domain[0] / rate), peak / rate
            # Where along the line points are farthest.
            spots = [low ** (1 - part / 20) * high ** (part / 20) for part in range(5, 17)]
            spot = max(
                spots,
                key=lambda x: min(math.dist(pixel(x, rate * x), pixel(point["x"], point["y"])) for point in points),
            )
            lines.append({"x": spot, "y": rate * spot, "text": text})
            px, py = pixel(spot, rate * spot)
            taken += [
                (px + step * 9 - 14, py - step * 12 - 10, px + step * 9 + 4, py - step * 12 + 8)
                for step in range(-4, 5)
            ]
        top = f"peak {short(peak)} GFLOP/s"
        peak_y = pixel(x_domain[1], peak)[1]
        taken.append((inner - text_width(top, LABEL), peak_y - 22, inner, peak_y + 2))
        # The limits themselves.
        for start, end in zip(roofs[::2], roofs[1::2]):
            spots = between(pixel(start["x"], start["y"]), pixel(end["x"], end["y"]), 80)
            taken += [(px - 2, py - 2, px + 2, py + 2) for px, py in spots]
        texts = [lines_of(point["number" if narrow else "name"], inner / 3, 12) for point in points]
        spots = [pixel(point["x"], point["y"]) for point in points]
        placed = place_labels(list(zip(spots, texts)), taken, inner, height)
        labels, leaders = [], []
        for point, (px, py), written, (left, middle) in zip(points, spots, texts, placed):
            x, y = value(left, middle - 8 * (len(written) - 1))
            labels.append({"x": x, "y": y, "text": written})
            end = leader_end((px, py), left, middle, written)
            if math.dist(end, (px, py)) > 14:
                x, y = value(*end)
                leaders += [
                    {"id": point["number"], "x": point["x"], "y": point["y"]},
                    {"id": point["number"], "x": x, "y": y},
                ]
        titles = [{"x": x_domain[1], "y": peak, "text": top}]
        slope = -math.degrees(
            math.atan2(height / math.log(y_domain[1] / y_domain[0]), inner / math.log(x_domain[1] / x_domain[0]))
        )
        x = {
            "field": "x",
            "type": "quantitative",
            "scale": {"type": "log", "domain": x_domain, "nice": False},
            "axis": axis(
                "Useful FLOP per byte of keys and values",
                ticks(*x_domain, most=5 if narrow else 9),
                inner - 20,
                grid=False,
            ),
        }
        y = {
            "field": "y",
            "type": "quantitative",
            "scale": {"type": "log", "domain": y_domain, "nice": False},
            "axis": axis("Useful GFLOP/s", ticks(*y_domain)),
        }
        position = {"x": x, "y": y}
        layers = [
            {
                "data": {"values": roofs},
                "mark": {"type": "line", "strokeWidth": 2, "color": TOKENS["muted"]},
                "encoding": position | {"detail": {"field": "roof"}},
            },
            {
                "data": {"values": titles},
                "mark": {"type": "text", "align": "right", "baseline": "bottom", "dy": -5, "color": TOKENS["muted"]},
                "encoding": position | {"text": {"field": "text"}},
            },
        ]
        for line in lines:
            layers.append(
                {
                    "data": {"values": [line]},
                    "mark": {"type": "text", "angle": slope, "baseline": "bottom", "dy": -4, "color": TOKENS["muted"]},
                    "encoding": position | {"text": {"field": "text"}},
                }
            )
        if leaders:
            layers.append(
                {
                    "data": {"values": leaders},
                    "mark": {"type": "line", "strokeWidth": 1, "color": TOKENS["muted"], "opacity": 0.6},
                    "encoding": position | {"detail": {"field": "id"}},
                }
            )
        layers += [
            {
                "data": {"values": points},
                "mark": {"type": "point", "filled": True, "size": 60, "opacity": 1, "color": token(first)},
                "encoding": position,
            },
            {
                "data": {"values": labels},
                "mark": {"type": "text", "align": "left", "baseline": "middle", "fontSize": 12, "lineHeight": 16},
                "encoding": position | {"text": {"field": "text"}},
            },
        ]
        return {"height": height, "layer": layers, "padding": PADDING}

    near = max(shown, key=lambda row: row.number("share_of_limit") or 0)
    share = near.number("share_of_limit")
    return Chart(
        key,
        f"Roofline, {dtype}",
        "Lines are limits measured on this machine in this run: arithmetic from registers on all threads, and reading from memory and "
        "from the last-level cache. Keys and values that fit into the cache may lie above the line of memory.",
        f"Useful GFLOP/s of {len(shown)} shapes against their operations for a byte, below a peak of {short(peak)} GFLOP/s."
        + (f" {near.shape} comes nearest to its limit, {share:.0%}." if share else ""),
        both(make),
        [point["name"] for point in points],
    )
