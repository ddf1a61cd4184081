#!/bin/sh
# install.sh FOLDER ENGINE…: Python environments with other engines in them. `make peers` calls it.
#
# FOLDER has all engines but vllm and zentorch, each of which was built with another torch: FOLDER-vllm and FOLDER-zentorch have theirs
# alone, and look for everything else, CUDA's libraries among it, in FOLDER.
set -eu
folder=$1
files=$(dirname "$0")/requirements
shift

# add PLACE ENGINE [FLAG]: an engine's packages, into an environment that is made where there is none.
add() {
  [ -x "$1/bin/pip" ] || python3 -m venv "$1"
  echo "$2 goes into $1. Unless it is there: $(sed -n '1s/^# //p' "$files/$2.txt")"
  "$1/bin/pip" install --quiet --disable-pip-version-check ${3:+"$3"} -r "$files/$2.txt"
}

packages() { "$1/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))'; }

for engine; do
  if [ ! -e "$files/$engine.txt" ]; then
    echo "PEERS: no engine is called '$engine'; there are" $(cd "$files" && basename -s .txt -- *) >&2
    exit 64
  fi
done
for engine; do
  case $engine in
    vllm | zentorch)
      add "$folder" pytorch
      add "$folder-$engine" "$engine" --no-deps
      packages "$(realpath "$folder")" >"$(packages "$folder-$engine")/peers.pth"
      ;;
    # Without what it has for images, and for this CPU alone.
    llamacpp) CMAKE_ARGS="-DGGML_NATIVE=ON -DLLAVA_BUILD=OFF" add "$folder" "$engine" ;;
    *) add "$folder" "$engine" ;;
  esac
done
