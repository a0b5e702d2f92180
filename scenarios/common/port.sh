#!/bin/sh
# Puts a leaf's port into the VRF of a VPC, with the address that hosts use as their gateway.
# Usage: port.sh INTERFACE VPC ADDRESS/LENGTH
set -eu
ip link set "$1" netns "$2"
ip -n "$2" addr add "$3" dev "$1"
ip -n "$2" link set "$1" up
