#!/usr/bin/env bash
# Runs distributed-checks over MPI: run.sh PROGRAM RANKS...
# More ranks than CPUs share them; what a test machine runs as root says so to Open MPI.
set -euo pipefail
program=$1
shift
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

for ranks in "$@"; do
  mpirun --oversubscribe -n "$ranks" "$program"
done

# What becomes of the others where one rank ends or stops: they end too, within its timeout, and say which rank it was.
lost() {
  local way=$1 rank=$2 expected=$3 status=0 output
  # A rank that hangs is a failure: all of it takes some seconds, and the timeout.
  output="$(TIMEOUT=5 timeout --kill-after=5 60 mpirun --oversubscribe -n 3 "$program" "$way" "$rank" 2>&1)" || status=$?
  [ "$status" != 124 ] || { echo "$way: mpirun goes on for a minute"; exit 1; }
  grep -q "$expected" <<<"$output" || { echo "$way: no line has \"$expected\":"; echo "$output"; exit 1; }
  echo "rank $rank of 3, $way: the others have ended and named it"
}
if [ "$#" -gt 0 ]; then
  lost die 1 "process rank 1 with PID .* exited on signal 9"
  lost stall 1 "rank [02] (.*): rank 1: no answer for 5.0 seconds"
fi
