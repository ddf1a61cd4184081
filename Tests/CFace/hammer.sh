#!/usr/bin/env bash
# Runs the hammer for SECONDS in all, a share of them each way: hammer.sh HAMMER SECONDS
#
# OpenBLAS as it chooses its kernels and with those of other CPUs, the kernels of lower instruction sets, and half of one CPU.
set -euo pipefail
hammer=$1
share=$((($2 + 6) / 7))
share=$((share < 1 ? 1 : share))

run() {
  echo "hammer: ${*:-as it is}" >&2
  env "$@" "$hammer" "$share"
}
run
for core in Haswell Zen SkylakeX; do
  # Kernels of AVX-512 need a CPU that has it.
  if [ "$core" = SkylakeX ] && ! grep -qm1 avx512bw /proc/cpuinfo; then
    echo "hammer: no AVX-512 here, so none of OpenBLAS's kernels for SkylakeX" >&2
    continue
  fi
  run OPENBLAS_CORETYPE="$core"
done
for set in avx2 scalar; do run ATTENTION_KERNELS="$set"; done

# A group of version 2 with half a CPU of quota, or one of version 1.
group=
for parent in /sys/fs/cgroup /sys/fs/cgroup/cpu; do
  folder="$parent/attention-hammer-$$"
  mkdir "$folder" 2>/dev/null || continue
  # Where the folder of groups is none, a new folder in it is empty.
  if [ -e "$folder/cpu.max" ] && { echo "50000 100000" > "$folder/cpu.max"; } 2>/dev/null \
    || [ -e "$folder/cpu.cfs_quota_us" ] && { echo 100000 > "$folder/cpu.cfs_period_us" && echo 50000 > "$folder/cpu.cfs_quota_us"; } 2>/dev/null; then
    group=$folder
    break
  fi
  rmdir "$folder"
done
if [ -z "$group" ]; then
  echo "hammer: /sys/fs/cgroup lets nobody make a group with a quota here, so not on half a CPU" >&2
  exit 0
fi
trap 'rmdir "$group"' EXIT
echo "hammer: on half a CPU" >&2
(echo "$BASHPID" > "$group/cgroup.procs" && exec "$hammer" "$share")
throttled="$(sed -n 's/^nr_throttled //p' "$group/cpu.stat")"
echo "hammer: the kernel stopped it ${throttled:-no} times for its quota" >&2
[ "${throttled:-0}" -gt 0 ] || { echo "hammer: the quota was not in force" >&2; exit 1; }
