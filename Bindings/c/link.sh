#!/usr/bin/env bash
# Links libattention.so from the objects that `swift build -c release --product AttentionC` left: link.sh FOLDER
#
# SwiftPM links a dynamic product with the Swift libraries and OpenBLAS beside it, and the manifest of a package that others depend on
# may not change that. This link takes both from their archives and exports attention_* alone: the library needs the C library and nothing else.
set -euo pipefail
cd "$(dirname "$0")/../.."
out=$1
build="$(swift build -c release --show-bin-path)"
version="$(sed -n 's/^#define ATTENTION_VERSION "\(.*\)"/\1/p' Sources/CAttention/include/attention.h)"
# Before 1.0 a minor version may change what the header says.
soname="libattention.so.${version%.*}"

# The only folder in which the linker looks for these two has their archives alone.
archives="$out/archives"
mkdir -p "$archives"
archive() {
  local file
  file="$(cc -print-file-name="$1")"
  [ -e "$file" ] || file="$(pkg-config --variable=libdir openblas)/$1"
  [ -e "$file" ] || { echo "link.sh: no $1 on this machine, which libopenblas-dev and g++ bring" >&2; exit 1; }
  ln -sf "$(realpath "$file")" "$archives/$1"
}
archive libopenblas.a
archive libstdc++.a

swiftc -emit-library -static-stdlib -module-name AttentionC -o "$out/libattention.so.$version" \
  @"$build/AttentionC.product/Objects.LinkFileList" -L "$archives" -lopenblas \
  -Xclang-linker -static-libgcc -Xlinker --gc-sections -Xlinker -s -Xlinker -z -Xlinker defs \
  -Xlinker --version-script=Bindings/c/exports.map -Xlinker -soname="$soname"
ln -sf "libattention.so.$version" "$out/$soname"
ln -sf "$soname" "$out/libattention.so"
rm -r "$archives"

# What a user's machine needs, and what a user's program sees.
others="$(nm -D --defined-only "$out/libattention.so" | awk '$2 ~ /[A-Zui]/ && $3 !~ /^attention_/ { print $3 }')"
[ -z "$others" ] || { echo "link.sh: exported beside attention_*: $others" >&2; exit 1; }
needed="$(readelf -d "$out/libattention.so" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')"
grep -q '^libc\.so' <<<"$needed" || { echo "link.sh: cannot read what the library needs" >&2; exit 1; }
needed="$(grep -vE '^(libc|libm|ld-linux[a-z0-9-]*)\.so' <<<"$needed" || true)"
[ -z "$needed" ] || { echo "link.sh: needs beside the C library: $needed" >&2; exit 1; }
