// The long way of a packet: policy, route, tunnel. What is found goes into the flow cache, and most packets find it there.
// The order is that of the policy: destination → peering, then source, then the route in the destination VPC.
#pragma once
#include "flow.h"

struct resolution {
  __u32 reason; /* 0: entry is valid */
  __u32 direction; /* NO_DIRECTION as long as no peering is known */
};

static __always_inline int matches(const struct flow_entry *entry, const struct flow *flow, __u32 vni) {
  return ((entry->source[0] ^ flow->source[0]) | (entry->source[1] ^ flow->source[1]) |
          (entry->destination[0] ^ flow->destination[0]) | (entry->destination[1] ^ flow->destination[1]) |
          (entry->outer_source ^ flow->outer_source) | (entry->vni ^ vni) | (entry->generation ^ flow->generation)) == 0;
}

static __always_inline struct flow_set *find_set(const struct flow *flow, __u32 selector) {
  __u32 sets = settings.cache_sets_per_cpu;
  __u32 index = bpf_get_smp_processor_id() * sets + (((__u32)flow->pair_hash + selector * 0x9e3779b1u) & (sets - 1));
  return bpf_map_lookup_elem(&flow_cache, &index);
}

static __always_inline struct flow_entry *find_in(struct flow_set *set, const struct flow *flow, __u32 vni) {
  if (matches(&set->ways[0], flow, vni))
    return &set->ways[0];
  if (matches(&set->ways[1], flow, vni))
    return &set->ways[1];
  return 0;
}

static __always_inline void store(struct flow_set *set, const struct flow_entry *entry) {
  if (!set)
    return;
  set->ways[1] = set->ways[0];
  set->ways[0] = *entry;
}

static __noinline int resolve(const struct flow *flow, struct flow_entry *entry, struct resolution *result) {
  result->direction = NO_DIRECTION;
  if (!bpf_map_lookup_elem(&source_vteps, &flow->outer_source))
    return result->reason = DROP_SOURCE_VTEP;

  __u32 zero = 0;
  void *trie = bpf_map_lookup_elem(&policy, &zero);
  if (!trie)
    return result->reason = DROP_UNKNOWN_VNI;
  struct prefix_key key = {
    .prefix_length = 160, .table = flow->vni, .address = { flow->destination[0], flow->destination[1] }
  };
  struct policy_entry *destination = bpf_map_lookup_elem(trie, &key);
  if (!destination)
    return result->reason = DROP_UNKNOWN_VNI;
  __u32 direction = destination->direction;
  __u32 vni = destination->vni;
  if (direction >= MAX_DIRECTIONS)
    return result->reason = DROP_NO_DESTINATION;

  result->direction = direction;
  key.table = SOURCE_TABLE | direction;
  key.address[0] = flow->source[0];
  key.address[1] = flow->source[1];
  struct policy_entry *source = bpf_map_lookup_elem(trie, &key);
  if (!source || source->direction != direction)
    return result->reason = DROP_SOURCE_NOT_EXPOSED;

  key.table = vni;
  key.address[0] = flow->destination[0];
  key.address[1] = flow->destination[1];
  struct route *route = bpf_map_lookup_elem(&routes, &key);
  if (!route || route->path_count == 0)
    return result->reason = DROP_NO_ROUTE;

  *entry = (struct flow_entry){
    .source = { flow->source[0], flow->source[1] },
    .destination = { flow->destination[0], flow->destination[1] },
    .outer_source = flow->outer_source,
    .vni = flow->vni,
    .generation = flow->generation,
    .direction = direction,
    .path_count = route->path_count,
  };
  __u32 chosen = 0;
  __u32 selector = 0;
  if (route->path_count > 1) {
    store(find_set(flow, 0), entry);
    chosen = choose(flow->hash, 32, route->path_count) & (MAX_ROUTE_PATHS - 1);
    selector = chosen + 1;
    entry->vni |= VNI_LOW_BYTE(selector);
    entry->path_count = 1;
  }
  struct route_path *path = &route->paths[chosen];
  entry->destination_vni = path->vni;
  struct tunnel_key tunnel_key = { .prefix_length = 32, .vtep = path->vtep };
  __u32 *slot = bpf_map_lookup_elem(&tunnel_slots, &tunnel_key);
  if (!slot || tunnels[*slot & (MAX_TUNNELS - 1)].path_count == 0)
    return result->reason = DROP_NO_TUNNEL;
  __u64 mac = 0;
  __builtin_memcpy(&mac, path->router_mac, 6);
  entry->tunnel_mac = mac | ((__u64)(*slot & (MAX_TUNNELS - 1)) << 48);
  store(find_set(flow, selector), entry);
  return result->reason = 0;
}
