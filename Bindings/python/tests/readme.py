"""The README's programs and what it says they print."""

import contextlib
import io
import os
import re
from pathlib import Path

README = Path(__file__).resolve().parents[1] / "README.md"
REPOSITORY = README.parents[2]
PROGRAMS = re.findall(r"```python\n(.*?)```\n\n```text\n(.*?)```", README.read_text(), re.DOTALL)


def programs(with_torch: bool):
    """(program, what it prints), those that use PyTorch or the others."""
    return [each for each in PROGRAMS if ("import torch" in each[0]) == with_torch]


def printed(program: str) -> str:
    """What a program prints, run in the repository's folder."""
    here, output = os.getcwd(), io.StringIO()
    os.chdir(REPOSITORY)
    try:
        with contextlib.redirect_stdout(output):
            exec(compile(program, str(README), "exec"), {"__name__": "readme"})
    finally:
        os.chdir(here)
    return output.getvalue()
