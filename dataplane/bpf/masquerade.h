// Masquerade: which public endpoint stands for an inside one. The mapping is the same for all destinations in a VPC (RFC 4787 REQ-1); the n-th inside
// address gets the public address n modulo their number, always the same one (REQ-2); a public endpoint belongs to one inside endpoint (REQ-3),
// which is claimed by inserting it into `bindings`. The inside port is kept if it is free and ours, else one is drawn at random (RFC 6056) from our slice of
// the well-known or of the other ports. A mapping without flows rests before it is freed (see age.h), and is its owner's meanwhile.
#pragma once
#include "policy.h"
#include "track.h"

#define WELL_KNOWN_PORTS 1024
/* Tries before a pool counts as exhausted: at random, then one port after the other. */
#define RANDOM_TRIES 16
#define PORT_TRIES 256

/* Our slice of the ports that may stand for `port`, into way->ports; 0: `port` is not in it. */
static __noinline int find_slice(struct way *way, __u32 protocol, __u32 port) {
  __u32 from = 0;
  __u32 to = 65536;
  if (protocol != IPPROTO_ICMP) {
    from = port < WELL_KNOWN_PORTS ? 1 : WELL_KNOWN_PORTS;
    to = port < WELL_KNOWN_PORTS ? WELL_KNOWN_PORTS : 65536;
  }
  __u32 slices = way->source.slices ? way->source.slices : 1;
  way->ports.first = from + (to - from) * way->source.slice / slices;
  way->ports.count = from + (to - from) * (way->source.slice + 1) / slices - way->ports.first;
  return port - way->ports.first < way->ports.count;
}

static __always_inline void forward_key(struct prefix_key *key, __u32 table, __u32 protocol, __u32 port) {
  key->prefix_length = 56;
  key->table = FORWARD_TABLE | table;
  key->address[0] = protocol | (__u64)port << 8;
  key->address[1] = 0;
}

/* The public address is still one of this source's pool, and nobody else was given the port. Ports as on the wire. */
static __always_inline int still_ours(void *trie, struct way *way, __u32 address, __u32 port, __u32 protocol) {
  struct prefix_key *key = &way->prefix;
  key->prefix_length = 160;
  key->table = way->destination.vni;
  key->address[0] = 0;
  key->address[1] = mapped(address);
  struct policy_entry *entry = bpf_map_lookup_elem(trie, key);
  if (!entry || entry->direction != way->source.back)
    return 0;
  if (entry->nat == NAT_MASQUERADE)
    return entry->table == way->source.table;
  if (entry->nat != NAT_FORWARD || entry->count != way->source.table + 1)
    return 0;
  forward_key(key, entry->table, protocol, port);
  return !bpf_map_lookup_elem(trie, key);
}

/* What try_port needs besides `way`: the trie cannot lie in a map. */
struct claim {
  void *trie;
  struct way *way;
};

#define E2BIG 7

/* 0: it is ours; E2BIG: no room. */
static __always_inline long claim_port(void *trie, struct way *way, __u32 port, __u32 protocol) {
  __u32 wire = bpf_htons(port);
  way->binding_key.port = wire;
  if ((way->source.flags & FLAG_RESERVED) && !still_ours(trie, way, way->binding_key.address[3], wire, protocol))
    return -1;
  __u32 unread = 0;
  return bpf_map_update_elem(&bindings, &way->binding_key, &unread, BPF_NOEXIST);
}

static long try_port(__u32 number, struct claim *claim) {
  struct way *way = claim->way;
  __u32 step = number < RANDOM_TRIES ? bpf_get_prandom_u32() : way->first_try + number;
  if (!way->ports.count)
    return 1;
  way->claimed = claim_port(claim->trie, way, way->ports.first + step % way->ports.count, way->binding_key.vni_protocol >> 24);
  return !way->claimed || way->claimed == -E2BIG;
}

/* Makes the binding; 0 or the reason. */
static __always_inline __u32 bind(void *trie, struct way *way, __u32 number, __u32 inside_port, __u32 protocol) {
  struct prefix_key *key = &way->prefix;
  number %= way->source.count ? way->source.count : 1;
  key->prefix_length = 64;
  key->table = POOL_TABLE | way->source.table;
  key->address[0] = bpf_htonl(number);
  key->address[1] = 0;
  struct policy_entry *pool = bpf_map_lookup_elem(trie, key);
  if (!pool)
    return DROP_NAT_EXHAUSTED;
  way->binding_key.address[0] = 0;
  way->binding_key.address[1] = 0;
  way->binding_key.address[2] = IPV4_MAPPED;
  way->binding_key.address[3] = bpf_htonl(number + pool->offset);
  way->binding_key.vni_protocol = way->destination.vni | protocol << 24;

  if (find_slice(way, protocol, inside_port) && !claim_port(trie, way, inside_port, protocol))
    return 0;
  way->first_try = bpf_get_prandom_u32();
  struct claim claim = { .trie = trie, .way = way };
  bpf_loop(PORT_TRIES, try_port, &claim, 0);
  if (!way->claimed)
    return 0;
  return way->claimed == -E2BIG ? DROP_FLOW_TABLE_FULL : DROP_NAT_EXHAUSTED;
}

static __always_inline void free_binding(struct binding_key *key, const struct mapping *mapping, __u32 vni_protocol) {
  __builtin_memcpy(key->address, mapping->address, sizeof(key->address));
  key->vni_protocol = vni_protocol;
  key->port = mapping->port;
  bpf_map_delete_elem(&bindings, key);
}

/* One flow less. `address` and `port`: what the flow was translated to; a mapping made meanwhile in the place of its own is left alone. */
static __noinline void release_mapping(const struct mapping_key *key, __u32 address, __u32 port, __u32 now) {
  struct mapping *mapping = bpf_map_lookup_elem(&mappings, key);
  if (!mapping || mapping->address[3] != address || mapping->port != port)
    return;
  if (__sync_fetch_and_add(&mapping->flows, -1) == 1)
    mapping->idle_since = now;
}

static __always_inline void fill_mapping_key(struct mapping_key *key, const struct flow_key *flow, __u32 peer_vni) {
  key->address[0] = flow->source[0];
  key->address[1] = flow->source[0] >> 32;
  key->address[2] = flow->source[1];
  key->address[3] = flow->source[1] >> 32;
  key->vni_protocol = flow->vni_protocol;
  key->peer_vni = peer_vni & VNI_MASK;
  key->port = flow->ports & 0xffff;
}

/* The public endpoint of this flow's source, into way->mapping. `claim`: made if need be, and counted as used by one flow more. 0 or the reason. */
static __noinline __u32 masquerade(void *trie, const struct flow *flow, struct way *way, __u32 claim) {
  __u32 protocol = flow->key.vni_protocol >> 24;
  __u32 inside = bpf_ntohl(unmapped(flow->key.source[1]));
  fill_mapping_key(&way->mapping_key, &flow->key, way->destination.vni);
  struct mapping *mapping = bpf_map_lookup_elem(&mappings, &way->mapping_key);
  __u32 generation = mapping ? *(volatile __u32 *)&mapping->generation : 0;
  if (mapping && generation != flow->generation) {
    __u32 port = bpf_ntohs(mapping->port);
    if (find_slice(way, protocol, port) && still_ours(trie, way, mapping->address[3], mapping->port, protocol)) {
      mapping->generation = flow->generation;
    } else {
      if (!claim)
        return DROP_NO_FLOW;
      /* One CPU replaces it; the others' packets, of flows that end with it, have no mapping meanwhile. 0 is no generation. */
      if (!generation || __sync_val_compare_and_swap(&mapping->generation, generation, 0) != generation)
        return DROP_NO_FLOW;
      free_binding(&way->binding_key, mapping, way->destination.vni | protocol << 24);
      bpf_map_delete_elem(&mappings, &way->mapping_key);
      mapping = 0;
    }
  }
  if (!mapping) {
    if (!claim)
      return DROP_NO_FLOW;
    __u32 reason = bind(trie, way, inside + way->source.offset, bpf_ntohs(way->mapping_key.port), protocol);
    if (reason)
      return reason;
    __builtin_memcpy(way->mapping.address, way->binding_key.address, sizeof(way->mapping.address));
    way->mapping.port = way->binding_key.port;
    way->mapping.flows = 0;
    way->mapping.idle_since = seconds_now();
    way->mapping.generation = flow->generation;
    long result = bpf_map_update_elem(&mappings, &way->mapping_key, &way->mapping, BPF_NOEXIST);
    /* Another CPU was faster (or there is no room): what it has chosen holds. */
    if (result)
      bpf_map_delete_elem(&bindings, &way->binding_key);
    mapping = bpf_map_lookup_elem(&mappings, &way->mapping_key);
    if (!mapping)
      return DROP_FLOW_TABLE_FULL;
  }
  if (claim && (__sync_fetch_and_add(&mapping->flows, 1) & MAPPING_DEAD))
    return DROP_NAT_EXHAUSTED;
  way->mapping = *mapping;
  return 0;
}
