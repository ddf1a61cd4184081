"""What model_peers.py answers, with an engine that counts: .build/peers/bin/python -m unittest discover -s Benchmarks/Peers"""

import json
import tempfile
import unittest
from pathlib import Path

import numpy as np

from model_engines import stored
from model_peers import ModelBench, reply
from problem import Unsupported
from tensors import read_tensors


class CountingEngine:
    """Continues with the sum of all tokens before, modulo 10; a text's row has its length."""

    vocabulary = 10

    def __init__(self):
        self.loaded, self.unloads, self.lost = None, 0, 0

    def unload(self):
        self.unloads += 1

    def load(self, path, weights, cache, context):
        if weights == "q3":
            raise Unsupported("has no q3")
        self.loaded = (str(path), weights, cache, context)
        return "counting"

    def generate(self, prompt, count):
        tokens = list(prompt)
        for _ in range(count):
            tokens.append(sum(tokens) % 10)
        new = tokens[len(prompt) :]
        return new[self.lost :], [0.5 + index for index in range(count)]

    def embed(self, texts):
        return np.array([[len(text), 1] for text in texts], np.float32)


class ModelPeersTests(unittest.TestCase):
    def setUp(self):
        self.engine = CountingEngine()
        self.bench = ModelBench(self.engine)

    def ask(self, do: str, **body):
        answer = reply(self.bench, json.dumps({"request": 7, "do": do} | body))
        # It has to be a line.
        self.assertNotIn("\n", json.dumps(answer, allow_nan=False))
        self.assertEqual(answer.pop("request"), 7)
        return answer

    def load(self, **body):
        answer = self.ask("load", model="/m.gguf", **body)
        self.assertEqual(answer.get("call"), "counting", answer)

    def assert_refused(self, reason: str, answer: dict):
        self.assertEqual(list(answer), ["error"])
        self.assertIn(reason, answer["error"])

    def test_loads_with_and_without_choices(self):
        self.load()
        self.assertEqual(self.engine.loaded, ("/m.gguf", "file", None, 8192))
        self.load(weights="bf16", cache="q8_0", context=64)
        self.assertEqual(self.engine.loaded, ("/m.gguf", "bf16", "q8_0", 64))
        self.assertEqual(self.engine.unloads, 2)

    def test_generates_after_the_prompt_with_the_prompts_time_apart(self):
        self.load()
        answer = self.ask("generate", tokens=[1, 2, 4], count=4)
        self.assertEqual(answer["tokens"], [7, 4, 8, 6])
        self.assertEqual((answer["seconds_prefill"], answer["seconds_each"]), (0.5, [1.5, 2.5, 3.5]))
        self.assertGreaterEqual(answer["cpu_seconds"], 0)
        answer = self.ask("prefill", tokens=[1, 2, 4])
        self.assertEqual((answer["token"], answer["seconds"]), (7, 0.5))

    def test_refuses_prompts_that_no_engine_should_see(self):
        self.load(context=4)
        self.assert_refused("tokens have to be 0 to 9", self.ask("generate", tokens=[1, 10], count=1))
        self.assert_refused("tokens have to be 0 to 9", self.ask("generate", tokens=[1, -1], count=1))
        self.assert_refused("tokens have to be 0 to 9", self.ask("generate", tokens=[1, 1.5], count=1))
        self.assert_refused("tokens have to be 0 to 9", self.ask("generate", tokens="abc", count=1))
        self.assert_refused("0 tokens and 1 more", self.ask("prefill", tokens=[]))
        self.assert_refused("3 tokens and 2 more, expected some and at most 4", self.ask("generate", tokens=[1] * 3, count=2))
        self.assert_refused("count is 0", self.ask("generate", tokens=[1], count=0))
        self.assertEqual(self.ask("generate", tokens=[1] * 3, count=1)["tokens"], [3])

    def test_an_engine_that_stops_early_is_no_measurement(self):
        self.load()
        self.engine.lost = 1
        self.assert_refused("it generated 2 tokens and timed 3, expected 3", self.ask("generate", tokens=[1], count=3))

    def test_nothing_runs_before_or_after_a_load_that_failed(self):
        self.assert_refused("nothing is loaded", self.ask("prefill", tokens=[1]))
        self.load()
        self.assert_refused("has no q3", self.ask("load", model="/m.gguf", weights="q3"))
        self.assert_refused("nothing is loaded", self.ask("prefill", tokens=[1]))
        self.assert_refused("context is 1", self.ask("load", model="/m.gguf", context=1))

    def test_embeds_texts_of_the_line_or_of_a_file_and_writes_rows(self):
        self.load()
        with tempfile.TemporaryDirectory() as folder:
            texts, output = Path(folder, "texts.json"), Path(folder, "rows.safetensors")
            texts.write_text(json.dumps(["abc", "Größe"]))
            answer = self.ask("embed", file=str(texts), output=str(output))
            self.assertEqual((answer["rows"], answer["width"]), (2, 2))
            np.testing.assert_array_equal(read_tensors(str(output))["Y"], [[3, 1], [5, 1]])
        self.assertEqual(self.ask("embed", texts=["a"])["rows"], 1)
        for wrong in ([], "abc", [1], {}):
            self.assert_refused("texts have to be", self.ask("embed", texts=wrong))

    def test_answers_lines_that_are_no_requests(self):
        for line in ("", "nonsense", "[1]", "{}", "3", "null"):
            answer = reply(self.bench, line)
            self.assertEqual((answer["request"], "error" in answer), (0, True), line)
        self.assert_refused("cannot do what", self.ask("what"))
        self.assert_refused("KeyError", self.ask("load"))

    def test_counts_memory(self):
        answer = self.ask("memory")
        self.assertGreater(answer["resident_bytes"], 1 << 20)
        self.assertGreaterEqual(answer["peak_bytes"], answer["resident_bytes"])

    def test_finds_the_file_with_other_weights(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "model.gguf")
            with self.assertRaisesRegex(Unsupported, "there is no .*model.gguf$"):
                stored(path, "file")
            path.touch()
            self.assertEqual(stored(path, "file"), path)
            with self.assertRaisesRegex(Unsupported, "model-q8_0.gguf, which requantize.py makes"):
                stored(path, "q8_0")
            Path(folder, "model-q8_0.gguf").touch()
            self.assertEqual(stored(path, "q8_0"), Path(folder, "model-q8_0.gguf"))


if __name__ == "__main__":
    unittest.main()
