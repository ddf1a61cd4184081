#!/usr/bin/env bash
# Runs distributed-checks over MPI: run.sh PROGRAM RANKS..., or run.sh PROGRAM network, on two ranks that only a network joins.
# More ranks than CPUs share them; what a test machine runs as root says so to Open MPI.
set -euo pipefail
program=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# What becomes of the others where one rank ends or stops: they end too, within its timeout, and say which rank it was.
lost() {
  local ranks=$1 way=$2 rank=$3 expected=$4 status=0 start=$SECONDS output
  shift 4
  # A rank that hangs is a failure: all of it takes some seconds, and the timeout.
  output="$(TIMEOUT=5 timeout --kill-after=5 60 "$@" "$program" "$way" "$rank" 2>&1)" || status=$?
  [ "$status" != 124 ] || { echo "$way: mpirun goes on for a minute"; exit 1; }
  [ "$status" != 0 ] || { echo "$way: mpirun ends as if nothing had happened:"; echo "$output"; exit 1; }
  grep -q "$expected" <<<"$output" || { echo "$way: no line has \"$expected\":"; echo "$output"; exit 1; }
  echo "rank $rank of $ranks, $way: the others have ended and named it, after $((SECONDS - start)) seconds"
}

if [ "$*" = network ]; then
  network="$(dirname "$0")/namespaces.sh"
  "$network" "$program"
  lost 2 die 1 "process rank 1 with PID .* exited on signal 9" "$network"
  lost 2 stall 1 "rank 0 (.*): rank 1: no answer for 5.0 seconds" "$network"
  exit
fi

for ranks in "$@"; do
  mpirun --oversubscribe -n "$ranks" "$program"
done
if [ "$#" -gt 0 ]; then
  lost 3 die 1 "process rank 1 with PID .* exited on signal 9" mpirun --oversubscribe -n 3
  lost 3 stall 1 "rank [02] (.*): rank 1: no answer for 5.0 seconds" mpirun --oversubscribe -n 3
fi

# A rank has a thread for each CPU that it is bound to.
threads() {
  local binding=$1 expected=$2 given
  given="$(env -u ATTENTION_NUM_THREADS mpirun --oversubscribe -n 2 --bind-to "$binding" "$program" threads | paste -sd ' ')"
  [ "$given" = "$expected $expected" ] || { echo "--bind-to $binding: $given threads, expected $expected on both ranks"; exit 1; }
  echo "--bind-to $binding: $given threads"
}
if [ "$#" -gt 0 ]; then
  # A core may be several CPUs.
  core="$(env -u OMP_NUM_THREADS mpirun --oversubscribe -n 1 --bind-to core nproc)"
  threads core:overload-allowed "$core"
  # Without a binding it is what the program has without mpirun: all CPUs that it is granted.
  threads none "$(env -u ATTENTION_NUM_THREADS "$program" threads)"
fi
