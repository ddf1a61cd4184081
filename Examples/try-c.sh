#!/usr/bin/env bash
# Compiles the examples in C, C++ and Rust against FOLDER/prefix, runs them there, and compares what they print: try-c.sh FOLDER
set -euo pipefail
here="$(dirname "$0")"
out="$(realpath "$1")"
export PKG_CONFIG_PATH="$out/prefix/lib/pkgconfig" LD_LIBRARY_PATH="$out/prefix/lib"
flags="$(pkg-config --cflags --libs attention)"
# shellcheck disable=SC2086
cc -std=c11 -Wall -Wextra -Werror -O2 "$here/C/decode.c" $flags -lm -o "$out/decode-c"
# shellcheck disable=SC2086
c++ -std=c++17 -Wall -Wextra -Werror -O2 "$here/C++/decode.cpp" $flags -o "$out/decode-c++"
rustc -O -L "$out/prefix/lib" -l dylib=attention "$here/Rust/decode.rs" -o "$out/decode-rust"
for program in c c++ rust; do
  "$out/decode-$program" | tee "$out/$program.txt"
  diff "$here/C/expected.txt" "$out/$program.txt"
done
