"""fetch.py against wheels in a folder: python3 -m unittest discover -s Benchmarks/Models"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile
from pathlib import Path

FETCH = Path(__file__).with_name("fetch.py")
PARTS = {"toy-part1": b"first " * 1000, "toy-part2": b"second " * 1000}
WHOLE = b"".join(PARTS.values())


class FetchTests(unittest.TestCase):
    def setUp(self):
        self.root = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.root)
        self.models, self.wheels = self.root / "Models", self.root / "wheels"
        self.wheels.mkdir()
        for name, content in PARTS.items():
            self.write_wheel(name, content)
        shutil.copy(FETCH, self.root)
        self.describe()

    def write_wheel(self, package: str, content: bytes):
        module = package.replace("-", "_")
        info = f"{module}-1.0.dist-info"
        with zipfile.ZipFile(self.wheels / f"{module}-1.0-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{module}/part", content)
            wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
            wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
            wheel.writestr(f"{info}/RECORD", "")

    def describe(self, **changes):
        parts = [[name, f"{name.replace('-', '_')}/part"] for name in PARTS]
        file = {"path": "deep/model.bin", "bytes": len(WHOLE), "sha256": hashlib.sha256(WHOLE).hexdigest(), "parts": parts}
        model = {"name": "toy", "folder": "toy-1", "title": "Toy", "license": "none", "megabytes": 1}
        model |= {"packages": {name: "1.0" for name in PARTS}, "files": [file | changes]}
        (self.root / "models.json").write_text(json.dumps([model]))

    def fetch(self, *names: str):
        """Its exit code, and what it said."""
        environment = os.environ | {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": str(self.wheels), "PIP_CONFIG_FILE": os.devnull}
        command = [sys.executable, "-B", str(self.root / "fetch.py"), str(self.models), *names]
        run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.assertEqual(run.stdout, "")
        return run.returncode, run.stderr

    def files(self):
        return sorted(str(path.relative_to(self.models)) for path in self.models.rglob("*") if path.is_file())

    def assert_refused(self, reason: str):
        code, said = self.fetch()
        self.assertEqual(code, 1, said)
        self.assertIn(reason, said.splitlines()[-1])
        self.assertTrue(said.splitlines()[-1].startswith("models: "), said)
        self.assertEqual(self.files(), [])
        # Nor is anything left of what it began.
        self.assertEqual([path.name for path in self.models.iterdir()], [])

    def test_joins_parts_in_order(self):
        code, said = self.fetch()
        self.assertEqual(code, 0, said)
        self.assertEqual((self.models / "toy-1/deep/model.bin").read_bytes(), WHOLE)
        self.assertEqual(self.files(), ["toy-1/deep/model.bin"])

    def test_what_is_right_stays(self):
        self.fetch()
        before = (self.models / "toy-1/deep/model.bin").stat()
        shutil.rmtree(self.wheels)
        code, said = self.fetch("toy")
        self.assertEqual((code, "is there" in said), (0, True), said)
        after = (self.models / "toy-1/deep/model.bin").stat()
        self.assertEqual((before.st_ino, before.st_mtime_ns), (after.st_ino, after.st_mtime_ns))

    def test_what_is_damaged_is_replaced_and_neighbours_stay(self):
        self.fetch()
        place = self.models / "toy-1/deep/model.bin"
        place.with_name("model-q8_0.gguf").write_text("made from it")
        damaged = bytearray(WHOLE)
        damaged[4321] ^= 1
        place.write_bytes(damaged)
        self.assertEqual(self.fetch()[0], 0)
        self.assertEqual(place.read_bytes(), WHOLE)
        self.assertEqual(place.with_name("model-q8_0.gguf").read_text(), "made from it")

    def test_refuses_another_digest(self):
        self.describe(sha256="0" * 64)
        self.assert_refused("has SHA-256")

    def test_refuses_too_many_bytes(self):
        self.describe(bytes=len(WHOLE) - 1)
        self.assert_refused(f"is longer than {len(WHOLE) - 1} bytes")

    def test_refuses_too_few_bytes(self):
        self.describe(bytes=len(WHOLE) + 1)
        self.assert_refused(f"has {len(WHOLE)} bytes, expected {len(WHOLE) + 1}")

    def test_refuses_a_wheel_without_the_member(self):
        self.describe(parts=[["toy-part1", "toy_part1/other"]])
        self.assert_refused("the wheel of toy-part1 has no toy_part1/other")

    def test_refuses_a_wheel_that_is_none(self):
        (self.wheels / "toy_part1-1.0-py3-none-any.whl").write_bytes(b"PK\3\4 cut off")
        self.assert_refused("models: ")

    def test_says_what_cannot_be_downloaded_after_a_second_try(self):
        (self.wheels / "toy_part2-1.0-py3-none-any.whl").unlink()
        _, said = self.fetch()
        self.assertEqual(said.count("toy-part2 1.0, once more"), 1, said)
        self.assert_refused("pip cannot download toy-part2 1.0")

    def test_names_the_models_that_there_are(self):
        code, said = self.fetch("toys")
        self.assertEqual((code, said), (64, "MODELS: no model is called 'toys'; there are toy\n"))


if __name__ == "__main__":
    unittest.main()
