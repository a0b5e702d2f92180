// What a packet is looked up by, and its hash.
#pragma once
#include "maps.h"

/* The IPv4 address in the low half of an inner address. */
#define IPV4_MAPPED 0xffff0000u
static __always_inline __u64 mapped(__u32 address) {
  return IPV4_MAPPED | ((__u64)address << 32);
}
static __always_inline __u32 unmapped(__u64 low) {
  return low >> 32;
}

struct flow {
  __u64 source[2];
  __u64 destination[2];
  __u32 outer_source;
  __u32 vni;
  __u32 generation;
  __u64 pair_hash; /* of VNI and addresses: where the cache looks */
  __u64 hash;      /* of protocol and ports too. Bits 0–15 entropy on the wire, 16–31 uplink, 32–47 route's path */
};

/* Multiply and shift, seeded so that nobody outside can aim at one set of the cache. Each input is folded to its low half first: a
   multiplication carries bits upwards only. */
static __always_inline void hash_flow(struct flow *flow, __u32 ports, __u32 protocol) {
  __u64 source = flow->source[0] ^ flow->source[1] ^ config.hash_seed;
  __u64 destination = flow->destination[0] ^ flow->destination[1] ^ flow->vni;
  __u64 pair = (source ^ (source >> 32)) * 0x9e3779b97f4a7c15ull;
  pair = ((pair ^ (pair >> 32)) ^ (destination ^ (destination >> 32))) * 0xd6e8feb86659fd93ull;
  flow->pair_hash = pair ^ (pair >> 32);
  __u64 hash = (flow->pair_hash ^ ports ^ ((__u64)protocol << 32)) * 0xff51afd7ed558ccdull;
  flow->hash = hash ^ (hash >> 29);
}

/* A number below `count` from 16 bits of the hash. */
static __always_inline __u32 choose(__u64 hash, __u32 shift, __u32 count) {
  return (((hash >> shift) & 0xffff) * count) >> 16;
}
