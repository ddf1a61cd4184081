#!/usr/bin/env bash
# Runs fuzz targets one after the other, two processes each at most, and prints a line for each.
#   Fuzz/run.sh PROGRAM SECONDS [TARGET...]
# Inputs that end a target are kept in .build/fuzz/crashes; the exit code is 1 then. The committed corpora are only read: what a run finds
# goes to .build/fuzz/found, from which the next run goes on.
set -uo pipefail
program=$1 seconds=$2
shift 2
here=$(cd "$(dirname "$0")" && pwd)
work=$here/../.build/fuzz
mkdir -p "$work/crashes" "$work/logs"
targets=("$@")
[ ${#targets[@]} -gt 0 ] || targets=($(ls "$here/Corpora"))

# A file's reader has no reason to ask for much more memory than the file has. What computes has scratch and BLAS's buffers beside it.
declare -A allocation=([safetensors]=8 [gguf]=8 [npy]=8 [chats]=8 [benchmark-files]=8 [sampling]=8)
declare -A longest=([sampling]=300 [key-values]=300 [problems]=100 [command-lines]=400)

# Errors of the arithmetic of masks and NaN are found by comparison; a leak at the end of a process is none.
export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1 SWIFT_BACKTRACE=enable=no OPENBLAS_NUM_THREADS=1 ATTENTION_NUM_THREADS=2

printf '%-18s %12s %9s %9s %9s %7s\n' target runs runs/s edges corpus faults
status=0
for target in "${targets[@]}"; do
  [ -d "$here/Corpora/$target" ] || { echo "no target $target; there are: $(ls "$here/Corpora" | tr '\n' ' ')" >&2; exit 64; }
  found=$work/found/$target
  mkdir -p "$found"
  dictionary=$here/Dictionaries/$target.dict
  before=$(find "$work/crashes" -name "$target-*" | wc -l)
  log=$work/logs/$target.log
  FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
    -malloc_limit_mb="${allocation[$target]:-2048}" -max_len="${longest[$target]:-16384}" -print_final_stats=1 \
    -artifact_prefix="$work/crashes/$target-" $([ -f "$dictionary" ] && echo "-dict=$dictionary") \
    "$found" "$here/Corpora/$target" >"$log" 2>&1
  code=$?
  faults=$(($(find "$work/crashes" -name "$target-*" | wc -l) - before))
  # A process that ends without naming an input has failed too.
  [ $code -eq 0 ] || [ $faults -gt 0 ] || faults=1
  [ $faults -eq 0 ] || status=1
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  edges=$(grep -o ' cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*')
  printf '%-18s %12s %9s %9s %9s %7s\n' "$target" "${runs:--}" "${speed:--}" "${edges:--}" "$(ls "$found" | wc -l)" $faults
  [ $faults -eq 0 ] || { grep -m3 -E 'fault: |Fatal error|ERROR: |Assertion|Precondition' "$log" | cut -c1-300; echo "  log: $log"; }
done
exit $status
