#!/usr/bin/env python3
"""requantize.py MODEL.gguf TYPE…: the same model with other weights beside it, MODEL-TYPE.gguf, for engines that compute with what
a file stores. It needs llama.cpp, so a Python that has it: that of `make peers PEERS=llamacpp`.

    .build/peers/bin/python Benchmarks/Models/requantize.py Models/smollm2-135m-instruct/model.gguf q8_0 bf16

From fewer bits to more: bf16 keeps Q4_1's values to 8 bits, and q8_0 rounds them once more. What is there stays.
"""

import os
import sys
from ctypes import byref
from pathlib import Path

# llama.cpp's numbers of what files mostly hold; norms are f32 in all of them.
TYPES = {"f32": 0, "f16": 1, "q8_0": 7, "bf16": 32}


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__.splitlines()[0])
    source, asked = Path(sys.argv[1]), sys.argv[2:]
    for name in asked:
        if name not in TYPES:
            sys.exit(f"requantize: no type is called '{name}'; there are {' '.join(TYPES)}")
    if not source.is_file():
        sys.exit(f"requantize: there is no {source}")
    try:
        import llama_cpp
    except ImportError:
        sys.exit("requantize: this Python has no llama.cpp; `make peers PEERS=llamacpp` makes one that has")
    for name in asked:
        target = source.with_name(f"{source.stem}-{name}{source.suffix}")
        if target.exists():
            print(f"{target} is there", file=sys.stderr)
            continue
        requantize(llama_cpp, source, target, TYPES[name])


def requantize(llama_cpp, source: Path, target: Path, kind: int):
    """Writes beside the target, and renames once all is there."""
    options = llama_cpp.llama_model_quantize_default_params()
    options.ftype, options.allow_requantize, options.nthread = kind, True, os.cpu_count()
    # Every matrix in the type that was asked for, the token embedding too.
    options.pure = True
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        failed = llama_cpp.llama_model_quantize(os.fsencode(source), os.fsencode(scratch), byref(options))
        if failed:
            sys.exit(f"requantize: llama.cpp could not write {target}")
        os.replace(scratch, target)
    finally:
        scratch.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
