#!/bin/sh
# Gives an FRR daemon real-time priority. Switches run BFD in hardware or on a core of its own; on a machine that is busy with other
# work a bfdd of normal priority misses its intervals and takes healthy sessions down.
# Usage: realtime.sh DAEMON
set -eu
chrt --fifo --pid 10 "$(cat "/var/run/frr/$1.pid")"
