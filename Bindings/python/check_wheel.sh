#!/usr/bin/env bash
# Checks that a wheel loads where its name says: check_wheel.sh ENVIRONMENT WHEEL
set -euo pipefail
environment=$1
wheel=$2
tag="$(basename "$wheel" .whl)"
tag="${tag##*-}"
# Line ends fall within the sentence.
found="$("$environment/bin/auditwheel" show "$wheel" | tr '\n' ' ')"
grep -qF "consistent with the following platform tag: \"$tag\"" <<<"$found" || {
  echo "check_wheel.sh: $wheel is named for $tag; auditwheel says: $found" >&2
  exit 1
}
# Away from the sources, in an interpreter that sees nothing else.
scratch="$(mktemp -d)"
trap 'rm -rf "$scratch"' EXIT
"$environment/bin/python" -m zipfile -e "$wheel" "$scratch"
cd "$scratch"
python3 -I -S -B -c 'import sys; sys.path.insert(0, "."); import swift_attention; print("swift_attention", swift_attention.__version__, "loads without NumPy and PyTorch")'
du -h "$OLDPWD/$wheel"
