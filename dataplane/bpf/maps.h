// What user space and the program share. The layouts of these structs are generated into TypeScript from BTF.
// User space writes policy, routes, tunnels and config; the program writes the cache and the counters.
// Inner addresses are 16 bytes everywhere, IPv4 as ::ffff:a.b.c.d. A VNI is kept as it lies in the VXLAN header: upper 24 bits, big endian.
#pragma once
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
#include "reasons.h"

#define MAX_DIRECTIONS 32768
#define MAX_TUNNELS 4096
#define MAX_TUNNEL_PATHS 8
#define MAX_ROUTE_PATHS 16
#define MAX_UPLINKS 64
#define NO_DIRECTION 0xffffffffu
/* Tables of the policy trie: the destinations exposed to a VNI, or the sources exposed by a direction. */
#define SOURCE_TABLE 0x80000000u

struct config {
  /* Our VTEP (low half) and the generation (high half), read together in one load: what is cached under a generation holds for
     this VTEP too. A generation of 0 is never used. */
  __u64 vtep_generation;
  /* Our router MAC in the low 48 bits, as it lies in memory. */
  __u64 mac;
  __u64 hash_seed;
  /* Of user space only: SHA-256 of the policy in force. */
  __u8 policy_fingerprint[32];
};

/* Set before the program is loaded. */
struct settings {
  __u32 cache_sets_per_cpu; /* a power of two */
};

struct prefix_key {
  __u32 prefix_length; /* 32 bits of table, then the address */
  __u32 table;
  __u64 address[2];
};

/* Destinations (by the address that the source VPC sees): direction and VNI of the VPC behind; NO_DIRECTION at the table's root: no default.
   Sources (by the address in their VPC): the direction itself, or NO_DIRECTION for what belongs to another peering. */
struct policy_entry {
  __u32 direction;
  __u32 vni;
  __u32 offset; /* static NAT: what is added to the address, modulo 2^32, to get the one that it is translated to */
};

struct route_path {
  __u32 vtep;
  __u32 vni;
  __u8 router_mac[6];
  __u16 unused;
};

struct route {
  __u32 path_count;
  __u32 unused;
  struct route_path paths[MAX_ROUTE_PATHS];
};

struct tunnel_key {
  __u32 prefix_length; /* always 32: a trie, because its values are replaced whole and freed only after every reader is gone */
  __u32 vtep;
};

struct tunnel_path {
  /* The Ethernet addresses as they lie on the wire: next hop, then ours. */
  __u8 macs[12];
  __u32 uplink; /* slot in `uplinks` */
};

/* A slot is filled before the trie points to it and reused only after nothing can refer to it any more. */
struct tunnel {
  __u32 vtep;
  __u32 path_count;
  __u32 mtu; /* outer IP bytes */
  __u32 unused;
  struct tunnel_path paths[MAX_TUNNEL_PATHS];
};

/* What was found for an address pair; one cache line. */
struct flow_entry {
  __u64 source[2];
  __u64 destination[2];
  __u32 outer_source;
  __u32 vni; /* of the source VPC; low byte: 0, or 1 + the route's path for an entry of one path of several */
  __u32 generation;
  __u32 direction;
  __u32 destination_vni;
  __u16 path_count; /* above 1: look again, with the path that the flow's hash chooses */
  __u16 translated; /* what it is rewritten to stands at the same place of flow_translations */
  __u64 tunnel_mac; /* remote router MAC in the low 48 bits, tunnel slot in the high 16 */
};

/* Two ways: the newer one first. */
struct flow_set {
  struct flow_entry ways[2];
};

/* What a packet is rewritten to. */
struct translation {
  __u64 source[2];
  __u64 destination[2];
  /* Ones' complement sums of what changes (RFC 1624, ~m + m'): of the addresses, and of addresses and ports. */
  __u16 address_delta;
  __u16 transport_delta;
  __u32 unused[7]; /* one cache line */
};

struct translation_set {
  struct translation ways[2];
};

struct packet_count {
  __u64 packets;
  __u64 bytes; /* inner IP */
};

struct drop_key {
  __u32 direction;
  __u32 cpu;
  enum drop_reason reason;
};

struct direction_name {
  __u8 digest[32]; /* SHA-256 of peering, from and to */
};

struct config config SEC(".data.config");
struct tunnel tunnels[MAX_TUNNELS] SEC(".bss.tunnels");
const volatile struct settings settings SEC(".rodata.settings") = { .cache_sets_per_cpu = 1 };

/* The whole policy is one trie, so that storing its descriptor here changes all of it at once. */
struct policy_trie {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1 << 20);
  __type(key, struct prefix_key);
  __type(value, struct policy_entry);
} no_policy SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(values, struct policy_trie);
} policy SEC(".maps") = { .values = { [0] = (void *)&no_policy } };

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1 << 20);
  __type(key, struct prefix_key); /* table: VNI of the destination VPC */
  __type(value, struct route);
} routes SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_LPM_TRIE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_TUNNELS);
  __type(key, struct tunnel_key);
  __type(value, __u32); /* slot in `tunnels` */
} tunnel_slots SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u32); /* not read */
} source_vteps SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_DEVMAP);
  __uint(max_entries, MAX_UPLINKS);
  __type(key, __u32);
  __type(value, __u32);
} uplinks SEC(".maps");

/* cache_sets_per_cpu sets for each possible CPU, one CPU after the other. Sized before loading. A plain array, because a per-CPU
   array allocates each element by itself and costs one more dependent load; mappable, because then its values start on a cache line. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct flow_set);
} flow_cache SEC(".maps");

/* Beside flow_cache, of the same size: read only for pairs that are translated, so that the others pay one cache line as ever. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct translation_set);
} flow_translations SEC(".maps");

/* What was sent: MAX_DIRECTIONS for each possible CPU, one CPU after the other. Sized before loading; read through a mapping. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(map_flags, BPF_F_MMAPABLE);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct packet_count);
} sent SEC(".maps");

/* What was dropped of a direction. An entry comes to be with the first drop. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1 << 18);
  __type(key, struct drop_key);
  __type(value, struct packet_count);
} drops SEC(".maps");

/* By reason; at PASSED what went on to the kernel. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, DROP_REASON_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} unattributed SEC(".maps");

/* Of user space only: which counters belong to which direction, over changes of the policy and restarts. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, MAX_DIRECTIONS);
  __type(key, struct direction_name);
  __type(value, __u32);
} direction_ids SEC(".maps");
