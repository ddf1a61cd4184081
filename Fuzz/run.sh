#!/usr/bin/env bash
# Runs fuzz targets, as many at a time as FUZZ_JOBS says (one a CPU where it does not), and prints a line for each.
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
# A target, to its end. Fails where it found something.
attack() {
  local target=$1 found=$work/found/$1 dictionary=$here/Dictionaries/$1.dict log=$work/logs/$1.log
  local before code faults runs speed edges
  mkdir -p "$found"
  before=$(find "$work/crashes" -name "$target-*" | wc -l)
  FUZZ_TARGET=$target "$program" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=4096 \
    -malloc_limit_mb="${allocation[$target]:-2048}" -max_len="${longest[$target]:-16384}" -print_final_stats=1 \
    -artifact_prefix="$work/crashes/$target-" $([ -f "$dictionary" ] && echo "-dict=$dictionary") \
    "$found" "$here/Corpora/$target" >"$log" 2>&1
  code=$?
  faults=$(($(find "$work/crashes" -name "$target-*" | wc -l) - before))
  # A process that ends without naming an input has failed too.
  [ $code -eq 0 ] || [ $faults -gt 0 ] || faults=1
  runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
  speed=$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")
  edges=$(grep -o ' cov: [0-9]*' "$log" | tail -1 | grep -o '[0-9]*')
  printf '%-18s %12s %9s %9s %9s %7s\n' "$target" "${runs:--}" "${speed:--}" "${edges:--}" "$(ls "$found" | wc -l)" $faults
  [ $faults -eq 0 ] && return
  grep -m3 -E 'fault: |Fatal error|ERROR: |Assertion|Precondition' "$log" | cut -c1-300
  echo "  log: $log"
  return 1
}

status=0 running=0
for target in "${targets[@]}"; do
  [ -d "$here/Corpora/$target" ] || { echo "no target $target; there are: $(ls "$here/Corpora" | tr '\n' ' ')" >&2; exit 64; }
done
for target in "${targets[@]}"; do
  if [ $running -ge "${FUZZ_JOBS:-$(nproc)}" ]; then
    wait -n || status=1
    running=$((running - 1))
  fi
  attack "$target" &
  running=$((running + 1))
done
while [ $running -gt 0 ]; do
  wait -n || status=1
  running=$((running - 1))
done
exit $status
