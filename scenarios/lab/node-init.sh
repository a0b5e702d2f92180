#!/usr/bin/env bash
# First process of a lab node. It runs in the node's network namespace and in mount, pid and UTS namespaces of its own;
# killing it ends everything on the node at once, mounts included.
# Usage: node-init.sh HOSTNAME SCRATCH [SOURCE TARGET ro|rw]...   Says "ready" on file descriptor 3.
set -euo pipefail
hostname "$1"
scratch=$2
shift 2

# The sysfs of this network namespace; pins of BPF objects that vanish with the node.
mount -t sysfs sysfs /sys
mount -t bpf bpf /sys/fs/bpf

# Run-time directories that every node has for itself. `zebra -n` sees the VRFs of this /run/netns only.
for directory in netns fabgate frr; do
  mkdir -p "/run/$directory"
  mount -t tmpfs "$directory" "/run/$directory"
done
chown frr:frr /run/frr

# /etc is the machine's, with changes and bind targets that only this node sees.
mount -t tmpfs scratch "$scratch"
mkdir "$scratch/upper" "$scratch/work"
mount -t overlay overlay -o "lowerdir=/etc,upperdir=$scratch/upper,workdir=$scratch/work" /etc

while [ $# -gt 0 ]; do
  source=$1 target=$2 mode=$3
  shift 3
  if [ -d "$source" ]; then
    mkdir -p "$target"
  else
    mkdir -p "$(dirname "$target")"
    [ -e "$target" ] || : >"$target"
  fi
  mount --bind "$source" "$target"
  [ "$mode" = rw ] || mount -o remount,bind,ro "$target"
done

echo ready >&3
exec 3>&-
# bash reaps whatever is left to process 1.
while :; do
  sleep infinity &
  wait "$!" || true
done
