#!/usr/bin/env bash
# Runs a program of MPI on two ranks with nothing but a network between them: namespaces.sh PROGRAM ARGUMENTS...
#
# Two network namespaces stand for two machines: each has a host name, half of the CPUs, and one end of a pair of virtual interfaces that
# carries 10 Gbit/s each way (RATE, as tc reads it, sets another). Different host names keep Open MPI from taking both for one machine.
# The interfaces' own counters say at the end what went over them. Needs root; ends with 77 where the machine does not grant namespaces.
set -euo pipefail
[ "$#" -gt 0 ] || { echo "namespaces.sh PROGRAM ARGUMENTS..." >&2; exit 64; }
rate=${RATE:-10gbit}

# Of this run alone: several may run at the same time.
hosts=("attention-$$-a" "attention-$$-b")
addresses=(10.0.0.1 10.0.0.2)
folder="$(mktemp -d)"

clean_up() {
  trap - EXIT INT TERM HUP
  # Bash says of each job that it was killed.
  exec 2>/dev/null
  for host in "${hosts[@]}"; do
    # Only what this script has started is in there, stopped processes too.
    ip netns pids "$host" | xargs -r kill -KILL || true
    ip netns delete "$host" || true
  done
  wait || true
  rm -rf "$folder"
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP

cannot() {
  echo "namespaces.sh: $1" >&2
  exit 77
}
[ "$(id -u)" -eq 0 ] || cannot "network namespaces need root"
command -v ip >/dev/null && command -v tc >/dev/null || cannot "ip and tc are missing: install iproute2"
for host in "${hosts[@]}"; do
  ip netns add "$host" || cannot "this system grants no network namespace"
  ip -n "$host" link set lo up
done
ip link add net0 netns "${hosts[0]}" type veth peer name net0 netns "${hosts[1]}" ||
  cannot "this system grants no virtual interfaces"
for index in 0 1; do
  host=${hosts[index]}
  ip -n "$host" address add "${addresses[index]}/24" dev net0
  ip -n "$host" link set net0 up
  # A burst of what the rate carries in a timer's tick of 4 ms, or packets would wait for the tick. The queue holds as much again.
  tc -n "$host" qdisc add dev net0 root tbf rate "$rate" burst 5mb limit 10mb || cannot "tc cannot shape the interfaces"
done

# Half of the CPUs each, as if no other machine shared them; a single CPU serves both.
mapfile -t cpus < <(taskset -cp $$ | sed 's/.*: //; s/,/\n/g' | while IFS=- read -r first last; do seq "$first" "${last:-$first}"; done)
half=$((${#cpus[@]} / 2))
join() { (IFS=,; echo "$*"); }
shares=("$(join "${cpus[@]:0:half > 0 ? half : 1}")" "$(join "${cpus[@]:half}")")

# How a command gets to a host: mpirun as this script calls it, and Open MPI's own part on the other one, which it hands over as words for a shell.
cat >"$folder/agent" <<AGENT
#!/usr/bin/env bash
case \$1 in
  ${addresses[0]}) host=${hosts[0]} cpus=${shares[0]} ;;
  ${addresses[1]}) host=${hosts[1]} cpus=${shares[1]} ;;
  *) echo "no such host: \$1" >&2; exit 1 ;;
esac
shift
exec ip netns exec "\$host" taskset -c "\$cpus" unshare --uts sh -c "hostname \$host; exec \$*"
AGENT
chmod +x "$folder/agent"

words=(
  mpirun -n 2 --host "${addresses[0]}:1,${addresses[1]}:1" --map-by node --bind-to none
  --mca plm_rsh_agent "$folder/agent" --mca pml ob1 --mca btl tcp,self
  --mca btl_tcp_if_include 10.0.0.0/24 --mca oob_tcp_if_include 10.0.0.0/24
  --mca orte_tmpdir_base "$folder" "$@"
)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
status=0
# In the background, since bash runs no trap while a command is in front.
"$folder/agent" "${addresses[0]}" "$(printf '%q ' "${words[@]}")" <&0 &
wait $! || status=$?

sent() { ip netns exec "$1" cat /sys/class/net/net0/statistics/tx_bytes; }
echo "over the network: $(sent "${hosts[0]}") bytes from rank 0, $(sent "${hosts[1]}") bytes from rank 1" >&2
exit "$status"
