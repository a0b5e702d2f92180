// Ends flows that were idle too long, and frees public endpoints that have rested. Run by user space now and then; all work is done here.
#pragma once
#include "stateful.h"

static __always_inline __u32 idle_seconds(__u32 now, __u32 last_seen) {
  __s32 idle = now - last_seen;
  return idle < 0 ? 0 : idle;
}

static long age_flow(void *map, const struct flow_key *key, struct flow_state *state, struct age_run *run) {
  (void)map;
  if (state->role != ROLE_FORWARD)
    return 0;
  __u32 protocol = key->vni_protocol >> 24;
  __u32 idle = idle_seconds(run->now, state->last_seen);
  __u32 shortest = state->idle_timeout && state->idle_timeout < SHORTEST_SECONDS ? state->idle_timeout : SHORTEST_SECONDS;
  if (idle < shortest) {
    run->flows++;
    return 0;
  }
  struct flow_key reply_key;
  other_key(&reply_key, &state->to, state->peer_vni_protocol);
  struct flow_state *reply = bpf_map_lookup_elem(&flows, &reply_key);
  if (reply) {
    __u32 idle_reply = idle_seconds(run->now, reply->last_seen);
    __u32 limit = idle_limit(protocol, state->idle_timeout, state->seen, reply->seen);
    if (idle < limit || idle_reply < limit) {
      run->flows++;
      return 0;
    }
  }
  struct mapping_key mapping_key;
  struct flow_key forward_key = *key;
  struct flow_state forward = *state;
  if (bpf_map_delete_elem(&flows, &forward_key) == 0) {
    release_flow(&forward_key, &forward, &mapping_key, run->now);
    run->ended++;
  }
  bpf_map_delete_elem(&flows, &reply_key);
  return 0;
}

static long age_mapping(void *map, const struct mapping_key *key, struct mapping *mapping, struct age_run *run) {
  (void)map;
  if (mapping->flows || idle_seconds(run->now, mapping->idle_since) < run->rest ||
      __sync_val_compare_and_swap(&mapping->flows, 0, MAPPING_DEAD)) {
    run->mappings++;
    return 0;
  }
  struct mapping_key own = *key;
  struct mapping copy = *mapping;
  struct binding_key binding_key;
  free_binding(&binding_key, &copy, own.peer_vni | (own.vni_protocol & ~VNI_MASK));
  bpf_map_delete_elem(&mappings, &own);
  run->freed++;
  return 0;
}

SEC("syscall")
int age(struct age_run *run) {
  struct age_run work = { .now = run->now, .rest = run->rest };
  bpf_for_each_map_elem(&flows, age_flow, &work, 0);
  bpf_for_each_map_elem(&mappings, age_mapping, &work, 0);
  *run = work;
  return 0;
}
