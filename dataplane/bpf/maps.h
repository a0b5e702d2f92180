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
/* The n-th public address of a masquerade pool: the number in the first four bytes of the key's address, big endian. */
#define POOL_TABLE 0x40000000u
/* Forwarded ports: protocol and port in the first three bytes. */
#define FORWARD_TABLE 0x20000000u

/* How an address is translated, apart from its offset. */
#define NAT_MASQUERADE 1
#define NAT_FORWARD 2

/* Of a policy entry. */
#define FLAG_RESERVED 1 /* masquerade, source: some ports of the pool's addresses are forwarded */
#define FLAG_FLOWS 2    /* source: a rule of the peering's ACL lets flows begin */

/* Rules of all ACLs; a policy has one half, the next one the other. */
#define MAX_RULES 65536
#define DEFAULT_DENY 0x80000000u
#define RULE_DENY 1
#define RULE_FLOW 2  /* allows what begins a flow, and with it the replies */
#define RULE_PORTS 4 /* asks for ports: never 0–65535 on both sides */

/* One bit for each value of the lower 16 bits of a VNI. */
#define STATEFUL_WORDS 1024

struct config {
  /* Our VTEP (low half) and the generation (high half), read together in one load: what is cached under a generation holds for
     this VTEP too. A generation of 0 is never used. */
  __u64 vtep_generation;
  /* Our router MAC in the low 48 bits, as it lies in memory. */
  __u64 mac;
  __u64 hash_seed;
  /* Of user space only: the half of the rules that the policy in force uses, and its SHA-256. */
  __u64 rules_half;
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
  __u32 vni;    /* of a destination */
  __u32 offset; /* what is added to the address, modulo 2^32, to get the one that it is translated to. Masquerade, source: its number.
                   Pool: the number's address. */
  __u8 nat;
  __u8 flags;
  __u8 slice;    /* masquerade, source: which of `slices` equal parts of the ports is ours */
  __u8 slices;
  __u32 table;   /* number of the pool or of the table of forwarded ports */
  __u32 count;   /* masquerade, source: addresses of the pool. Forwarded port: what is added to it. Destination, NAT_FORWARD: 1 + number
                    of the pool that shares the address, or 0 */
  __u32 back;    /* source: the other direction of the peering */
  __u32 tcp_seconds; /* idle time of established TCP, of UDP, of ICMP; 0: the protocol's own */
  __u32 udp_seconds;
  __u32 icmp_seconds;
  __u32 rules;        /* source: the first rule of the direction's ACL */
  __u32 rule_count;   /* source: and DEFAULT_DENY. 0: there is no ACL */
};

/* Addresses as the packet bears them before it is translated; IPv4, as on the wire. Ports in host order. */
struct acl_rule {
  __u32 source;
  __u32 source_mask;
  __u32 destination;
  __u32 destination_mask;
  __u16 source_ports[2];
  __u16 destination_ports[2];
  __u16 protocol; /* 256: any */
  __u16 flags;
  __u32 unused;
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
  __u8 path_count; /* above 1: look again, with the path that the flow's hash chooses */
  __u8 translated; /* what it is rewritten to stands at the same place of flow_translations */
  __u8 by_ports;   /* the ACL decides. For the pair: look again, with protocol and ports. With those: they stand in flow_translations */
  __u8 reason;     /* dropped for this */
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
  __u32 ports; /* of a flow: as they lie on the wire, source first. ICMP queries: see flow.h. Cache: those that the entry is for */
};

/* Two cache lines. */
struct translation_set {
  struct {
    struct translation to;
    __u64 protocol; /* that the entry is for, if it is for ports */
    __u64 unused[2];
  } ways[2];
};

/* What a flow is found by; the same in both directions, with source and destination exchanged and translated. */
struct flow_key {
  __u64 source[2];
  __u64 destination[2];
  __u32 ports;        /* as they lie on the wire, source first */
  __u32 vni_protocol; /* VNI of the source VPC; protocol in the byte that is reserved on the wire */
};

#define ROLE_FORWARD 0
#define ROLE_REPLY 1

/* One direction of a flow. In this order a packet costs 100 ns less at 1 M flows than with what ageing reads in front. */
struct flow_state {
  struct translation to;
  __u64 tunnel_mac;
  __u32 destination_vni;
  __u32 generation;
  __u32 direction;
  __u32 peer_vni_protocol; /* of the other direction's key */
  __u32 last_seen;         /* seconds, monotonic */
  __u32 idle_timeout;      /* seconds; 0: the protocol's own */
  __u8 role;
  __u8 masqueraded;
  __u8 seen; /* TCP flags that came this way: see track.h */
  __u8 unused[5];
};

/* An inside endpoint that is masqueraded: the same public endpoint for all destinations in a VPC (RFC 4787 REQ-1). */
struct mapping_key {
  __u32 address[4];
  __u32 vni_protocol;
  __u32 peer_vni;
  __u32 port; /* as on the wire, like all ports here; ICMP: identifier */
};

#define MAPPING_DEAD 0x80000000u

struct mapping {
  __u32 address[4];
  __u32 port;
  __u32 flows;      /* how many use it; MAPPING_DEAD: being deleted */
  __u32 idle_since; /* when the last of them ended: then it rests, for its own inside endpoint alone */
  __u32 generation; /* of the policy that it was last found right under */
};

/* A public endpoint that is taken. */
struct binding_key {
  __u32 address[4];
  __u32 vni_protocol; /* of the VPC that sees it */
  __u32 port;
};

/* Argument and result of the program `age`. */
struct age_run {
  __u32 now;      /* seconds, monotonic */
  __u32 rest;     /* seconds that a mapping stays after its last flow */
  __u32 flows;    /* result: those that live on */
  __u32 ended;    /* result: flows */
  __u32 mappings; /* result: those that live on */
  __u32 freed;    /* result: mappings */
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
/* Of VPCs of which a peering keeps state: there, flows are looked up first. Only a hint. */
__u64 stateful_vnis[STATEFUL_WORDS] SEC(".bss.stateful");
struct acl_rule acl_rules[2 * MAX_RULES] SEC(".bss.rules");
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

/* Flows, two entries each. Preallocated: when it is full it refuses new flows and keeps what it has. Sized before loading. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 2);
  __type(key, struct flow_key);
  __type(value, struct flow_state);
} flows SEC(".maps");

/* Twice as many as there may be flows, for those that rest; memory only for those there are. Sized before loading. */
struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, struct mapping_key);
  __type(value, struct mapping);
} mappings SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __uint(max_entries, 1);
  __type(key, struct binding_key);
  __type(value, __u32); /* not read */
} bindings SEC(".maps");

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
