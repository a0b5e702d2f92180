// What a packet is looked up by, and its hash.
#pragma once
#include "maps.h"
#include "packet.h"

/* The IPv4 address in the low half of an inner address. */
#define IPV4_MAPPED 0xffff0000u
static __always_inline __u64 mapped(__u32 address) {
  return IPV4_MAPPED | ((__u64)address << 32);
}
static __always_inline __u32 unmapped(__u64 low) {
  return low >> 32;
}

struct flow {
  struct flow_key key;
  __u32 outer_source;
  __u32 vni;
  __u32 generation;
  __u32 tcp_flags;
  __u32 fragment;
  __u64 pair_hash; /* of VNI and addresses: where the cache looks */
  __u64 hash;      /* of protocol and ports too. Bits 0–15 entropy on the wire, 16–31 uplink, 32–47 route's path */
};

static __always_inline __u32 exchange_ports(__u32 ports) {
  return (ports << 16) | (ports >> 16);
}

/* The ports of an unfragmented TCP, UDP or SCTP packet. Of an ICMP query: identifier and the query's type, in this order from the side that asks, in
   the other order from the side that answers. 0 for the rest: all fragments of a packet go the same way. */
static __always_inline __u32 transport_ports(const struct iphdr *ip, void *end) {
  if (ip->frag_off & bpf_htons(IP_FRAGMENT))
    return 0;
  struct icmp_header *header = (void *)ip + ip->ihl * 4;
  if ((void *)(header + 1) > end)
    return 0;
  if (ip->protocol == IPPROTO_TCP || ip->protocol == IPPROTO_UDP || ip->protocol == IPPROTO_SCTP)
    return *(__u32 *)header;
  if (ip->protocol != IPPROTO_ICMP)
    return 0;
  switch (header->type) {
  case ICMP_ECHO:
  case ICMP_TIMESTAMP:
    return header->id | (__u32)header->type << 16;
  case ICMP_ECHO_REPLY:
    return (__u32)header->id << 16 | ICMP_ECHO;
  case ICMP_TIMESTAMP_REPLY:
    return (__u32)header->id << 16 | ICMP_TIMESTAMP;
  default:
    return 0;
  }
}

/* Multiply and shift, seeded so that nobody outside can aim at one set of the cache. Each input is folded to its low half first: a
   multiplication carries bits upwards only. */
static __always_inline void hash_flow(struct flow *flow) {
  __u64 source = flow->key.source[0] ^ flow->key.source[1] ^ config.hash_seed;
  __u64 destination = flow->key.destination[0] ^ flow->key.destination[1] ^ flow->vni;
  __u64 pair = (source ^ (source >> 32)) * 0x9e3779b97f4a7c15ull;
  pair = ((pair ^ (pair >> 32)) ^ (destination ^ (destination >> 32))) * 0xd6e8feb86659fd93ull;
  flow->pair_hash = pair ^ (pair >> 32);
  __u64 hash = (flow->pair_hash ^ flow->key.ports ^ ((__u64)(flow->key.vni_protocol >> 24) << 32)) * 0xff51afd7ed558ccdull;
  flow->hash = hash ^ (hash >> 29);
}

/* A number below `count` from 16 bits of the hash. */
static __always_inline __u32 choose(__u64 hash, __u32 shift, __u32 count) {
  return (((hash >> shift) & 0xffff) * count) >> 16;
}
