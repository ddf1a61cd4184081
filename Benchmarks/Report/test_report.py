"""`make test-report` runs these."""

import contextlib
import html.parser
import io
import json
import math
import re
import tempfile
import unittest
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from unittest import mock

import drawing
import labels
import report
import results
import throughput

HOSTILE = "\"><script>alert(1)</script>'{{7*7}}</svg>"


def document(engines=("chosen", "pytorch", "naive"), shapes=("a", "b", "c"), dtype="f32", rounds=6):
    """Shapes of growing length, engines of different speed."""
    entries = []
    for index, shape in enumerate(shapes):
        for slower, engine in enumerate(engines, start=1):
            name = f"{shape}/{dtype}/{engine}"
            base = {"name": name, "run_name": name, "time_unit": "ms", "shape": shape, "dtype": dtype, "engine": engine}
            time = slower * 4**index
            entries += [
                base
                | {"run_type": "iteration", "repetition_index": r, "real_time": time * (1 + r / 100), "cpu_time": time}
                for r in range(rounds)
            ]
            length = 128 * 2**index
            entries.append(
                base
                | {
                    "name": f"{name}_median",
                    "run_type": "aggregate",
                    "aggregate_name": "median",
                    "real_time": time,
                    "batch": 1,
                    "queries": length,
                    "keys": length,
                    "query_heads": 8,
                    "key_value_heads": 8,
                    "head_dim": 64,
                    "value_dim": 64,
                    "mask": "none",
                    "useful_flops": 1e8 * 4**index,
                    "kv_bytes": 1e6 * 2**index,
                    "peak_gflops": 200.0,
                    "read_gbytes_per_s": 50.0,
                    "limit": "fma",
                    "share_of_limit": 0.5,
                    "median_ci_percent": 1.5,
                    "plan": "fused",
                }
            )
    context = {
        "cpu_model": "Some CPU",
        "threads": 2,
        "date": "2026-11-25T14:00:00+00:00",
        "noise": [],
        "precision": [],
        "engines": {engine: "1.0" for engine in engines if engine not in ("chosen", "gemm", "new", "naive")},
        "peak_gflops": {"f32": 200.0},
        "read_gbytes_per_s": {"memory": 40.0, "cache": 100.0},
    }
    return {"context": context, "benchmarks": entries}


def page(content):
    return report.page([report.section(results.parse(content), "f0")])


class Elements(html.parser.HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.tags, self.attributes = [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *attribute) for attribute in attrs]


class PageTests(unittest.TestCase):
    def test_it_has_every_part_and_loads_nothing(self):
        text = page(document())
        elements = Elements(text)
        for title in (
            "Throughput by length",
            "Throughput of each shape",
            "Roofline",
            "Latency of the rounds",
            "Medians, f32",
        ):
            self.assertIn(title, text)
        self.assertFalse({"script", "link", "img", "iframe", "object"} & set(elements.tags))
        self.assertFalse([entry for entry in elements.attributes if entry[1] in ("src", "href", "xlink:href")])
        # Four charts, each wide and narrow, each with words for those who do not see it.
        images = [value for tag, name, value in elements.attributes if name == "role" and value == "img"]
        labels = [value for tag, name, value in elements.attributes if name == "aria-label" and tag == "div"]
        self.assertEqual(len(images), 8)
        self.assertGreaterEqual(len([label for label in labels if len(label) > 30]), 8)

    def test_ids_are_the_pages_only_ones(self):
        ids = re.findall(r'\bid="([^"]+)"', page(document()))
        self.assertEqual(len(ids), len(set(ids)))

    def test_no_color_is_left_that_no_theme_has(self):
        text = page(document())
        self.assertNotIn("#fe01", text)
        self.assertIn("var(--chosen)", text)
        self.assertEqual(set(drawing.THEMES["light"]), set(drawing.THEMES["dark"]))

    def test_hostile_names_are_text(self):
        content = document(engines=("chosen", HOSTILE), shapes=(HOSTILE, "b\n\x00</style>", "c"))
        content["context"] |= {
            "cpu_model": HOSTILE,
            "noise": [HOSTILE],
            "precision": [HOSTILE],
            "engines": {HOSTILE: HOSTILE},
            "arguments": [HOSTILE],
        }
        for entry in content["benchmarks"]:
            entry["plan"] = HOSTILE
        text = page(content)
        self.assertNotIn("<script", text)
        self.assertNotIn("49", Elements(text).tags)
        self.assertIn("&lt;script&gt;", text)
        self.assertEqual(text.count("</style>"), 1)
        self.assertFalse([entry for entry in Elements(text).attributes if entry[1].startswith("on")])

    def test_the_table_counts_the_best_peer(self):
        row = report.table(results.parse(document(engines=("chosen", "pytorch", "openvino"))).rows)["lines"][0]
        self.assertEqual(
            [cell["text"] for cell in row["cells"]],
            ["1.02", "± 1.50 %", "fused", "97.6", "50% fma", "2.05", "3.08", "2.00"],
        )

    def test_ratios_are_of_the_rounds_that_both_took_part_in(self):
        content = document(engines=("chosen", "pytorch"), shapes=("a",), rounds=3)
        template = next(entry for entry in content["benchmarks"] if entry["engine"] == "chosen")
        # Ours slows down after the peer has had enough: that does not count.
        content["benchmarks"] += [template | {"repetition_index": 3 + r, "real_time": 100.0} for r in range(6)]
        line = report.table(results.parse(content).rows)["lines"][0]
        self.assertEqual(line["cells"][0], {"text": "100", "kind": "best"})
        self.assertEqual(line["cells"][-1]["text"], "2.00")

    def test_a_kernel_that_is_new_is_ours_and_an_engine_is_not(self):
        table = report.table(results.parse(document(engines=("new", "tensorflow", "naive"))).rows)
        self.assertEqual(table["heads"][1], "ours, ms")
        self.assertEqual(table["heads"][-3:], ["tensorflow, ms", "× best peer", "× naive"])

    def test_what_disturbed_the_machine_is_not_what_is_not_known_well(self):
        quiet, loud, wide = "Nothing on the machine disturbed", "Not a quiet machine", "Not all medians are known well"
        for noise, precision, told in (
            ([], [], [quiet]),
            ([], ["3 of 9"], [quiet, wide]),
            (["steal"], [], [loud]),
            (["steal"], ["3 of 9"], [loud, wide]),
        ):
            content = document()
            content["context"] |= {"noise": noise, "precision": precision}
            text = page(content)
            self.assertEqual([words for words in (quiet, loud, wide) if words in text], told)

    def test_a_grid_alone_needs_no_sweep(self):
        text = page(document(shapes=("a",)))
        self.assertNotIn("Throughput by length", text)
        self.assertIn("Throughput of each shape", text)

    def test_google_benchmarks_own_files_have_a_page(self):
        entries = [
            {
                "name": "BM_x/8",
                "run_name": "BM_x/8",
                "run_type": "iteration",
                "repetition_index": r,
                "real_time": 20 + r,
                "cpu_time": 20,
                "time_unit": "ns",
            }
            for r in range(3)
        ]
        text = page({"context": {"host_name": "h"}, "benchmarks": entries})
        self.assertIn("Latency of the rounds", text)

    def test_failures_are_told(self):
        content = document()
        content["benchmarks"].append(
            {
                "name": "d/f32/chosen",
                "run_type": "iteration",
                "real_time": 0,
                "cpu_time": 0,
                "time_unit": "ms",
                "shape": "d",
                "dtype": "f32",
                "engine": "chosen",
                "error_occurred": True,
                "error_message": "off by 3",
            }
        )
        self.assertIn("failed: off by 3", page(content))


class ChartTests(unittest.TestCase):
    def test_ticks_are_round_and_few(self):
        self.assertEqual(drawing.ticks(0.9, 11), [1, 2, 5, 10])
        self.assertEqual(drawing.ticks(0.9, 300, most=6), [1, 3, 10, 30, 100, 300])
        self.assertLessEqual(len(drawing.ticks(1e-6, 1e6, most=5)), 5)

    def test_labels_do_not_overlap(self):
        points = [((100 + index, 100), [f"name {index}"]) for index in range(8)]
        boxes = [
            (left, middle - 7, left + labels.text_width(lines[0], 12), middle + 7)
            for (_, lines), (left, middle) in zip(points, labels.place_labels(points, [], 600, 400))
        ]
        for index, box in enumerate(boxes):
            for other in boxes[index + 1 :]:
                self.assertEqual(labels.overlap(box, other), 0)

    def test_spread_keeps_order_and_distance(self):
        moved = throughput.spread([1.0, 1.1, 5.0], 1)
        self.assertGreaterEqual(moved[1] - moved[0], 1 - 1e-6)
        self.assertEqual(moved[2], 5.0)

    def test_what_is_not_drawing_is_refused(self):
        for content in (
            '<svg xmlns="http://www.w3.org/2000/svg"><script/></svg>',
            '<svg xmlns="http://www.w3.org/2000/svg"><g onload="x"/></svg>',
            '<svg xmlns="http://www.w3.org/2000/svg"><image href="x"/></svg>',
        ):
            with self.assertRaises(ValueError):
                drawing.inline(content, "x")

    def test_quantiles_are_numpys(self):
        # numpy.quantile([1, 2, 4, 8], [0.05, 0.25, 0.5, 0.95])
        self.assertEqual(
            [round(results.quantile([8, 1, 4, 2], q), 6) for q in (0.05, 0.25, 0.5, 0.95)], [1.15, 1.75, 3, 7.4]
        )


def text_boxes(svg):
    """Each text of a picture, and the corners of its box as the widest font draws it."""

    def turned(angle, x, y):
        return x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)

    def walk(element, place):
        # Where (x, y) goes: turned by so many degrees, then moved.
        turn, (dx, dy) = place
        for kind, numbers in re.findall(r"(translate|rotate)\(([^)]*)\)", element.get("transform", "")):
            first, *rest = (float(number) for number in re.split(r"[ ,]+", numbers))
            if kind == "rotate":
                turn += math.radians(first)
            else:
                x, y = turned(turn, first, rest[0] if rest else 0)
                dx, dy = dx + x, dy + y
        place = turn, (dx, dy)
        if element.tag.endswith("}text"):
            lines = [span.text or "" for span in element.iter() if span.tag.endswith("}tspan")] or [element.text or ""]
            size = float(element.get("font-size").removesuffix("px"))
            width = labels.block_width(lines, size)
            left = {"start": 0, "middle": -width / 2, "end": -width}[element.get("text-anchor")]
            top, bottom = -0.8 * size, (1.2 * (len(lines) - 1) + 0.2) * size
            corners = [(left, top), (left + width, top), (left, bottom), (left + width, bottom)]
            corners = [turned(turn, *corner) for corner in corners]
            yield " ".join(lines).strip(), [(x + dx, y + dy) for x, y in corners]
        for child in element:
            yield from walk(child, place)

    return walk(ElementTree.fromstring(svg), (0.0, (0.0, 0.0)))


class LabelTests(unittest.TestCase):
    def test_texts_are_taken_for_as_wide_as_in_the_widest_font(self):
        # DejaVu Sans's own advances, of 2048 units an em.
        for text, units in (("llama-decode-32k", 18412), ("swift-attention", 14916), ("ONNX Runtime", 15376)):
            self.assertGreaterEqual(labels.text_width(text, 13), 13 * units / 2048)
            self.assertLess(labels.text_width(text, 13), 1.2 * 13 * units / 2048)

    def test_lines_are_narrow_and_leave_nothing_out(self):
        for text in ("llama-decode-32k", "x" * 100, "a b", "", "-", "two words-and more"):
            for width in (20, 60, 1000):
                lines = labels.lines_of(text, width, 12)
                self.assertEqual("".join(lines).replace(" ", ""), text.replace(" ", ""))
                self.assertLessEqual(labels.block_width(lines, 12), max(width, labels.text_width("M", 12)))

    def test_no_label_is_cut_in_any_font_at_any_width(self):
        names = ["llama-decode-32k", "a-shape-with-a-long-name-of-its-own", "x" * 60, "c"]
        peers = ["pytorch", "onnxruntime", "vllm", "an engine that nobody knows by name"]
        for shapes, engines, wide, narrow in (
            (names[:1] + list("abc"), ("chosen", *peers[:3], "naive"), 940, 350),
            (names, ("chosen", *peers), 940, 350),
            (names, ("chosen", *peers), 640, 300),
            (names[1:], ("chosen", peers[-1]), 1400, 420),
        ):
            with mock.patch.dict(drawing.WIDTHS, {"wide": wide, "narrow": narrow}):
                charts = report.section(results.parse(document(engines, shapes)), "f0")["dtypes"][0]["charts"]
            self.assertEqual(len(charts), 4)
            for chart in (chart["source"] for chart in charts):
                for kind, svg in chart.svgs.items():
                    written = list(text_boxes(svg))
                    width, height = map(float, re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', svg).groups())
                    for text, corners in written:
                        with self.subTest(chart=chart.key, width=width, text=text):
                            self.assertNotIn("…", text)
                            for x, y in corners:
                                self.assertTrue(0 <= x <= width and 0 <= y <= height, f"({x:.0f}, {y:.0f}) in {width} x {height}")
                    all_text = "".join(text for text, _ in written).replace(" ", "")
                    if chart.key.startswith(("throughput", "latency")) or (chart.key.startswith("roofline") and kind == "wide"):
                        for shape in shapes:
                            self.assertIn(shape, all_text, f"{chart.key}, {kind}")


class CommandTests(unittest.TestCase):
    def test_files_are_written_whole(self):
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            (folder / "r.json").write_text(json.dumps(document()))
            report.main(
                [str(folder / "r.json"), "-o", str(folder / "new" / "page.html"), "--charts", str(folder / "charts")]
            )
            self.assertEqual([path.name for path in (folder / "new").iterdir()], ["page.html"])
            names = sorted(path.name for path in (folder / "charts").iterdir())
            self.assertEqual(len(names), 4 * 2 * 2)
            self.assertIn("roofline-f32-dark.svg", names)

    def test_what_cannot_be_written_ends_in_one_line(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "r.json"
            path.write_text(json.dumps(document(shapes=("a",))))
            for output in (folder, str(path / "page.html"), "/proc/page.html"):
                with self.assertRaises(SystemExit) as raised:
                    report.main([str(path), "-o", output])
                self.assertRegex(str(raised.exception), r"^Error: [^\n]+$")
            self.assertEqual([entry.name for entry in Path(folder).iterdir()], ["r.json"])

    def test_bad_files_end_in_one_line(self):
        for text in (
            "",
            "[]",
            "{}",
            '{"context": {}, "benchmarks": []}',
            '{"context": {}, "benchmarks": [3]}',
            '{"context": 3, "benchmarks": [{"name": "a", "real_time": 1}]}',
            '{"context": {}, "benchmarks": [{"name": "a", "real_time": "x"}]}',
            "[" * 100_000,
        ):
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "r.json"
                path.write_text(text)
                with self.assertRaises(SystemExit) as raised, contextlib.redirect_stderr(io.StringIO()):
                    report.main([str(path), "-o", str(Path(folder) / "page.html")])
                self.assertRegex(str(raised.exception), r"^Error: [^\n]+$")
                self.assertEqual([entry.name for entry in Path(folder).iterdir()], ["r.json"])


if __name__ == "__main__":
    unittest.main()
