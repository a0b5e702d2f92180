// What the frames of the generator look like, and what the sink accepts. Built by scenarios/bench/path/frame.ts.
#pragma once
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define VXLAN_PORT 4789
/* Ethernet, IPv4 and UDP without options, VXLAN; then Ethernet, IPv4 and UDP again; rounded up to 8 bytes. */
#define OUTER_IP 14
#define OUTER_UDP 34
#define VXLAN_VNI 46
#define INNER_IP 64
#define INNER_UDP 84
#define HEADERS 96
