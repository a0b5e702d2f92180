// The long way of a packet: policy, route, tunnel. What is found goes into the flow cache, and most packets find it there.
// The order is that of the policy: destination → peering, then source, then the route in the destination VPC.
#pragma once
#include "flow.h"
#include "policy.h"
#include "stateful.h"

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

static __always_inline void store(__u32 index, const struct way *way) {
  struct flow_set *set = bpf_map_lookup_elem(&flow_cache, &index);
  struct translation_set *translations = bpf_map_lookup_elem(&flow_translations, &index);
  if (!set || !translations)
    return;
  if (set->ways[0].translated)
    translations->ways[1] = translations->ways[0];
  if (way->entry.translated)
    translations->ways[0].to = way->translation;
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

/* `begin`: the packet may begin a flow. The result is way->reason. */
static __noinline int resolve(struct flow *flow, struct way *way, __u32 begin) {
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
  if (way->stateful)
    return way->reason = find_or_begin_flow(trie, flow, way, begin);

  struct flow_entry *entry = &way->entry;
  *entry = (struct flow_entry){
    .source = { flow->key.source[0], flow->key.source[1] },
    .destination = { flow->key.destination[0], flow->key.destination[1] },
    .outer_source = flow->outer_source,
    .vni = flow->vni,
    .generation = flow->generation,
    .direction = way->direction,
  };
  entry->translated = (way->source.offset | way->destination.offset) != 0;
  translate_addresses(way, flow);

  reason = find_route(way, way->destination.vni, way->translation.destination[1], flow->hash);
  if (reason)
    return way->reason = reason;
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
