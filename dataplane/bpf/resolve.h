// The long way of a packet: policy, route, tunnel. What is found goes into the flow cache, and most packets find it there.
// The order is that of the policy: destination → peering, then source, then the route in the destination VPC.
#pragma once
#include "flow.h"
#include "policy.h"
#include "stateful.h"

/* In the low byte of an entry's VNI: it is for protocol and ports. Paths are numbered from 1. */
#define BY_PORTS 0xff

static __always_inline int matches(const struct flow_entry *entry, const struct flow *flow, __u32 vni) {
  return ((entry->source[0] ^ flow->key.source[0]) | (entry->source[1] ^ flow->key.source[1]) |
          (entry->destination[0] ^ flow->key.destination[0]) | (entry->destination[1] ^ flow->key.destination[1]) |
          (entry->outer_source ^ flow->outer_source) | (entry->vni ^ vni) | (entry->generation ^ flow->generation)) == 0;
}

static __always_inline __u32 index_of_set(const struct flow *flow, __u32 selector) {
  __u32 sets = settings.cache_sets_per_cpu;
  return bpf_get_smp_processor_id() * sets + (((__u32)flow->pair_hash + selector * 0x9e3779b1u) & (sets - 1));
}

static __always_inline struct flow_entry *find_in(struct flow_set *set, const struct flow *flow, __u32 vni) {
  if (matches(&set->ways[0], flow, vni))
    return &set->ways[0];
  if (matches(&set->ways[1], flow, vni))
    return &set->ways[1];
  return 0;
}

/* Where the entry for protocol and ports of a pair is. */
static __always_inline __u32 index_by_ports(const struct flow *flow) {
  __u32 sets = settings.cache_sets_per_cpu;
  return bpf_get_smp_processor_id() * sets + ((__u32)(flow->hash >> 8) & (sets - 1));
}

/* Puts it where it is found: by addresses, with the path that is chosen among several, with the ports. */
static __always_inline void store(__u32 index, const struct way *way) {
  struct flow_set *set = bpf_map_lookup_elem(&flow_cache, &index);
  struct translation_set *translations = bpf_map_lookup_elem(&flow_translations, &index);
  if (!set || !translations)
    return;
  if (set->ways[0].translated | set->ways[0].by_ports)
    translations->ways[1] = translations->ways[0];
  if (way->entry.translated | way->entry.by_ports) {
    translations->ways[0].to = way->translation;
    translations->ways[0].protocol = way->protocol;
  }
  set->ways[1] = set->ways[0];
  set->ways[0] = way->entry;
}

/* Addresses changed by static NAT, and what that does to checksums. */
static __always_inline void translate_addresses(struct way *way, const struct flow *flow) {
  __u32 source = unmapped(flow->key.source[1]);
  __u32 destination = unmapped(flow->key.destination[1]);
  __u32 new_source = shift(source, way->source.offset);
  __u32 new_destination = shift(destination, way->destination.offset);
  struct translation *to = &way->translation;
  to->source[0] = flow->key.source[0];
  to->source[1] = mapped(new_source);
  to->destination[0] = flow->key.destination[0];
  to->destination[1] = mapped(new_destination);
  to->address_delta = fold_checksum(word_delta(source, new_source) + word_delta(destination, new_destination));
  to->transport_delta = to->address_delta;
}

/* `begin`: the packet may begin a flow. The result is way->reason. Not static: the verifier then looks at it once, not again for each state that a packet
   can come here in, of which there are too many. */
__noinline int resolve(struct flow *flow, struct way *way, __u32 begin) {
  if (!flow || !way)
    return 1;
  way->direction = NO_DIRECTION;
  way->stateful = 0;
  if (!bpf_map_lookup_elem(&source_vteps, &flow->outer_source))
    return way->reason = DROP_SOURCE_VTEP;
  __u32 zero = 0;
  void *trie = bpf_map_lookup_elem(&policy, &zero);
  if (!trie)
    return way->reason = DROP_UNKNOWN_VNI;
  __u32 reason = decide(trie, flow, way);
  if (reason)
    return way->reason = reason;
  __u32 verdict = ACL_ALLOWED;
  if (way->stateful) {
    /* Without its ports it is of no flow; but it may need none. */
    if (flow->fragment && (way->source.nat | way->destination.nat))
      return way->reason = DROP_FRAGMENT;
    reason = find_flow(trie, flow, way, begin);
    if (reason != NOT_FOUND)
      return way->reason = reason;
  }
  if (way->source.rule_count)
    verdict = ask_acl(flow, &way->source);
  __u32 denied = verdict & (RULE_DENY | ACL_DEFAULT_DENY);
  if (!denied && way->stateful && (way->source.nat | way->destination.nat | (verdict & RULE_FLOW))) {
    if (flow->fragment)
      return way->reason = DROP_FRAGMENT;
    if (!begin || (flow->tcp_flags & (TCP_RST | TCP_FIN)))
      return way->reason = DROP_NO_FLOW;
    way->stateful = 1;
    reason = compose(trie, flow, way, 1);
    return way->reason = reason ? reason : begin_flow(flow, way);
  }

  way->stateful = 0;
  struct flow_entry *entry = &way->entry;
  /* Field by field: a whole one would be put together on the stack. */
  entry->source[0] = flow->key.source[0];
  entry->source[1] = flow->key.source[1];
  entry->destination[0] = flow->key.destination[0];
  entry->destination[1] = flow->key.destination[1];
  entry->outer_source = flow->outer_source;
  entry->vni = flow->vni;
  entry->generation = flow->generation;
  entry->direction = way->direction;
  entry->path_count = 1;
  entry->reason = 0;
  translate_addresses(way, flow);
  entry->translated = (way->source.offset | way->destination.offset) != 0;
  entry->by_ports = way->source.rule_count != 0;
  way->translation.ports = flow->key.ports;
  way->protocol = flow->key.vni_protocol >> 24;
  if (entry->by_ports)
    store(index_of_set(flow, 0), way);
  __u32 by_ports = index_by_ports(flow);
  if (denied) {
    entry->vni |= VNI_LOW_BYTE(BY_PORTS);
    entry->reason = DROP_DENIED;
    if (!flow->fragment)
      store(by_ports, way);
    return way->reason = DROP_DENIED;
  }
  reason = find_route(way, way->destination.vni, way->translation.destination[1], flow->hash);
  if (reason)
    return way->reason = reason;
  if (entry->by_ports) {
    entry->path_count = 1;
    entry->vni |= VNI_LOW_BYTE(BY_PORTS);
    if (!flow->fragment)
      store(by_ports, way);
    return way->reason = 0;
  }
  __u32 selector = 0;
  if (entry->path_count > 1) {
    store(index_of_set(flow, 0), way);
    selector = way->chosen + 1;
    entry->vni |= VNI_LOW_BYTE(selector);
    entry->path_count = 1;
  }
  store(index_of_set(flow, selector), way);
  return way->reason = 0;
}
