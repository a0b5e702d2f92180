// What the policy and the routes say about a packet: destination → peering, then source; the route in the destination VPC.
#pragma once
#include "flow.h"

struct port_range {
  __u32 first;
  __u32 count;
};

/* What was found for a packet the long way, and room to find it in: too large for the stack, `scratch` holds one for each CPU. */
struct way {
  __u32 reason;    /* 0: entry and translation are valid */
  __u32 direction; /* NO_DIRECTION as long as no peering is known */
  __u32 stateful;  /* entry stands for a flow: not cached, and ports are translated too */
  __u32 idle_timeout;
  __u32 chosen;    /* path of the route */
  __u32 protocol;
  struct tunnel_key tunnel_key;
  struct policy_entry source;
  struct policy_entry destination;
  struct flow_entry entry;
  struct translation translation;
  struct flow original; /* of a reply */
  struct flow_key key;
  struct flow_state state;
  struct mapping_key mapping_key;
  struct mapping mapping;
  struct binding_key binding_key;
  struct prefix_key prefix;
  struct port_range ports;
  __u32 first_try;
  __s64 claimed; /* what the last try came to */
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct way);
} scratch SEC(".maps");

static __always_inline __u32 shift(__u32 address, __u32 offset) {
  return bpf_htonl(bpf_ntohl(address) + offset);
}

/* Which peering lets this through, and how it translates. 0 or the reason. */
static __always_inline __u32 decide(void *trie, const struct flow *flow, struct way *way) {
  struct prefix_key *key = &way->prefix;
  key->prefix_length = 160;
  key->table = flow->vni;
  key->address[0] = flow->key.destination[0];
  key->address[1] = flow->key.destination[1];
  struct policy_entry *destination = bpf_map_lookup_elem(trie, key);
  if (!destination)
    return DROP_UNKNOWN_VNI;
  __u32 direction = destination->direction;
  if (direction >= MAX_DIRECTIONS)
    return DROP_NO_DESTINATION;
  way->destination = *destination;
  way->direction = direction;
  key->table = SOURCE_TABLE | direction;
  key->address[0] = flow->key.source[0];
  key->address[1] = flow->key.source[1];
  struct policy_entry *source = bpf_map_lookup_elem(trie, key);
  if (!source || source->direction != direction)
    return DROP_SOURCE_NOT_EXPOSED;
  way->source = *source;
  way->stateful = way->source.nat | way->destination.nat | (way->source.flags & FLAG_FLOWS);
  return 0;
}

/* The route to `destination` in the VPC `vni`, the path of it that the hash chooses, and its tunnel. Into way->entry; 0 or the reason. The number of
   paths is left in entry.path_count, the one chosen in `chosen`. */
static __noinline __u32 find_route(struct way *way, __u32 vni, __u64 destination, __u64 hash) {
  struct prefix_key *key = &way->prefix;
  key->prefix_length = 160;
  key->table = vni;
  key->address[0] = 0;
  key->address[1] = destination;
  struct route *route = bpf_map_lookup_elem(&routes, key);
  if (!route || route->path_count == 0)
    return DROP_NO_ROUTE;
  way->entry.path_count = route->path_count;
  way->chosen = route->path_count > 1 ? choose(hash, 32, route->path_count) & (MAX_ROUTE_PATHS - 1) : 0;
  struct route_path *path = &route->paths[way->chosen & (MAX_ROUTE_PATHS - 1)];
  way->entry.destination_vni = path->vni;
  way->tunnel_key.prefix_length = 32;
  way->tunnel_key.vtep = path->vtep;
  __u32 *slot = bpf_map_lookup_elem(&tunnel_slots, &way->tunnel_key);
  if (!slot || tunnels[*slot & (MAX_TUNNELS - 1)].path_count == 0)
    return DROP_NO_TUNNEL;
  __u64 mac = 0;
  __builtin_memcpy(&mac, path->router_mac, 6);
  way->entry.tunnel_mac = mac | ((__u64)(*slot & (MAX_TUNNELS - 1)) << 48);
  return 0;
}
