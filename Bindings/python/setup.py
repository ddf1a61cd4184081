"""What pyproject.toml cannot say: the version is the header's, the library comes along, and the wheel is for any Python on such a Linux."""

import platform
import re
import shutil
from pathlib import Path

from setuptools import setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

REPOSITORY = Path(__file__).resolve().parents[2]
HEADER = REPOSITORY / "Sources/CAttention/include/attention.h"
VERSION = re.search(r'^#define ATTENTION_VERSION "(.*)"', HEADER.read_text(), re.MULTILINE)[1]
LIBRARY = REPOSITORY / f".build/c/libattention.so.{VERSION}"
SCRATCH = REPOSITORY / ".build/wheels"


class BuildWithLibrary(build_py):
    def run(self):
        super().run()
        if not LIBRARY.exists():
            raise SystemExit(f"{LIBRARY} is not there: `make wheel` builds it")
        shutil.copy(LIBRARY, Path(self.build_lib) / "swift_attention/libattention.so")


class LinuxWheel(bdist_wheel):
    def get_tag(self):
        # The newest symbol of the C library that is needed says on which systems it loads.
        newest = max(int(minor) for minor in re.findall(rb"GLIBC_2\.(\d+)", LIBRARY.read_bytes()))
        return "py3", "none", f"manylinux_2_{newest}_{platform.machine()}"


SCRATCH.mkdir(parents=True, exist_ok=True)
setup(
    version=VERSION,
    cmdclass={"build_py": BuildWithLibrary, "bdist_wheel": LinuxWheel},
    # Nothing is left in the source tree.
    options={"build": {"build_base": str(SCRATCH / "build")}, "egg_info": {"egg_base": str(SCRATCH)}},
)
