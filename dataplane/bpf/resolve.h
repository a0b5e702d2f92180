// The long way of a packet: policy, route, tunnel. What is found goes into the flow cache, and most packets find it there.
// The order is that of the policy: destination → peering, then source, then the route in the destination VPC.
#pragma once
#include "flow.h"

/* What was found for a packet the long way. Too large for the stack: `scratch` holds one for each CPU. */
struct way {
  __u32 reason;    /* 0: entry, and translation if it says so, are valid */
  __u32 direction; /* NO_DIRECTION as long as no peering is known */
  struct flow_entry entry;
  struct translation translation;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct way);
} scratch SEC(".maps");

static __always_inline int matches(const struct flow_entry *entry, const struct flow *flow, __u32 vni) {
  return ((entry->source[0] ^ flow->source[0]) | (entry->source[1] ^ flow->source[1]) |
          (entry->destination[0] ^ flow->destination[0]) | (entry->destination[1] ^ flow->destination[1]) |
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
    translations->ways[0] = way->translation;
  set->ways[1] = set->ways[0];
  set->ways[0] = way->entry;
}

/* The route to `destination` in the VPC `vni`, the path of it that the hash chooses, and its tunnel. Into `entry`; 0 or the reason. */
static __always_inline __u32 find_route(struct flow_entry *entry, __u32 vni, const __u64 *destination, __u64 hash, __u32 *path_count,
                                        __u32 *chosen) {
  struct prefix_key key = { .prefix_length = 160, .table = vni, .address = { destination[0], destination[1] } };
  struct route *route = bpf_map_lookup_elem(&routes, &key);
  if (!route || route->path_count == 0)
    return DROP_NO_ROUTE;
  *path_count = route->path_count;
  *chosen = route->path_count > 1 ? choose(hash, 32, route->path_count) & (MAX_ROUTE_PATHS - 1) : 0;
  struct route_path *path = &route->paths[*chosen];
  entry->destination_vni = path->vni;
  struct tunnel_key tunnel_key = { .prefix_length = 32, .vtep = path->vtep };
  __u32 *slot = bpf_map_lookup_elem(&tunnel_slots, &tunnel_key);
  if (!slot || tunnels[*slot & (MAX_TUNNELS - 1)].path_count == 0)
    return DROP_NO_TUNNEL;
  __u64 mac = 0;
  __builtin_memcpy(&mac, path->router_mac, 6);
  entry->tunnel_mac = mac | ((__u64)(*slot & (MAX_TUNNELS - 1)) << 48);
  return 0;
}

/* Addresses changed by static NAT, and what that does to checksums. */
static __always_inline void translate_addresses(struct way *way, const struct flow *flow, __u32 source_offset, __u32 destination_offset) {
  __u32 source = unmapped(flow->source[1]);
  __u32 destination = unmapped(flow->destination[1]);
  __u32 new_source = bpf_htonl(bpf_ntohl(source) + source_offset);
  __u32 new_destination = bpf_htonl(bpf_ntohl(destination) + destination_offset);
  struct translation *to = &way->translation;
  to->source[0] = flow->source[0];
  to->source[1] = mapped(new_source);
  to->destination[0] = flow->destination[0];
  to->destination[1] = mapped(new_destination);
  to->address_delta = fold_checksum(word_delta(source, new_source) + word_delta(destination, new_destination));
  to->transport_delta = to->address_delta;
}

static __noinline int resolve(const struct flow *flow, struct way *way) {
  way->direction = NO_DIRECTION;
  if (!bpf_map_lookup_elem(&source_vteps, &flow->outer_source))
    return way->reason = DROP_SOURCE_VTEP;

  __u32 zero = 0;
  void *trie = bpf_map_lookup_elem(&policy, &zero);
  if (!trie)
    return way->reason = DROP_UNKNOWN_VNI;
  struct prefix_key key = {
    .prefix_length = 160, .table = flow->vni, .address = { flow->destination[0], flow->destination[1] }
  };
  struct policy_entry *destination = bpf_map_lookup_elem(trie, &key);
  if (!destination)
    return way->reason = DROP_UNKNOWN_VNI;
  __u32 direction = destination->direction;
  if (direction >= MAX_DIRECTIONS)
    return way->reason = DROP_NO_DESTINATION;

  way->direction = direction;
  key.table = SOURCE_TABLE | direction;
  key.address[0] = flow->source[0];
  key.address[1] = flow->source[1];
  struct policy_entry *source = bpf_map_lookup_elem(trie, &key);
  if (!source || source->direction != direction)
    return way->reason = DROP_SOURCE_NOT_EXPOSED;

  struct flow_entry *entry = &way->entry;
  *entry = (struct flow_entry){
    .source = { flow->source[0], flow->source[1] },
    .destination = { flow->destination[0], flow->destination[1] },
    .outer_source = flow->outer_source,
    .vni = flow->vni,
    .generation = flow->generation,
    .direction = direction,
  };
  entry->translated = (source->offset | destination->offset) != 0;
  translate_addresses(way, flow, source->offset, destination->offset);

  __u32 path_count = 0;
  __u32 chosen = 0;
  __u32 reason = find_route(entry, destination->vni, way->translation.destination, flow->hash, &path_count, &chosen);
  if (reason)
    return way->reason = reason;
  __u32 selector = 0;
  if (path_count > 1) {
    entry->path_count = path_count;
    store(index_of_set(flow, 0), way);
    selector = chosen + 1;
    entry->vni |= VNI_LOW_BYTE(selector);
  }
  entry->path_count = 1;
  store(index_of_set(flow, selector), way);
  return way->reason = 0;
}
