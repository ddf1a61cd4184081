#!/usr/bin/env bash
# Generates from one prompt with the cache on several ranks: generate.sh PROGRAM RANKS...
# The tokens of one rank have to come. In Float32 ranks differ in the sixth digit, and this text's tokens lead by far more.
set -euo pipefail
program=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# Some 650 tokens of the tiny model: three blocks of the cache.
prompt="$(head -c 1500 "$(dirname "$0")/../../LICENSE")"
tokens() {
  "$@" "$program" generate --weights f32 --cache f32 --max-tokens 24 --format json - <<<"$prompt" 2>/dev/null \
    | grep -o '"tokens":\[[0-9,]*\]'
}

alone="$(tokens env)"
for ranks in "$@"; do
  together="$(tokens mpirun --oversubscribe -n "$ranks")" || { echo "no text from $ranks ranks"; exit 1; }
  [ "$together" = "$alone" ] || { printf '%s ranks give other tokens than one:\n%s\n%s\n' "$ranks" "$together" "$alone"; exit 1; }
  echo "ranks $ranks: the tokens of one rank"
done

# What needs the whole cache is refused, and nobody hangs.
status=0
output="$(timeout 60 mpirun --oversubscribe -n 2 "$program" generate --window 64 text 2>&1)" || status=$?
[ "$status" = 64 ] && grep -q -- "--window: does not go with several ranks" <<<"$output" \
  || { echo "--window over 2 ranks: exit code $status"; echo "$output"; exit 1; }
