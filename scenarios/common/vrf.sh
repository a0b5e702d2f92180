#!/bin/sh
# Makes the VRF of a VPC on a leaf: a network namespace that holds a bridge and the VXLAN device of the L3 VNI.
# Usage: vrf.sh VPC VNI VTEP ROUTER-MAC
set -eu
vpc=$1 vni=$2 vtep=$3 mac=$4
ip netns add "$vpc"
in_vrf() { ip -n "$vpc" "$@"; }
ip netns exec "$vpc" sysctl -q -w net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0 net.ipv4.conf.default.rp_filter=0 \
  net.ipv6.conf.default.accept_dad=0
# Made in the underlay and then moved: its UDP socket stays there.
ip link add "vx$vni" type vxlan id "$vni" dstport 4789 local "$vtep" nolearning
ip link set "vx$vni" netns "$vpc"
in_vrf link set lo up
in_vrf link add "br$vni" address "$mac" type bridge stp_state 0
in_vrf link set "br$vni" addrgenmode none mtu 9000
in_vrf link set "vx$vni" addrgenmode none mtu 9000
in_vrf link set "vx$vni" master "br$vni"
in_vrf link set "vx$vni" type bridge_slave learning off flood off mcast_flood off neigh_suppress on
in_vrf link set "br$vni" up
in_vrf link set "vx$vni" up
