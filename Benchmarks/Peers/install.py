#!/usr/bin/env python3
"""Makes a Python environment with other engines in it, and says first what that downloads.

    install.py FOLDER [pytorch,onnxruntime,openvino,numpy]

`make peers` calls it. The versions are those of requirements.txt; what is there already is not downloaded again.
"""

import json
import re
import subprocess
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
import venv
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"

# What an engine needs beside NumPy, which passes the tensors.
PACKAGES = {"pytorch": ["torch"], "onnxruntime": ["onnx", "onnxruntime"], "openvino": ["openvino"], "numpy": []}

# Older ones download everything to tell what they would download.
OLDEST_PIP = (23, 3)


def main():
    folder, peers = Path(sys.argv[1]), sys.argv[2].split(",")
    for peer in peers:
        if peer not in PACKAGES:
            sys.exit(f"PEERS: no engine is called {peer!r}; there are {', '.join(PACKAGES)}")
    pins = dict(line.split("==") for line in REQUIREMENTS.read_text().splitlines() if "==" in line)
    wanted = ["numpy"] + [package for peer in peers for package in PACKAGES[peer]]
    requirements = [f"{package}=={pins[package]}" for package in wanted]

    python = folder / "bin" / "python"
    if not python.exists():
        print(f"A Python environment in {folder}", flush=True)
        try:
            venv.create(folder, with_pip=True)
        except (subprocess.CalledProcessError, OSError) as error:
            sys.exit(f"{folder}: no environment can be made ({error}); Debian and Ubuntu have it in python3-venv")
    if pip_version(python) < OLDEST_PIP:
        print("pip is too old to tell sizes: a newer one, about 2 MB, comes first", flush=True)
        pip(python, "install", "--quiet", "--upgrade", "pip")
    downloads = planned(python, requirements)
    if not downloads:
        print(f"{folder} has {', '.join(peers)} already")
        return
    total = 0
    for name, url in downloads:
        size = size_of(url)
        total += size or 0
        print(f"{megabytes(size):>10}  {name}")
    print(f"{megabytes(total):>10}  altogether, to download now into {folder}", flush=True)
    pip(python, "install", "--quiet", *requirements)
    print(f"{folder} has {', '.join(peers)}")


def planned(python: Path, requirements: list[str]) -> list[tuple[str, str]]:
    """Names with versions, and addresses, of all that pip would install."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        pip(python, "install", "--quiet", "--dry-run", "--report", report.name, *requirements)
        entries = json.load(report)["install"]
    return [
        (f"{entry['metadata']['name']} {entry['metadata']['version']}", entry["download_info"]["url"])
        for entry in entries
    ]


def size_of(url: str) -> int | None:
    """Bytes; None where nobody tells."""
    parts = urllib.parse.urlparse(url)
    if parts.scheme == "file":
        return Path(urllib.request.url2pathname(parts.path)).stat().st_size
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout=20) as answer:
            return int(answer.headers["Content-Length"])
    except (urllib.error.URLError, TimeoutError, TypeError, ValueError):
        return None


def megabytes(size: int | None) -> str:
    return "? MB" if size is None else f"{size / 1e6:.1f} MB"


def pip(python: Path, *arguments: str) -> None:
    if subprocess.run([python, "-m", "pip", *arguments]).returncode != 0:
        sys.exit("pip could not do it; see above")


def pip_version(python: Path) -> tuple[int, ...]:
    text = subprocess.run([python, "-m", "pip", "--version"], capture_output=True, text=True).stdout
    match = re.match(r"pip (\d+)\.(\d+)", text)
    return tuple(map(int, match.groups())) if match else (0, 0)


if __name__ == "__main__":
    main()
